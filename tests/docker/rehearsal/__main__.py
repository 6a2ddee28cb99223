"""`python -m tests.docker.rehearsal`: builds the image by hand, runs the stack with it, and says what was seen.

It calls itself twice: in a mount and process namespace of its own to build, and from there in a network namespace of
its own to run. When the outermost of its processes ends, all that it started and mounted is gone.
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
from tests.docker.rehearsal.containers import Host, ours, raise_loopback
from tests.docker.rehearsal.errors import RehearsalError
from tests.docker.rehearsal.surroundings import running, until

_APART: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_ALONE: Final = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_LINES: Final = 15


def _say(sentence: str) -> None:
    print(f"  {sentence[:150]}", flush=True)  # noqa: T201  # a program's progress


def _again(namespaces: tuple[str, ...], step: str, folder: str) -> int:
    command = [*namespaces, sys.executable, "-m", "tests.docker.rehearsal", step, folder]
    return subprocess.run(command, check=False).returncode  # noqa: S603  # ourselves


def _rehearse() -> int:
    machine.prepare()
    began = time.monotonic()
    base.archive(stages(plan().dockerfile)[0].base)
    _say(f"a bare Debian in place of the base image: {time.monotonic() - began:.0f} s")
    with tempfile.TemporaryDirectory(prefix="parley-image-") as folder:
        return _again(_APART, "build", folder)


def _build(folder: Path) -> int:
    made = stages(plan().dockerfile)
    build = Build(folder, base.archive(made[0].base), plan().ignore, machine.build_variables(), _say)
    for stage in made:
        _say(f"FROM {stage.base}" + (f" AS {stage.name}" if stage.name else ""))
        build.make(stage)
    return _again(_ALONE, "run", str(folder))


def _run(folder: Path) -> int:
    raise_loopback()
    scratch = folder / "run"
    scratch.mkdir()
    host = Host(folder / "image", plan().image, plan())
    host.prepare(scratch)
    _say(f"seen: {checks.nothing_builds(host)}")
    _say(f"seen: {checks.nobody_writes(host)}")
    _say(f"seen: {checks.keys_can_be_made(host)}")
    try:
        with running(plan(), scratch):
            _watch(host, scratch)
    except RehearsalError:
        for log in sorted(scratch.glob("*.log")):
            sys.stderr.write(f"--- {log.name}\n" + "".join(log.read_text().splitlines(keepends=True)[-_LINES:]))
        raise
    return 0


def _watch(host: Host, scratch: Path) -> None:
    _say(f"seen: {checks.nobody_is_well_before(host, plan())}")
    with ExitStack() as files:
        logs = {name: files.enter_context((scratch / f"{name}.log").open("wb")) for name in ours(plan())}
        processes = {name: host.start(name, log) for name, log in logs.items()}
        _say(f"seen: {checks.wait_until_well(host, processes, until)}")
        _say(f"seen: {checks.is_confined(plan(), processes)}")
        _say(f"seen: {checks.people_talk(host)}")
        _say(f"seen: {checks.databases_are_kept(host)}")
        _say(f"seen: {checks.all_end(plan(), processes)}")


def main(arguments: list[str]) -> int:
    """Carries out a step; returns the exit status."""
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
