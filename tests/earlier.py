"""Earlier states of the repository: which commit counts as the release before, and its files in a folder."""

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
    """The history is not here, or doesn't reach back that far."""


def earlier_release() -> str:
    """The commit that an upgrade to this one begins from.

    That of PARLEY_UPGRADE_FROM; else the latest tag before HEAD; else where this branch left origin's main branch; else
    the commit before HEAD. Raises NoHistoryError.
    """
    if chosen := os.environ.get(VARIABLE):
        return _commit(chosen)
    head = _commit("HEAD")
    for arguments in (("describe", "--tags", "--abbrev=0", "HEAD^"), ("merge-base", "HEAD", "origin/main")):
        found = _git(*arguments)
        if found and _commit(found) != head:
            return _commit(found)
    return _commit("HEAD^")


def extract(commit: str, folder: Path, *paths: str) -> None:
    """Writes the files of a commit, or those of some of its paths, into a folder."""
    command = ["git", "-C", str(_ROOT), "archive", "--format=tar", commit, *paths]
    archived = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603  # our own words
    with tarfile.open(fileobj=BytesIO(archived)) as archive:
        archive.extractall(folder, filter="data")


def _commit(name: str) -> str:
    found = _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if not found:
        raise NoHistoryError(f"there is no commit {name} here: no git, or a history that was cut off")
    return found


def _git(*arguments: str) -> str:
    """What git says; nothing where it fails or isn't there."""
    command = ["git", "-C", str(_ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=False, text=True).stdout.strip()  # noqa: S603
    except FileNotFoundError:
        return ""
