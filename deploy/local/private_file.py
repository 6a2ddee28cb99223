"""Writes files that hold secrets or are read concurrently."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Writes a file atomically with mode 0600."""
    temporary = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
