"""`python -m tests.docker.rehearsal`: executes the Dockerfile, runs the stack with the result, and prints its checks.

It starts itself twice: in a new mount and process namespace to build, and from there in a new network namespace to run.
When its outermost process exits, the kernel removes everything that it started and mounted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.docker.dockerfile import stages
from tests.docker.plan import plan
from tests.docker.rehearsal import base, checks, machine
from tests.docker.rehearsal.building import Build
from tests.docker.rehearsal.containers import Engine, process_names, raise_loopback
from tests.docker.rehearsal.errors import RehearsalError
from tests.docker.rehearsal.servers import running, until

_BUILD_NAMESPACES: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_RUN_NAMESPACES: Final = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_LOG_LINES: Final = 15


def _print(line: str) -> None:
    print(f"  {line[:150]}", flush=True)  # noqa: T201  # a program's progress


def _rerun(namespaces: tuple[str, ...], step: str, folder: str) -> int:
    command = [*namespaces, sys.executable, "-m", "tests.docker.rehearsal", step, folder]
    return subprocess.run(command, check=False).returncode  # noqa: S603  # this program


def _rehearse() -> int:
    machine.prepare()
    started_at = time.monotonic()
    base.archive(stages(plan().dockerfile)[0].base)
    _print(f"Debian in place of the base image: {time.monotonic() - started_at:.0f} s")
    with tempfile.TemporaryDirectory(prefix="parley-image-") as folder:
        return _rerun(_BUILD_NAMESPACES, "build", folder)


def _build(folder: Path) -> int:
    build_stages = stages(plan().dockerfile)
    build = Build(folder, base.archive(build_stages[0].base), plan().ignore, machine.build_variables(), _print)
    for stage in build_stages:
        _print(f"FROM {stage.base}" + (f" AS {stage.name}" if stage.name else ""))
        build.build(stage)
    return _rerun(_RUN_NAMESPACES, "run", str(folder))


def _run(folder: Path) -> int:
    raise_loopback()
    scratch = folder / "run"
    scratch.mkdir()
    engine = Engine(folder / "image", plan().image, plan())
    engine.prepare(scratch)
    _print(f"ok: {checks.contains_no_build_tools(engine)}")
    _print(f"ok: {checks.root_is_read_only(engine)}")
    _print(f"ok: {checks.generates_keys(engine)}")
    try:
        with running(plan(), scratch):
            _watch(engine, scratch)
    except RehearsalError:
        for log in sorted(scratch.glob("*.log")):
            sys.stderr.write(f"--- {log.name}\n" + "".join(log.read_text().splitlines(keepends=True)[-_LOG_LINES:]))
        raise
    return 0


def _watch(engine: Engine, scratch: Path) -> None:
    _print(f"ok: {checks.is_unhealthy_before_start(engine, plan())}")
    with ExitStack() as files:
        logs = {name: files.enter_context((scratch / f"{name}.log").open("wb")) for name in process_names(plan())}
        processes = {name: engine.start(name, log) for name, log in logs.items()}
        _print(f"ok: {checks.becomes_healthy(engine, processes, until)}")
        _print(f"ok: {checks.is_confined(plan(), processes)}")
        _print(f"ok: {checks.users_chat(engine)}")
        _print(f"ok: {checks.migrates_and_backs_up(engine)}")
        _print(f"ok: {checks.stops_in_time(plan(), processes)}")


def main(arguments: list[str]) -> int:
    """Runs a step; returns the exit status."""
    try:
        match arguments:
            case ["build", folder]:
                return _build(Path(folder))
            case ["run", folder]:
                return _run(Path(folder))
            case _:
                return _rehearse()
    except RehearsalError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
