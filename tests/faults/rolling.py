"""A rolling restart: stops and starts each of Parley's processes, one by one, as a deployment does.

It leaves out the stores and Envoy: the stack has one of each, and the nemesis covers their outages.
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
from tests.faults.nemesis import InflictedFault
from tests.faults.stack import ProxiedStack
from tests.faults.violations import Violation

KIND: Final = "rolling restart"
_EDGE_SECONDS: Final = 90.0
# A stopping gateway closes with 1001 or 1012 after session.closing; mostly the client closes first.
_GRACEFUL_CLOSES: Final = frozenset({1000, 1001, 1012})


@dataclass(slots=True)
class RollingRestart:
    """Restarts every process in turn, at least once each."""

    stack: ProxiedStack
    log: Callable[[str], None]
    done: list[InflictedFault] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Starts no new turn after `seconds`."""
        started = time.monotonic()
        while not self.done or time.monotonic() - started < seconds:
            for name in self.stack.own_processes:
                self.log(f"restarting {name}")
                began = time.monotonic() - started
                await self._restart(name)
                self.done.append(InflictedFault(Fault(KIND, name, 0.0), began, time.monotonic() - started))

    async def _restart(self, name: str) -> None:
        process = self.stack.local.processes[name]
        await process.restart()
        # The next process may stop only once Envoy uses this one again.
        admin_port = self.stack.local.processes["envoy"].spec.ports["admin"]
        reason = await until_ready(upstreams_healthy(admin_port), _EDGE_SECONDS)
        if reason is not None:
            self.stack.crashes.append(f"{name}: {reason}")


def undisturbed(history: History, crashes: list[str]) -> Iterator[Violation]:
    """Yields a violation for each transient error, refused upgrade, lost request and ungraceful close."""
    problems = history.problems
    for (op, code, reason), times in problems.errors.items():
        if code in {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"}:
            yield Violation("error during a rolling restart", f"{op}: {code} {reason}, {times} times")
    for close, times in problems.closes.items():
        if close not in _GRACEFUL_CLOSES:
            yield Violation("connection closed ungracefully", f"{close}: {times} times")
    for status, times in problems.refused_upgrades.items():
        yield Violation("upgrade refused during a rolling restart", f"HTTP status {status}: {times} times")
    for op, times in problems.lost.items():
        yield Violation("request lost during a rolling restart", f"{op}: {times} times")
    for crash in crashes:
        yield Violation("process did not stop or start in time", crash)
