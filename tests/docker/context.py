"""The files that .dockerignore sends to a build, evaluated as the engine does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def sent(root: Path, ignore: str) -> Iterator[Path]:
    """Yields the files in a folder that are not ignored, as relative paths."""
    patterns = _patterns(ignore)
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if _may_hold_some((Path(folder) / name).relative_to(root), ignore)]
        for name in names:
            path = (Path(folder) / name).relative_to(root)
            if not _ignored(path, patterns):
                yield path


def is_sent(path: str, ignore: str) -> bool:
    """Whether a file is sent to the build."""
    return not _ignored(Path(path), _patterns(ignore))


def _patterns(ignore: str) -> list[tuple[re.Pattern[str], bool]]:
    lines = [line.strip() for line in ignore.splitlines()]
    return [(_expression(line.removeprefix("!")), line.startswith("!")) for line in lines if line and line[0] != "#"]


def _may_hold_some(folder: Path, ignore: str) -> bool:
    """Whether a folder may contain files to send: it is not ignored, or an exception names a path in it."""
    exceptions = [line.strip().removeprefix("!") for line in ignore.splitlines() if line.startswith("!")]
    below = any("*" in line or line.startswith(f"{folder.as_posix()}/") for line in exceptions)
    return below or not _ignored(folder, _patterns(ignore))


def _ignored(path: Path, patterns: list[tuple[re.Pattern[str], bool]]) -> bool:
    """Whether the last pattern that matches the file, or one of its folders, ignores it."""
    candidates = [path.as_posix(), *(parent.as_posix() for parent in path.parents if parent.name)]
    ignored = False
    for expression, exception in patterns:
        if any(expression.fullmatch(candidate) for candidate in candidates):
            ignored = not exception
    return ignored


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meanings.get(part, re.escape(part)) for part in parts))
