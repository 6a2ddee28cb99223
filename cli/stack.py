"""Finding the stack that a command is about: the one that runs in the data directory, or the one at an address."""

from __future__ import annotations

from pathlib import Path

from deploy.local.credentials import Credentials, load
from deploy.local.data_directory import DataDirectory
from deploy.local.errors import StackError
from deploy.local.run_file import RunningStack, read_run_file

NOT_RUNNING = "No stack runs here. Start one with `make run`, or name one with --url."


class CommandError(Exception):
    """What keeps a command from doing its work, as a sentence for whoever called it."""


def running_stack(data_dir: Path) -> RunningStack:
    """The stack that runs in a data directory. Raises CommandError when none does."""
    try:
        stack = read_run_file(data_dir)
    except StackError as error:
        raise CommandError(str(error)) from error
    if stack is None:
        raise CommandError(NOT_RUNNING)
    return stack


def public_url(data_dir: Path, url: str | None) -> str:
    """The public address to use: the one given, or that of the running stack."""
    return url.rstrip("/") if url else running_stack(data_dir).url


def credentials(data_dir: Path) -> Credentials:
    """The secrets of the stack in a data directory. Raises CommandError when there are none."""
    try:
        return load(DataDirectory(data_dir).secrets)
    except (StackError, OSError) as error:
        raise CommandError(f"There are no credentials in {data_dir}: {error}") from error
