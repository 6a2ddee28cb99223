"""The run file of a running stack: its addresses and processes, for the command line.

Only the lock says whether the stack still runs: the file of a killed stack remains.
"""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.local.data_directory import DataDirectory
from deploy.local.errors import StackError
from deploy.local.private_file import write_private
from deploy.local.process import ManagedProcess


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A process of a running stack; `pid` is 0 while it is down."""

    pid: int
    ports: dict[str, int]
    log: str


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A running stack. Holds no secrets; those are in the data directory's `secrets.json`."""

    url: str
    grpc_target: str
    pid: int
    started: str
    """Start time in RFC 3339."""
    processes: dict[str, RunningProcess] = field(default_factory=dict)


def write_run_file(directory: DataDirectory, url: str, started: str, processes: Iterable[ManagedProcess]) -> None:
    """Writes the run file, replacing the previous one."""
    stack = RunningStack(
        url,
        url.removeprefix("http://"),
        os.getpid(),
        started,
        {
            process.name: RunningProcess(
                process.pid if process.running else 0, dict(process.spec.ports), str(process.log_path)
            )
            for process in processes
        },
    )
    write_private(directory.run_file, json.dumps(asdict(stack), indent=2))


def read_run_file(root: Path) -> RunningStack | None:
    """Returns the stack that runs in a data directory, or None.

    Raises:
        StackError: the run file is damaged.
    """
    directory = DataDirectory(root)
    if not _is_locked(directory.lock_file) or not directory.run_file.exists():
        return None
    try:
        document = json.loads(directory.run_file.read_text())
        processes = {name: RunningProcess(**process) for name, process in document.pop("processes").items()}
        return RunningStack(**document, processes=processes)
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(f"{directory.run_file} is damaged. Stop the stack and start it again.") from error


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
