"""One process of the stack: starting it, knowing when it is healthy, ending it. `supervision` keeps it running.

The child is a session of its own, so that Ctrl-C in a terminal reaches only us, and we end the children in order. It
dies with us, whatever ends us (see `launch`): for that, start it from a thread that lives as long as the stack does.
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
_BETWEEN_PROBES_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What a process is, before it runs. `ports` names what it listens on."""

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
    """A process that can be started and ended any number of times.

    `kill`, `terminate` and `stop` say that it is no longer wanted: it then stays down until `start`, whoever
    supervises it. To see the stack recover from a crash, signal `pid` from outside.
    """

    def __init__(self, spec: ProcessSpec, report: Report, on_change: Callable[[], None]) -> None:
        self.spec = spec
        self.name = spec.name
        self.log_path = spec.log_path
        self._report = report
        self._on_change = on_change
        self._child: asyncio.subprocess.Process | None = None
        self._wanted = asyncio.Event()
        self._dismissed: asyncio.subprocess.Process | None = None
        self._started_at = 0.0

    @property
    def running(self) -> bool:
        """Whether the process exists now."""
        return self._child is not None and self._child.returncode is None

    @property
    def wanted(self) -> bool:
        """Whether it ought to be running."""
        return self._wanted.is_set()

    @property
    def age_seconds(self) -> float:
        """The time since it was last started."""
        return time.monotonic() - self._started_at

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            StackError: it is not running.
        """
        if self._child is None or self._child.returncode is not None:
            raise StackError(f"{self.name} is not running.")
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, negative for a signal; None while it runs and before it ever did."""
        return self._child.returncode if self._child else None

    def address(self, listener: str) -> str:
        """Return host:port of one of its listeners, as named in the table of services."""
        return f"127.0.0.1:{self.spec.ports[listener]}"

    async def start(self) -> None:
        """Start it; `wait_healthy` says when it is ready.

        Raises:
            StackError: it is running already.
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
        """Wait until it is ready for work.

        Args:
            deadline_seconds: by default the one of its specification.
            even_if_down: go on waiting while it does not run, because someone starts it again.

        Raises:
            StackError: it ended, or was not ready within the deadline; the sentence says why.
        """
        allowed = self.spec.start_deadline_seconds if deadline_seconds is None else deadline_seconds
        deadline = time.monotonic() + allowed
        while True:
            if not self.running and not even_if_down:
                raise StackError(self.explain_end() + self._last_words())
            reason = await self._unready_because()
            if reason is None:
                return
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready after {allowed:.0f} s: {reason}.{self._last_words()}")
            await asyncio.sleep(_BETWEEN_PROBES_SECONDS)

    def kill(self) -> None:
        """End it at once (SIGKILL); it stays down until `start`."""
        self._dismiss()
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end (SIGTERM); it stays down until `start`."""
        self._dismiss()
        self._signal(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): it keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    async def wait_stopped(self) -> int:
        """Wait until it has ended; return its exit code."""
        if self._child is None:
            raise StackError(f"{self.name} was never started.")
        return await self._child.wait()

    async def wait_crashed(self) -> None:
        """Wait until it has ended without having been told to."""
        while True:
            await self._wanted.wait()
            child = self._child
            if child is not None:
                await child.wait()
            # It may have been told to end and started anew before we learn of the end.
            if child is self._child and child is not self._dismissed:
                return

    async def stop(self) -> None:
        """End it: ask, wait, insist. Doing so twice is harmless."""
        self._dismiss()
        if self._child is None or self._child.returncode is not None:
            return
        self.terminate()
        # A frozen process acts on SIGTERM only once it goes on.
        self.resume()
        try:
            async with asyncio.timeout(self.spec.stop_deadline_seconds):
                await self._child.wait()
        except TimeoutError:
            self._report(
                Progress(self.name, Phase.STOPPING, f"is killed: no end after {self.spec.stop_deadline_seconds:.0f} s")
            )
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            await self._child.wait()
        self._on_change()

    async def restart(self) -> None:
        """End it, start it again, and wait until it is healthy."""
        await self.stop()
        await self.start()
        await self.wait_healthy()

    def explain_end(self) -> str:
        """Say in one line why it is not running."""
        if self._child is None or self._child.returncode is None:
            return f"{self.name} is not running."
        return explain_exit(self.name, self.spec.command[0], self._child.returncode, self.log_path)

    def _dismiss(self) -> None:
        self._wanted.clear()
        self._dismissed = self._child

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.returncode is None:
            # Not by the child's own method: that looks whether it has ended, and asyncio then never learns how it did.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child.pid, number)

    def _last_words(self) -> str:
        return quote(last_lines(self.log_path), self.log_path)

    async def _unready_because(self) -> str | None:
        try:
            async with asyncio.timeout(5):
                return await self.spec.probe()
        except TimeoutError:
            return "it does not answer"


def _appending(path: Path) -> BinaryIO:
    return path.open("ab")
