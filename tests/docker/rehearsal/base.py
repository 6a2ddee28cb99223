"""A minimal Debian with Python in place of the base image, of the same release, cached as an archive."""

from __future__ import annotations

import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import Final

from tests.docker.plan import ROOT
from tests.docker.rehearsal.errors import RehearsalError
from tests.docker.rehearsal.machine import mirror

PACKAGES: Final = ("ca-certificates", "python3", "python3-venv", "python-is-python3")
"""The Debian packages that correspond to what the base image adds to Debian."""
_CACHE: Final = ROOT / ".venv"
_EXCLUDED: Final = ("./var/cache/apt", "./var/lib/apt/lists", "./proc", "./sys")


def archive(image: str) -> Path:
    """Returns the archive for a base image such as python:3.11-slim-bookworm, creating it if needed."""
    suite = image.partition("@")[0].rpartition("-")[2]
    cached = _CACHE / f"debian-{suite}-{zlib.crc32(' '.join(PACKAGES).encode()):08x}.tar"
    if not cached.exists():
        with tempfile.TemporaryDirectory(prefix="parley-debian-") as folder:
            root = Path(folder) / "root"
            _bootstrap(suite, root)
            temporary = cached.with_suffix(".new")
            excluded = [f"--exclude={path}/*" for path in _EXCLUDED]
            _run(
                "tar", "--create", "--numeric-owner", *excluded, "--file", str(temporary), "--directory", str(root), "."
            )
            temporary.replace(cached)
    return cached


def unpack(base: Path, root: Path) -> None:
    """Unpacks the archive into a new root."""
    root.mkdir(parents=True)
    _run("tar", "--extract", "--numeric-owner", "--file", str(base), "--directory", str(root))


def _bootstrap(suite: str, root: Path) -> None:
    source = mirror(suite)
    _run(
        *("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(root)),
        *([source] if source else []),
    )


def _run(*command: str) -> None:
    process = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed commands
    if process.returncode:
        last = "\n".join((process.stdout + process.stderr).strip().splitlines()[-5:])
        raise RehearsalError(f"{command[0]} failed:\n{last}")
