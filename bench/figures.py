"""Figures of a run: latencies, rates and costs, and their medians over several runs."""

from __future__ import annotations

import math
import statistics
from array import array
from collections.abc import Iterable, Mapping, Sequence

Figures = dict[str, float]
"""By name. The name's last word is the unit: `_ms`, `_us`, `_s`, `_kib`, `_per_s`, `_percent`, or none for a count."""


def percentile(sorted_values: Sequence[float], percent: float) -> float:
    """Returns the nearest-rank percentile of values in ascending order; NaN for none.

    It is the smallest value such that at least `percent` percent of all values are not above it. Source:
    https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method
    """
    if not sorted_values:
        return math.nan
    return sorted_values[max(0, math.ceil(len(sorted_values) * percent / 100) - 1)]


def latencies(name: str, seconds: Iterable[float]) -> Figures:
    """Returns the 50th, 99th and 99.9th percentiles, in ms."""
    values = array("d", sorted(seconds))
    return {
        f"{name}_p50_ms": percentile(values, 50) * 1_000,
        f"{name}_p99_ms": percentile(values, 99) * 1_000,
        f"{name}_p999_ms": percentile(values, 99.9) * 1_000,
    }


def medians(runs: Sequence[Mapping[str, float]]) -> Figures:
    """Returns the median of each figure that all runs have."""
    names = [name for name in runs[0] if all(name in run for run in runs)]
    return {name: statistics.median(run[name] for run in runs) for name in names}


def ratios(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Figures:
    """Returns ours divided by theirs, for each figure that both have and that is not 0 in theirs."""
    return {name: ours[name] / theirs[name] for name in ours if theirs.get(name)}
