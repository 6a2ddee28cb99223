"""The lock of a data directory, and its safe removal."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.data_directory import DataDirectory, StackLock, remove_data
from deploy.local.errors import StackError

HOLD = """
import sys, time
from pathlib import Path
from deploy.local.data_directory import DataDirectory, StackLock
lock = StackLock(DataDirectory(Path(sys.argv[1])))
lock.acquire()
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    """An existing data directory."""
    directory = DataDirectory(tmp_path / "data")
    directory.create()
    return directory


def test_others_may_not_look_into_it(directory: DataDirectory) -> None:
    assert stat.S_IMODE(directory.root.stat().st_mode) == 0o700


def test_a_second_stack_names_the_running_one(directory: DataDirectory) -> None:
    lock = StackLock(directory)
    lock.acquire()
    with pytest.raises(StackError, match=rf"already running in {directory.root} \(process {os.getpid()}\)"):
        StackLock(directory).acquire()
    lock.release()
    lock.release()
    second = StackLock(directory)
    second.acquire()
    second.release()


def test_a_stack_that_was_killed_does_not_block_the_next(directory: DataDirectory) -> None:
    with subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", HOLD, str(directory.root)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StackError, match=f"process {holder.pid}"):
            StackLock(directory).acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert directory.lock_file.exists()
    lock = StackLock(directory)
    lock.acquire()
    lock.release()


def test_the_data_of_a_running_stack_is_not_removed(directory: DataDirectory) -> None:
    lock = StackLock(directory)
    lock.acquire()
    with pytest.raises(StackError, match="already running"):
        remove_data(directory.root)
    assert directory.mongodb.is_dir()
    lock.release()
    assert remove_data(directory.root)
    assert not directory.root.exists()


def test_removing_what_is_not_there_says_so(tmp_path: Path) -> None:
    assert not remove_data(tmp_path / "data")


def test_a_folder_that_is_no_stacks_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("all my work")
    with pytest.raises(StackError, match="does not look like a stack's"):
        remove_data(tmp_path)
    assert precious.read_text() == "all my work"


def test_a_lock_is_taken_again_if_the_directory_was_removed(directory: DataDirectory) -> None:
    lock = StackLock(directory)
    lock.acquire()
    directory.lock_file.unlink()
    newcomer = StackLock(directory)
    newcomer.acquire()
    assert os.path.samestat(os.fstat(newcomer.descriptor), directory.lock_file.stat())
    newcomer.release()
    lock.release()


def test_the_log_of_the_last_run_is_kept_and_no_more(directory: DataDirectory) -> None:
    for run in ("first", "second", "third"):
        directory.rotate_log("chat-1").write_text(run)
    kept = {log.name: log.read_text() for log in directory.logs.iterdir()}
    assert kept == {"chat-1.log": "third", "chat-1.previous.log": "second"}
