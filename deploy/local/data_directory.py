"""The data directory of a stack, and the lock that keeps a second stack out of it.

Uses the standard library only, so that `make clean-data` works before anything is installed.
"""

import fcntl
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import StackError

_ORPHAN_EXIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The paths in a stack's data directory."""

    root: Path

    @property
    def mongodb(self) -> Path:
        """mongod's data files."""
        return self.root / "mongodb"

    @property
    def valkey(self) -> Path:
        """Valkey's append-only file."""
        return self.root / "valkey"

    @property
    def logs(self) -> Path:
        """One log per process, and that of its previous run."""
        return self.root / "logs"

    @property
    def envoy_config(self) -> Path:
        """Envoy's configuration with this stack's addresses."""
        return self.root / "envoy.yaml"

    @property
    def secrets(self) -> Path:
        """The secrets that `credentials` generated; they survive restarts."""
        return self.root / "secrets.json"

    @property
    def run_file(self) -> Path:
        """The addresses and processes of the running stack; see `run_file`."""
        return self.root / "run.json"

    @property
    def lock_file(self) -> Path:
        """The lock; it also marks a folder as a stack's data directory, which is safe to remove."""
        return self.root / "stack.lock"

    def create(self) -> None:
        """Creates the folders with mode 0700: they hold all messages and keys of the stack."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.mongodb, self.valkey, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)

    def log(self, process: str) -> Path:
        """Returns the path of a process's log."""
        return self.logs / f"{process}.log"

    def rotate_log(self, process: str) -> Path:
        """Keeps the log of the previous run, replacing the one before it, and returns the path for the new log."""
        log = self.log(process)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        return log


class StackLock:
    """An exclusive lock on a data directory, held by a stack and every process that it started.

    Child processes inherit the descriptor, so the lock is held until the last of them exits: a new stack never opens
    the databases' files while old servers shut down. The kernel releases it however the processes end.
    """

    def __init__(self, directory: DataDirectory) -> None:
        self._path = directory.lock_file
        self._root = directory.root
        self.descriptor = -1

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self.descriptor >= 0

    def acquire(self) -> None:
        """Takes the lock. Waits up to 5 s for orphaned processes of an earlier stack.

        Raises:
            StackError: another stack runs in this directory, or orphaned processes do not exit.
        """
        descriptor = self._open_and_lock()
        while not _is_same_file(descriptor, self._path):
            # The directory was removed while we waited, so this lock no longer guards it.
            os.close(descriptor)
            descriptor = self._open_and_lock()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid()}).encode(), 0)
        self.descriptor = descriptor

    def release(self) -> None:
        """Releases the lock. Idempotent."""
        if self.held:
            os.close(self.descriptor)
            self.descriptor = -1

    def _open_and_lock(self) -> int:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + _ORPHAN_EXIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = _owner(descriptor)
                if _is_alive(owner) or time.monotonic() > deadline:
                    raise StackError(self._refusal(owner)) from None
                time.sleep(0.05)
            else:
                return

    def _refusal(self, owner: int) -> str:
        if _is_alive(owner):
            return (
                f"A stack is already running in {self._root} (process {owner}). "
                f"Stop it first, or use another data directory."
            )
        return f"Processes of an earlier stack still use {self._root}. Kill them, or use another data directory."


def remove_data(root: Path) -> bool:
    """Removes a stack's data directory and its content. Returns False if it does not exist.

    Raises:
        StackError: a stack runs in it, or the folder is not a data directory.
    """
    directory = DataDirectory(root)
    if not root.exists():
        return False
    if not directory.lock_file.is_file():
        raise StackError(f"Not removing {root}: it does not look like a stack's data directory.")
    lock = StackLock(directory)
    lock.acquire()
    try:
        shutil.rmtree(root)
    finally:
        lock.release()
    return True


def _is_same_file(descriptor: int, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())


def _owner(descriptor: int) -> int:
    try:
        return int(json.loads(os.pread(descriptor, 200, 0))["pid"])
    except (ValueError, KeyError):
        return 0


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main() -> None:
    """Removes the data directory named on the command line."""
    root = Path(sys.argv[1])
    try:
        removed = remove_data(root)
    except StackError as error:
        sys.exit(str(error))
    sys.stdout.write(f"Removed {root}.\n" if removed else f"{root} does not exist.\n")


if __name__ == "__main__":
    main()
