"""Violations of guarantees, which the checks return."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Violation(NamedTuple):
    """A violated guarantee. `rule` is short and stable; `detail` says where to look."""

    rule: str
    detail: str


def summary(violations: Iterable[Violation], examples: int = 5) -> Iterator[str]:
    """Yields lines for people: each rule with its number of violations, and some examples."""
    listed = list(violations)
    for rule, count in sorted(Counter(v.rule for v in listed).items()):
        yield f"{rule}: {count}"
        yield from (f"    {v.detail}" for v in [v for v in listed if v.rule == rule][:examples])
