"""Restarts crashed processes."""

import asyncio
import contextlib
from dataclasses import dataclass

from deploy.local.errors import StackError
from deploy.local.process import ManagedProcess
from deploy.local.progress import Phase, Progress, Report


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Exponential backoff: nearly immediate at first, doubling while the process keeps crashing."""

    first_delay_seconds: float = 0.25
    max_delay_seconds: float = 15.0
    reset_after_seconds: float = 60.0

    def delay_seconds(self, failures: int) -> float:
        """Returns the delay before the next start after a number of consecutive failures."""
        return min(self.max_delay_seconds, self.first_delay_seconds * 2.0 ** min(failures - 1, 16))


class Supervisor:
    """Watches processes, one task each, from `watch` until `stop`."""

    def __init__(self, policy: RestartPolicy, report: Report) -> None:
        self._policy = policy
        self._report = report
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self, process: ManagedProcess) -> None:
        """Restarts the process whenever it crashes, until `stop`."""
        self._tasks.append(asyncio.create_task(self._keep_running(process), name=f"supervise {process.name}"))

    async def stop(self) -> None:
        """Stops watching; the processes keep running. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_running(self, process: ManagedProcess) -> None:
        failures = 0
        while True:
            await process.wait_crashed()
            failures = 1 if process.age_seconds > self._policy.reset_after_seconds else failures + 1
            delay = self._policy.delay_seconds(failures)
            self._report_phase(process, Phase.RESTARTING, f"{process.explain_end()} Restarting in {delay:.2g} s.")
            await asyncio.sleep(delay)
            if process.wanted and not process.running:
                await self._restart(process)

    async def _restart(self, process: ManagedProcess) -> None:
        try:
            await process.start()
            await process.wait_healthy()
        except (StackError, OSError) as error:
            self._report_phase(process, Phase.FAILED, str(error))
        else:
            self._report_phase(process, Phase.READY, "Restarted.")

    def _report_phase(self, process: ManagedProcess, phase: Phase, detail: str) -> None:
        self._report(Progress(process.name, phase, detail))
