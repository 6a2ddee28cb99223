"""Removes old backups: keeps the latest complete ones, and removes what interrupted ones left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from backup import manifest
from backup.errors import BackupError

NIGHTLY: Final = "backup-[0-9]*"
"""The names of the folders that are pruned by default: those of the nightly jobs."""


class Pruned(NamedTuple):
    """The names of the folders that were removed, and those of damaged backups, which were not."""

    old: list[str]
    unfinished: list[str]
    damaged: list[str]


def prune(root: Path, keep: int, pattern: str = NIGHTLY, current: str = "") -> Pruned:
    """Removes the complete backups beyond the latest `keep`, and all unfinished ones but `current`.

    Only complete backups count, so nights that failed displace none. A folder that another backup is writing to stays.

    Args:
        root: the folder of the backups.
        keep: the number of complete backups to keep; at least 1.
        pattern: the names of the folders to consider.
        current: the name of the folder of the backup that is about to be taken or resumed.

    Raises:
        BackupError: the folder cannot be read, or a backup cannot be removed.
    """
    pruned = Pruned([], [], [])
    complete: list[tuple[float, Path]] = []
    try:
        for folder in sorted(path for path in root.glob(pattern) if path.is_dir() and not path.is_symlink()):
            if not (folder / manifest.MANIFEST).exists():
                if folder.name != current and _remove(folder):
                    pruned.unfinished.append(folder.name)
                continue
            try:
                complete.append((manifest.read(folder / manifest.MANIFEST).time.timestamp(), folder))
            except BackupError:
                pruned.damaged.append(folder.name)
        complete.sort()
        for _, folder in complete[:-keep]:
            if _remove(folder):
                pruned.old.append(folder.name)
    except OSError as error:
        raise BackupError(f"Cannot prune {root}: {error.strerror}.") from error
    return pruned


def _remove(folder: Path) -> bool:
    """Removes a folder unless a backup is writing to it; its manifest first, so that no part of it passes for whole."""
    with _locked(folder) as is_free:
        if is_free:
            (folder / manifest.MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(folder)
        return is_free


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)
