"""Results: a table for the terminal, and JSON with the circumstances of the run."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

from bench.figures import Figures

RESULTS: Final = Path(__file__).parent / "results"
_LIBRARIES: Final = ("grpcio", "protobuf", "pymongo", "redis", "picows", "uvloop")


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one scenario on one system.

    Attributes:
        scenario: its name and parameters.
        system: the system's name.
        runs: the figures of each run.
        figures: their medians.
        ratios: each figure divided by the peer's; empty without a peer.
    """

    scenario: str
    system: str
    runs: Sequence[Figures]
    figures: Figures
    ratios: Figures


def show(results: Sequence[Result], console: Console) -> None:
    """Prints a table for each scenario, with figures as rows and systems as columns."""
    for scenario in dict.fromkeys(result.scenario for result in results):
        columns = [result for result in results if result.scenario == scenario]
        table = Table(title=scenario, title_justify="left")
        table.add_column("")
        for result in columns:
            table.add_column(result.system, justify="right")
            if result.ratios:
                table.add_column("ratio", justify="right")
        for name in dict.fromkeys(name for result in columns for name in result.figures):
            row = [name]
            for result in columns:
                row.append(number(result.figures.get(name)))
                if result.ratios:
                    row.append(number(result.ratios.get(name)))
            table.add_row(*row)
        console.print(table)


def number(value: float | None) -> str:
    """Formats a figure with three significant digits; a dash for None."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004


def save(results: Sequence[Result], directory: Path = RESULTS) -> Path:
    """Writes results as JSON; returns the path."""
    now = datetime.now(UTC)
    directory.mkdir(exist_ok=True)
    path = directory / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps({"time": now.isoformat(), **_circumstances(), "results": _plain(results)}, indent=1))
    return path


def _plain(results: Sequence[Result]) -> list[dict[str, object]]:
    return [
        {"scenario": r.scenario, "system": r.system, "figures": r.figures, "ratios": r.ratios, "runs": list(r.runs)}
        for r in results
    ]


def _circumstances() -> Mapping[str, object]:
    return {
        "commit": _commit(),
        "machine": {
            "cpus": psutil.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "platform": platform.platform(),
            "load_average": psutil.getloadavg(),
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
    }


def _commit() -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"
