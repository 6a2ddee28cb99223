"""The built files that the gateway serves match their sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.test_client import run

pytestmark = pytest.mark.chromium

BUILT = Path(__file__).parents[2] / "gateway" / "web"


def files_of(folder: Path) -> dict[str, bytes]:
    """Returns the files of a folder by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_the_built_files_match_their_sources(tmp_path: Path) -> None:
    status, output = await run("node_modules/.bin/tsc", "--noEmit", "-p", ".")
    assert status == 0, output
    status, output = await run("node_modules/.bin/vite", "build", PARLEY_WEB_OUT=str(tmp_path))
    assert status == 0, output
    assert files_of(tmp_path) == files_of(BUILT), "run `make web`, and commit gateway/web"
