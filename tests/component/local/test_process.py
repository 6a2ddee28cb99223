"""The life of a managed process: start, readiness, signals, stop; it never outlives its parent."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from deploy.local.errors import StackError
from deploy.local.probes import Probe
from deploy.local.process import ManagedProcess, ProcessSpec
from deploy.local.progress import Phase, Progress, silent
from deploy.local.supervision import RestartPolicy, Supervisor
from tests.component.local.waiting import all_gone, eventually

PYTHON = (sys.executable, "-u", "-c")
READY_THEN_SLEEP = "import time; print('ready'); time.sleep(600)"
DEAF_TO_SIGTERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(600)"

Make = Callable[..., ManagedProcess]


def says_ready(log: Path) -> Probe:
    """Returns a probe for the word that the test programs print."""

    def look() -> str | None:
        return None if b"ready" in log.read_bytes() else "it has not said so"

    async def probe() -> str | None:
        return look()

    return probe


@pytest_asyncio.fixture(loop_scope="session")
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Yields a factory of processes that are stopped with the test."""
    processes: list[ManagedProcess] = []

    def _make(
        code: str, command: tuple[str, ...] = PYTHON, report: Callable[[Progress], None] = silent
    ) -> ManagedProcess:
        log = tmp_path / f"{len(processes)}.log"
        spec = ProcessSpec(
            name="program",
            command=(*command, code),
            environment=dict(os.environ),
            log_path=log,
            probe=says_ready(log),
            start_deadline_seconds=60,
            stop_deadline_seconds=1,
        )
        processes.append(ManagedProcess(spec, report, lambda: None))
        return processes[-1]

    yield _make
    for process in processes:
        await process.stop()


async def test_it_starts_becomes_healthy_and_stops(make: Make) -> None:
    process = make(READY_THEN_SLEEP)
    assert not process.running
    await process.start()
    await process.wait_healthy()
    assert psutil.pid_exists(process.pid)
    await process.stop()
    await process.stop()
    assert process.returncode == -signal.SIGTERM
    with pytest.raises(StackError, match="program is not running"):
        _ = process.pid


async def test_the_exit_code_is_known_however_soon_it_exits(make: Make) -> None:
    """Even if it is signalled again before its exit was noticed."""
    for _ in range(40):
        process = make("600", command=("/bin/sleep",))
        await process.start()
        child = psutil.Process(process.pid)
        await eventually(lambda child=child: child.name() == "sleep")  # type: ignore[misc]
        process.terminate()
        with suppress(psutil.NoSuchProcess):
            while child.status() != psutil.STATUS_ZOMBIE:  # without a turn of the event loop
                pass
        process.resume()
        assert await process.wait_stopped() == -signal.SIGTERM


async def test_it_cannot_be_started_twice(make: Make) -> None:
    process = make(READY_THEN_SLEEP)
    await process.start()
    with pytest.raises(StackError, match="already running"):
        await process.start()


async def test_an_early_exit_ends_the_wait_and_quotes_the_log(make: Make) -> None:
    process = make("raise SystemExit('no such setting: colour')")
    await process.start()
    with pytest.raises(StackError, match=r"program ended with code 1\.(.|\n)*no such setting: colour"):
        await process.wait_healthy()


async def test_a_process_that_is_never_ready_is_reported_with_the_reason(make: Make) -> None:
    process = make("import time; print('thinking'); time.sleep(600)")
    await process.start()
    await eventually(lambda: b"thinking" in process.log_path.read_bytes())
    with pytest.raises(StackError, match=r"not ready after 0 s: it has not said so(.|\n)*thinking"):
        await process.wait_healthy(0.1)


async def test_a_program_that_does_not_exist_is_named(make: Make) -> None:
    process = make("", command=("/nonexistent/mongod",))
    await process.start()
    with pytest.raises(StackError, match="cannot run /nonexistent/mongod: No such file or directory"):
        await process.wait_healthy()


async def test_a_program_for_another_kind_of_machine_is_explained(make: Make, tmp_path: Path) -> None:
    program = tmp_path / "mongod"
    program.write_bytes(b"\x7fELF\x02\x01\x01" + b"\x00" * 9 + b"\x02\x00\xff\xff" + b"\x00" * 100)
    program.chmod(0o755)
    process = make("", command=(str(program),))
    await process.start()
    with pytest.raises(StackError, match="built for another CPU architecture"):
        await process.wait_healthy()


async def test_one_that_ignores_sigterm_is_killed(make: Make) -> None:
    steps: list[Progress] = []
    process = make(DEAF_TO_SIGTERM, report=steps.append)
    await process.start()
    await process.wait_healthy()
    await process.stop()
    assert process.returncode == -signal.SIGKILL
    assert [(step.process, step.phase) for step in steps] == [("program", Phase.STOPPING)]


async def test_a_frozen_one_is_stopped_gently(make: Make) -> None:
    process = make(READY_THEN_SLEEP)
    await process.start()
    await process.wait_healthy()
    process.pause()
    await eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    await process.stop()
    assert process.returncode == -signal.SIGTERM


async def test_a_frozen_one_goes_on(make: Make) -> None:
    process = make(READY_THEN_SLEEP)
    await process.start()
    process.pause()
    await eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    process.resume()
    await eventually(lambda: psutil.Process(process.pid).status() != psutil.STATUS_STOPPED)


async def test_a_restart_gives_a_new_process_and_adds_to_its_log(make: Make) -> None:
    process = make(READY_THEN_SLEEP)
    await process.start()
    await process.wait_healthy()
    before = process.pid
    await process.restart()
    assert process.pid != before
    assert not psutil.pid_exists(before)
    await eventually(lambda: process.log_path.read_text() == "ready\nready\n")


async def test_ctrl_c_in_the_terminal_does_not_reach_it(make: Make) -> None:
    process = make(READY_THEN_SLEEP)
    await process.start()
    assert os.getsid(process.pid) == process.pid != os.getsid(0)


async def test_a_crashed_process_is_restarted_and_reported_in_one_line(make: Make) -> None:
    steps: list[Progress] = []
    process = make(READY_THEN_SLEEP)
    supervisor = Supervisor(RestartPolicy(first_delay_seconds=0.01), steps.append)
    await process.start()
    supervisor.watch(process)
    for _ in range(2):
        await process.wait_healthy(even_if_down=True)
        steps.clear()
        os.kill(process.pid, signal.SIGKILL)
        await eventually(lambda: [step.phase for step in steps] == [Phase.RESTARTING, Phase.READY])
    assert all("\n" not in step.detail for step in steps)
    assert "was ended by SIGKILL" in steps[0].detail
    await supervisor.stop()


async def test_a_stopped_process_stays_down_until_it_is_started(make: Make) -> None:
    steps: list[Progress] = []
    process = make(READY_THEN_SLEEP)
    supervisor = Supervisor(RestartPolicy(first_delay_seconds=0.01), steps.append)
    await process.start()
    supervisor.watch(process)
    await process.wait_healthy()
    process.kill()
    assert await process.wait_stopped() == -signal.SIGKILL
    await process.start()
    await process.wait_healthy()
    assert steps == []
    # From there on it is supervised again.
    os.kill(process.pid, signal.SIGKILL)
    await eventually(lambda: len(steps) == 2 and process.running)
    await supervisor.stop()


async def test_one_that_keeps_crashing_is_tried_ever_more_slowly(make: Make) -> None:
    steps: list[Progress] = []
    process = make("raise SystemExit(3)")
    supervisor = Supervisor(RestartPolicy(first_delay_seconds=0.01, max_delay_seconds=0.04), steps.append)
    await process.start()
    supervisor.watch(process)
    await eventually(lambda: len([step for step in steps if step.phase is Phase.RESTARTING]) >= 4)
    await supervisor.stop()
    delays = [step.detail.rpartition(" in ")[2] for step in steps if step.phase is Phase.RESTARTING]
    assert delays[:4] == ["0.01 s.", "0.02 s.", "0.04 s.", "0.04 s."]


PARENT = """
import asyncio, os, sys
from pathlib import Path
from deploy.local.process import ManagedProcess, ProcessSpec

async def main():
    async def probe():
        return None
    child = ManagedProcess(
        ProcessSpec("child", (sys.executable, "-c", "import time; time.sleep(600)"), dict(os.environ),
                    Path(sys.argv[1]), probe),
        print, lambda: None)
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
async def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(tmp_path / "child.log")), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    await all_gone([child])
