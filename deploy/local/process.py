"""Starts, probes and stops one process of the stack. `supervision` restarts it.

The child gets its own session, so that Ctrl-C in a terminal reaches only the parent, which stops its children in order.
The child dies with the parent (see `launch`), so start it from a thread that lives as long as the stack.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from deploy.local.errors import StackError
from deploy.local.exit_diagnosis import explain_exit, last_lines, quote
from deploy.local.probes import Probe
from deploy.local.progress import Phase, Progress, Report

_LAUNCHER = Path(__file__).with_name("launch.py")
_PROBE_INTERVAL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """The specification of a process. `ports` maps listener names to ports."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log_path: Path
    probe: Probe
    ports: Mapping[str, int] = field(default_factory=dict)
    working_directory: Path | None = None
    start_deadline_seconds: float = 30.0
    stop_deadline_seconds: float = 10.0
    inherited_descriptors: tuple[int, ...] = ()


class ManagedProcess:
    """A process that can be started and stopped repeatedly.

    `kill`, `terminate` and `stop` are deliberate: the process stays down until `start`, even under a supervisor. To
    test recovery from a crash, signal `pid` from outside.
    """

    def __init__(self, spec: ProcessSpec, report: Report, on_change: Callable[[], None]) -> None:
        self.spec = spec
        self.name = spec.name
        self.log_path = spec.log_path
        self._report = report
        self._on_change = on_change
        self._child: asyncio.subprocess.Process | None = None
        self._wanted = asyncio.Event()
        self._stopped_child: asyncio.subprocess.Process | None = None
        self._started_at = 0.0

    @property
    def running(self) -> bool:
        """Whether the process is running."""
        return self._child is not None and self._child.returncode is None

    @property
    def wanted(self) -> bool:
        """Whether the process should be running."""
        return self._wanted.is_set()

    @property
    def age_seconds(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started_at

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            StackError: the process is not running.
        """
        if self._child is None or self._child.returncode is not None:
            raise StackError(f"{self.name} is not running.")
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while running and before the first start."""
        return self._child.returncode if self._child else None

    def address(self, listener: str) -> str:
        """Returns host:port of a listener, as named in `services`."""
        return f"127.0.0.1:{self.spec.ports[listener]}"

    async def start(self) -> None:
        """Starts the process; `wait_healthy` waits until it is ready.

        Raises:
            StackError: the process is already running.
        """
        if self.running:
            raise StackError(f"{self.name} is already running.")
        with _appending(self.spec.log_path) as log:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *self.spec.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(self.spec.environment),
                cwd=self.spec.working_directory,
                start_new_session=True,
                pass_fds=self.spec.inherited_descriptors,
            )
        self._started_at = time.monotonic()
        self._wanted.set()
        self._on_change()

    async def wait_healthy(self, deadline_seconds: float | None = None, *, even_if_down: bool = False) -> None:
        """Waits until the process is ready.

        Args:
            deadline_seconds: default: the specification's.
            even_if_down: keep waiting while the process is down, because a supervisor restarts it.

        Raises:
            StackError: the process exited, or was not ready within the deadline; the text says why.
        """
        timeout = self.spec.start_deadline_seconds if deadline_seconds is None else deadline_seconds
        deadline = time.monotonic() + timeout
        while True:
            if not self.running and not even_if_down:
                raise StackError(self.explain_end() + self._log_tail())
            reason = await self._not_ready_reason()
            if reason is None:
                return
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready after {timeout:.0f} s: {reason}.{self._log_tail()}")
            await asyncio.sleep(_PROBE_INTERVAL_SECONDS)

    def kill(self) -> None:
        """Sends SIGKILL; the process stays down until `start`."""
        self._mark_stopped()
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Sends SIGTERM; the process stays down until `start`."""
        self._mark_stopped()
        self._signal(signal.SIGTERM)

    def pause(self) -> None:
        """Sends SIGSTOP: the process keeps its connections but answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Sends SIGCONT, which ends `pause`."""
        self._signal(signal.SIGCONT)

    async def wait_stopped(self) -> int:
        """Waits until the process has exited; returns its exit code."""
        if self._child is None:
            raise StackError(f"{self.name} was never started.")
        return await self._child.wait()

    async def wait_crashed(self) -> None:
        """Waits until the process exits without `kill`, `terminate` or `stop`."""
        while True:
            await self._wanted.wait()
            child = self._child
            if child is not None:
                await child.wait()
            # It may have been stopped and started again before this task runs.
            if child is self._child and child is not self._stopped_child:
                return

    async def stop(self) -> None:
        """Sends SIGTERM, waits up to the stop deadline, then sends SIGKILL. Idempotent."""
        self._mark_stopped()
        if self._child is None or self._child.returncode is not None:
            return
        self.terminate()
        # A paused process handles SIGTERM only after SIGCONT.
        self.resume()
        try:
            async with asyncio.timeout(self.spec.stop_deadline_seconds):
                await self._child.wait()
        except TimeoutError:
            self._report(
                Progress(
                    self.name, Phase.STOPPING, f"killed: still running after {self.spec.stop_deadline_seconds:.0f} s"
                )
            )
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            await self._child.wait()
        self._on_change()

    async def restart(self) -> None:
        """Stops and starts the process, and waits until it is healthy."""
        await self.stop()
        await self.start()
        await self.wait_healthy()

    def explain_end(self) -> str:
        """Returns one line on why the process is not running."""
        if self._child is None or self._child.returncode is None:
            return f"{self.name} is not running."
        return explain_exit(self.name, self.spec.command[0], self._child.returncode, self.log_path)

    def _mark_stopped(self) -> None:
        self._wanted.clear()
        self._stopped_child = self._child

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.returncode is None:
            # Not Process.send_signal: it reaps an exited child, and asyncio then never learns the exit code.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child.pid, number)

    def _log_tail(self) -> str:
        return quote(last_lines(self.log_path), self.log_path)

    async def _not_ready_reason(self) -> str | None:
        try:
            async with asyncio.timeout(5):
                return await self.spec.probe()
        except TimeoutError:
            return "it does not answer"


def _appending(path: Path) -> BinaryIO:
    return path.open("ab")
