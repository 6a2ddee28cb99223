"""Finds the stack that a command works on: the one in the data directory, or the one at a URL."""

from __future__ import annotations

from pathlib import Path

from deploy.local.credentials import Credentials, load
from deploy.local.data_directory import DataDirectory
from deploy.local.errors import StackError
from deploy.local.run_file import RunningStack, read_run_file

NOT_RUNNING = "No stack is running here. Start one with `make run`, or name one with --url."


class CommandError(Exception):
    """A command failed; the text is printed as its error."""


def running_stack(data_dir: Path) -> RunningStack:
    """Returns the stack that runs in a data directory. Raises CommandError if none does."""
    try:
        stack = read_run_file(data_dir)
    except StackError as error:
        raise CommandError(str(error)) from error
    if stack is None:
        raise CommandError(NOT_RUNNING)
    return stack


def public_url(data_dir: Path, url: str | None) -> str:
    """Returns `url`, or the running stack's public address if it is None."""
    return url.rstrip("/") if url else running_stack(data_dir).url


def credentials(data_dir: Path) -> Credentials:
    """Returns the secrets of the stack in a data directory. Raises CommandError if there are none."""
    try:
        return load(DataDirectory(data_dir).secrets)
    except (StackError, OSError) as error:
        raise CommandError(f"No credentials in {data_dir}: {error}") from error
