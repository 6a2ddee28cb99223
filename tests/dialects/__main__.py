"""The command line: `python -m tests.dialects`, with further arguments of `node --test`."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import uvloop

from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from tests.dialects.control import controlling
from tests.e2e.conftest import REPLICAS

HERE: Final = Path(__file__).parent
_OLDEST_NODE: Final = 20


class NodeMissingError(Exception):
    """Node.js or npm is missing, or too old."""


def main() -> None:
    """Runs the tests, and exits with their exit code."""
    try:
        sys.exit(uvloop.run(_run(sys.argv[1:])))
    except NodeMissingError as error:
        sys.exit(str(error))


async def _run(arguments: list[str]) -> int:
    await _install()
    options = StackOptions(settings={"chat": {"PARLEY_MESSAGES_PER_SECOND": "1000"}}, log_level="warning")
    with tempfile.TemporaryDirectory(prefix="parley-dialects-") as directory:
        stack = LocalStack(Path(directory), replicas=REPLICAS, options=options)
        async with stack, controlling(stack) as control:
            node = await asyncio.create_subprocess_exec(
                *("node", "--test", "--test-concurrency=1", "--test-reporter=spec", *_named(arguments)),
                cwd=HERE,
                env={**os.environ, "PARLEY_URL": stack.url, "PARLEY_CONTROL": control},
            )
            return await node.wait()


def _named(arguments: list[str]) -> list[str]:
    """Returns Node's own options, then the named files, or all of them."""
    files = [name for name in arguments if name.endswith(".js")]
    return [name for name in arguments if name not in files] + (files or sorted(p.name for p in HERE.glob("*.test.js")))


async def _install() -> None:
    """Installs the packages of the lock file, once for each version of it."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise NodeMissingError(f"The tests of the dialects need Node.js {_OLDEST_NODE} or newer, and npm, on the PATH.")
    asked = await asyncio.create_subprocess_exec(node, "--version", stdout=asyncio.subprocess.PIPE)
    version = (await asked.communicate())[0].decode().strip().removeprefix("v")
    if int(version.partition(".")[0]) < _OLDEST_NODE:
        raise NodeMissingError(f"The tests of the dialects need Node.js {_OLDEST_NODE} or newer; this is {version}.")
    stamp = HERE / "node_modules" / ".installed"
    locked = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == locked:
        return
    installing = await asyncio.create_subprocess_exec(
        *(npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"), cwd=HERE
    )
    if await installing.wait():
        raise NodeMissingError("npm ci failed.")
    stamp.write_text(locked)


if __name__ == "__main__":
    main()
