"""The scenarios and their sizes: tiny for tests, short for `make bench`, full for `make bench-full`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from bench.figures import Figures
from bench.scenarios.connections import connections
from bench.scenarios.direct import direct
from bench.scenarios.flood import flood
from bench.scenarios.group import group
from bench.scenarios.growth import growth
from bench.scenarios.history import history
from bench.scenarios.rate import rate
from bench.scenarios.soak import soak
from bench.scenarios.storm import storm


class Size(StrEnum):
    """The size of the load."""

    TINY = "tiny"
    SHORT = "short"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement.

    Attributes:
        name: the title in the table.
        run: runs it on a system.
        peers: the peers that can run it too.
        limited: whether to keep the default limits on what users may send.
    """

    name: str
    run: Callable[[Any], Awaitable[Figures]]
    peers: frozenset[str] = frozenset()
    limited: bool = False


_SECONDS: Final = {Size.TINY: (0.2, 0.5), Size.SHORT: (2.0, 5.0), Size.FULL: (3.0, 15.0)}
_LARGE_GROUP: Final = 1_000
_ALL: Final = frozenset({"node", "python-socketio"})


def _timed(size: Size) -> dict[str, Any]:
    warm_up, seconds = _SECONDS[size]
    return {"warm_up_seconds": warm_up, "seconds": seconds}


def _direct(size: Size) -> list[Step]:
    loads = [(4, 2)] if size is Size.TINY else [(200, 8), (50, 1)]
    return [
        Step(f"direct {p} x {w}", partial(direct, pair_count=p, in_flight=w, **_timed(size)), peers=_ALL)
        for p, w in loads
    ]


def _rate(size: Size) -> list[Step]:
    pairs, per_second = (4, 50) if size is Size.TINY else (100, 1_000)
    return [Step(f"rate {per_second}/s", partial(rate, pair_count=pairs, per_second=per_second, **_timed(size)))]


def _group(size: Size) -> list[Step]:
    """Keeps enough messages in flight to keep the gateway busy, and not so many that its buffers overflow."""
    members = {Size.TINY: [5], Size.SHORT: [100, 1_000], Size.FULL: [10, 100, 1_000, 5_000]}[size]
    return [
        Step(f"group {n}", partial(group, members=n, in_flight=8 if n <= _LARGE_GROUP else 1, **_timed(size)), _ALL)
        for n in members
    ]


def _connections(size: Size) -> list[Step]:
    count = {Size.TINY: 20, Size.SHORT: 2_000, Size.FULL: 10_000}[size]
    rest = {Size.TINY: 0.2, Size.SHORT: 5.0, Size.FULL: 30.0}[size]
    return [Step(f"connections {count}", partial(connections, count=count, rest_seconds=rest))]


def _storm(size: Size) -> list[Step]:
    clients = {Size.TINY: 10, Size.SHORT: 500, Size.FULL: 5_000}[size]
    return [Step(f"storm {clients}", partial(storm, clients=clients))]


def _history(size: Size) -> list[Step]:
    length = {Size.TINY: 200, Size.SHORT: 20_000, Size.FULL: 100_000}[size]
    return [Step(f"history {length}", partial(history, length=length, readers=32, seconds=_timed(size)["seconds"]))]


def _growth(size: Size) -> list[Step]:
    messages, conversations, pairs = {
        Size.TINY: (500, 20, 4),
        Size.SHORT: (100_000, 1_000, 200),
        Size.FULL: (5_000_000, 10_000, 200),
    }[size]
    run = partial(growth, messages=messages, conversations=conversations, pair_count=pairs, **_timed(size))
    return [Step(f"growth {messages}", run)]


def _flood(size: Size) -> list[Step]:
    pairs, per_second = (4, 20) if size is Size.TINY else (100, 500)
    run = partial(flood, pair_count=pairs, per_second=per_second, **_timed(size))
    return [Step(f"flood, {per_second}/s", run, limited=True)]


def _soak(size: Size) -> list[Step]:
    pairs, per_second = (4, 50) if size is Size.TINY else (100, 5_000)
    warm_up, seconds = {Size.TINY: (0.2, 0.5), Size.SHORT: (20.0, 60.0), Size.FULL: (60.0, 600.0)}[size]
    run = partial(soak, pair_count=pairs, per_second=per_second, warm_up_seconds=warm_up, seconds=seconds)
    return [Step(f"soak {per_second}/s", run)]


_STEPS: Final[Mapping[str, Callable[[Size], list[Step]]]] = {
    "direct": _direct,
    "rate": _rate,
    "group": _group,
    "connections": _connections,
    "storm": _storm,
    "history": _history,
    "growth": _growth,
    "flood": _flood,
    "soak": _soak,
}
SCENARIOS: Final = tuple(_STEPS)
LONG: Final = frozenset({"growth", "soak"})


def steps(scenario: str, size: Size) -> list[Step]:
    """Returns the steps of a scenario at a size. Raises KeyError if there is no such scenario."""
    return _STEPS[scenario](size)
