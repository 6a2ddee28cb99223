"""A bare Debian in place of the base image: of the same release, with its Python, made once and kept as an archive."""

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
"""What the base image has besides a bare Debian, by Debian's names."""
_KEPT: Final = ROOT / ".venv"
_NOT_KEPT: Final = ("./var/cache/apt", "./var/lib/apt/lists", "./proc", "./sys")


def archive(image: str) -> Path:
    """The archive for a base image such as python:3.11-slim-bookworm; made if it is not there."""
    suite = image.partition("@")[0].rpartition("-")[2]
    kept = _KEPT / f"debian-{suite}-{zlib.crc32(' '.join(PACKAGES).encode()):08x}.tar"
    if not kept.exists():
        with tempfile.TemporaryDirectory(prefix="parley-debian-") as folder:
            root = Path(folder) / "root"
            _bootstrap(suite, root)
            draft = kept.with_suffix(".new")
            excluded = [f"--exclude={path}/*" for path in _NOT_KEPT]
            _run("tar", "--create", "--numeric-owner", *excluded, "--file", str(draft), "--directory", str(root), ".")
            draft.replace(kept)
    return kept


def unpack(base: Path, root: Path) -> None:
    """A new root from the archive."""
    root.mkdir(parents=True)
    _run("tar", "--extract", "--numeric-owner", "--file", str(base), "--directory", str(root))


def _bootstrap(suite: str, root: Path) -> None:
    source = mirror(suite)
    _run(
        *("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(root)),
        *([source] if source else []),
    )


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed commands
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise RehearsalError(f"{command[0]} failed:\n{last}")
