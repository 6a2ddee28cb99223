"""Earlier states of the repository: the commit of the previous release, and its files."""

from __future__ import annotations

import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Final

VARIABLE: Final = "PARLEY_UPGRADE_FROM"
_ROOT: Final = Path(__file__).resolve().parent.parent


class NoHistoryError(Exception):
    """The repository has no history, or not enough of it."""


def earlier_release() -> str:
    """Returns the commit that upgrade tests start from.

    It is that of PARLEY_UPGRADE_FROM; else the latest tag before HEAD; else the merge base with origin's main branch;
    else the commit before HEAD. Raises NoHistoryError.
    """
    if chosen := os.environ.get(VARIABLE):
        return _commit(chosen)
    head = _commit("HEAD")
    for arguments in (("describe", "--tags", "--abbrev=0", "HEAD^"), ("merge-base", "HEAD", "origin/main")):
        name = _git(*arguments)
        if name and _commit(name) != head:
            return _commit(name)
    return _commit("HEAD^")


def extract(commit: str, folder: Path, *paths: str) -> None:
    """Extracts the files of a commit, or of some of its paths, to a folder."""
    command = ["git", "-C", str(_ROOT), "archive", "--format=tar", commit, *paths]
    archived = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603  # fixed arguments
    with tarfile.open(fileobj=BytesIO(archived)) as archive:
        archive.extractall(folder, filter="data")


def _commit(name: str) -> str:
    commit = _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if not commit:
        raise NoHistoryError(f"there is no commit {name}: git is missing, or the history is shallow")
    return commit


def _git(*arguments: str) -> str:
    """Runs git and returns its output; empty if it fails or is not installed."""
    command = ["git", "-C", str(_ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=False, text=True).stdout.strip()  # noqa: S603
    except FileNotFoundError:
        return ""
