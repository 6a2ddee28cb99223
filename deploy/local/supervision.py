"""Starting processes again that ended without having been told to."""

import asyncio
import contextlib
from dataclasses import dataclass

from deploy.local.errors import StackError
from deploy.local.process import ManagedProcess
from deploy.local.progress import Phase, Progress, Report


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How fast: nearly at once the first time, then ever more slowly while it keeps failing."""

    first_delay_seconds: float = 0.25
    longest_delay_seconds: float = 15.0
    forgiven_after_seconds: float = 60.0

    def delay_seconds(self, failures: int) -> float:
        """Return the wait before the next start, after so many failures in a row."""
        return min(self.longest_delay_seconds, self.first_delay_seconds * 2.0 ** min(failures - 1, 16))


class Supervisor:
    """Watches processes, a task each, from `watch` until `stop`."""

    def __init__(self, policy: RestartPolicy, report: Report) -> None:
        self._policy = policy
        self._report = report
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self, process: ManagedProcess) -> None:
        """From now on, start it again when it crashes."""
        self._tasks.append(asyncio.create_task(self._keep_running(process), name=f"supervise {process.name}"))

    async def stop(self) -> None:
        """Leave the processes to themselves; doing so twice is harmless."""
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
            failures = 1 if process.age_seconds > self._policy.forgiven_after_seconds else failures + 1
            delay = self._policy.delay_seconds(failures)
            self._say(process, Phase.RESTARTING, f"{process.explain_end()} It is started again in {delay:.2g} s.")
            await asyncio.sleep(delay)
            if process.wanted and not process.running:
                await self._bring_back(process)

    async def _bring_back(self, process: ManagedProcess) -> None:
        try:
            await process.start()
            await process.wait_healthy()
        except (StackError, OSError) as error:
            self._say(process, Phase.FAILED, str(error))
        else:
            self._say(process, Phase.READY, "It is back.")

    def _say(self, process: ManagedProcess, phase: Phase, detail: str) -> None:
        self._report(Progress(process.name, phase, detail))
