"""Which scenarios there are, at which sizes: tiny for tests, short for `make bench`, full for `make bench-full`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from bench.figures import Figures
from bench.scenarios.connections import connections
from bench.scenarios.direct import direct
from bench.scenarios.group import group
from bench.scenarios.history import history
from bench.scenarios.rate import rate
from bench.scenarios.storm import storm


class Size(StrEnum):
    """How much of everything."""

    TINY = "tiny"
    SHORT = "short"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement.

    Attributes:
        name: as the table shows it.
        run: takes the system.
        peers: whether the usual Node stack can do it too.
    """

    name: str
    run: Callable[[Any], Awaitable[Figures]]
    peers: bool = False


SCENARIOS: Final = ("direct", "rate", "group", "connections", "storm", "history")
_SECONDS: Final = {Size.TINY: (0.2, 0.5), Size.SHORT: (2.0, 5.0), Size.FULL: (3.0, 15.0)}


def steps(scenario: str, size: Size) -> list[Step]:
    """The steps of a scenario at a size."""
    warm_up, seconds = _SECONDS[size]
    timed: dict[str, Any] = {"warm_up_seconds": warm_up, "seconds": seconds}
    match scenario:
        case "direct":
            sizes = [(4, 2)] if size is Size.TINY else [(200, 8), (50, 1)]
            return [
                Step(f"direct {p} x {w}", partial(direct, pair_count=p, in_flight=w, **timed), peers=True)
                for p, w in sizes
            ]
        case "rate":
            pairs, per_second = (4, 50) if size is Size.TINY else (100, 1_000)
            return [Step(f"rate {per_second}/s", partial(rate, pair_count=pairs, per_second=per_second, **timed))]
        case "group":
            members = {Size.TINY: [5], Size.SHORT: [100, 1_000], Size.FULL: [10, 100, 1_000, 5_000]}[size]
            return [Step(f"group {n}", partial(group, members=n, in_flight=_in_flight(n), **timed)) for n in members]
        case "connections":
            count = {Size.TINY: 20, Size.SHORT: 2_000, Size.FULL: 10_000}[size]
            rest = {Size.TINY: 0.2, Size.SHORT: 5.0, Size.FULL: 30.0}[size]
            return [Step(f"connections {count}", partial(connections, count=count, rest_seconds=rest))]
        case "storm":
            clients = {Size.TINY: 10, Size.SHORT: 500, Size.FULL: 5_000}[size]
            return [Step(f"storm {clients}", partial(storm, clients=clients))]
        case "history":
            length = {Size.TINY: 200, Size.SHORT: 20_000, Size.FULL: 100_000}[size]
            return [Step(f"history {length}", partial(history, length=length, readers=32, seconds=seconds))]
        case _:
            raise ValueError(f"there is no scenario {scenario}")


def _in_flight(members: int) -> int:
    return 8 if members <= 1_000 else 1  # noqa: PLR2004  # enough to keep the gateway busy, not to fill its buffers
