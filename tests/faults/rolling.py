"""A rolling restart: each process of ours is asked to stop, and started again, one by one, as a deployment does.

The stores and Envoy are left alone: the stage has one of each, and what their absence means is the nemesis's matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from deploy.local.envoy import upstreams_healthy
from deploy.local.probes import until_ready
from tests.faults.faults import Fault
from tests.faults.history import History
from tests.faults.nemesis import Done
from tests.faults.stage import Stage
from tests.faults.violations import Violation

KIND: Final = "rolling restart"
_EDGE_SECONDS: Final = 90.0
# A gateway that stops says 1001 or 1012, after session.closing; mostly the client is the one that ends it.
_FAREWELLS: Final = frozenset({1000, 1001, 1012})


@dataclass(slots=True)
class Roller:
    """Restarts every process in turn, until the time is over; at least once each."""

    stage: Stage
    tell: Callable[[str], None]
    done: list[Done] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Begins no new turn after so many seconds."""
        started = time.monotonic()
        while not self.done or time.monotonic() - started < seconds:
            for name in self.stage.own_processes:
                self.tell(f"restarting {name}")
                began = time.monotonic() - started
                await self._restart(name)
                self.done.append(Done(Fault(KIND, name, 0.0), began, time.monotonic() - started))

    async def _restart(self, name: str) -> None:
        process = self.stage.stack.processes[name]
        await process.restart()
        # The next one may go only when Envoy uses this one again.
        admin_port = self.stage.stack.processes["envoy"].spec.ports["admin"]
        reason = await until_ready(upstreams_healthy(admin_port), _EDGE_SECONDS)
        if reason is not None:
            self.stage.crashes.append(f"{name}: {reason}")


def nobody_noticed(history: History, crashes: list[str]) -> Iterator[Violation]:
    """Nothing failed, not even for now, no request was lost, and no connection ended without a farewell."""
    problems = history.problems
    for (op, code, reason), times in problems.errors.items():
        if code in {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"}:
            yield Violation("error during a rolling restart", f"{op}: {code} {reason}, {times} times")
    for close, times in problems.closes.items():
        if close not in _FAREWELLS:
            yield Violation("connection ended without a farewell", f"{close}: {times} times")
    for status, times in problems.refused_upgrades.items():
        yield Violation("upgrade refused during a rolling restart", f"HTTP status {status}: {times} times")
    for op, times in problems.lost.items():
        yield Violation("request lost during a rolling restart", f"{op}: {times} times")
    for crash in crashes:
        yield Violation("process did not stop or start in time", crash)
