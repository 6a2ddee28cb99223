"""A process's start: limits, and errors of its stores."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from typing import Any, Final

import pytest

_FEW: Final = 256
_PROGRAM: Final = """
import os, resource, signal
from contextlib import asynccontextmanager
from pymongo import AsyncMongoClient
from redis.asyncio import Redis
from chassis.process.process import run_process
from chassis.process.settings import ProcessSettings

@asynccontextmanager
async def serve(settings):
    {begin}
    os.kill(os.getpid(), signal.SIGTERM)
    yield

run_process("test", ProcessSettings, serve)
"""
_LIMIT: Final = 'print("limit", resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)'
_MONGODB: Final = (
    'await AsyncMongoClient("mongodb://us:hush@127.0.0.1:1/?serverSelectionTimeoutMS=50").admin.command("ping")'
)
_REDIS: Final = 'await Redis.from_url("redis://:hush@127.0.0.1:1/0").ping()'
_ENVIRONMENT: Final = {
    "PARLEY_AUTH_TARGET": "127.0.0.1:1",
    "PARLEY_SERVICE_NAME": "test",
    "PARLEY_SERVICE_SECRET": "secret",
}


async def run(begin: str, **options: Any) -> tuple[int, list[str]]:
    """Runs a process that executes a line of Python and stops; returns its status and output lines."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROGRAM.format(begin=begin),
        env=os.environ | _ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        **options,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode().splitlines()


async def test_a_process_raises_its_limit_on_open_files() -> None:
    """Containers start with a low limit, and each connection takes a file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)

    status, lines = await run(_LIMIT, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (_FEW, most)))

    assert status == 0
    assert f"limit {most}" in lines


@pytest.mark.parametrize(("store", "begin"), [("mongodb", _MONGODB), ("redis", _REDIS)])
async def test_a_process_without_its_store_logs_one_line(store: str, begin: str) -> None:
    status, lines = await run(begin)

    assert status == 1
    (line,) = lines
    entry = json.loads(line)
    assert (entry["event"], entry["store"]) == ("process_failed", store)
    assert "127.0.0.1:1" in entry["reason"]
    assert "Topology" not in line
    assert "hush" not in line
    assert "exception" not in entry


async def test_a_process_that_fails_by_a_bug_logs_the_traceback() -> None:
    status, lines = await run("dict()['colour']")

    assert status == 1
    assert "KeyError: 'colour'" in json.loads(lines[-1])["exception"]
