"""The TypeScript client in Node.js against the whole stack: the scenarios are in client_scenarios.mjs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from deploy.local.seed import PASSWORD
from deploy.local.stack import LocalStack

pytestmark = pytest.mark.chromium

WEB = Path(__file__).parents[2] / "web"
SCENARIOS = Path(__file__).with_name("client_scenarios.mjs")


async def run(*command: str, **environment: str) -> tuple[int | None, str]:
    """Runs a command in web/; returns its exit status and its output."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=WEB,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_the_client_keeps_its_promises(stack: LocalStack, tmp_path: Path) -> None:
    status, output = await run("node_modules/.bin/tsc", "-p", "client", "--outDir", str(tmp_path / "client"))
    assert status == 0, output
    (tmp_path / "package.json").write_text('{"type": "module"}')
    status, output = await run(
        "node",
        "--experimental-websocket",
        "--test",
        str(SCENARIOS),
        PARLEY_CLIENT=str(tmp_path / "client" / "index.js"),
        PARLEY_URL=stack.url,
        PARLEY_PASSWORD=PASSWORD,
    )
    assert status == 0, output
    assert "# pass 6" in output, output
