"""What a process sees to before it serves."""

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
    """Runs a process that begins with a line of Python, and ends; gives its status and the lines that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROGRAM.format(begin=begin),
        env=os.environ | _ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        **options,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode().splitlines()


async def test_a_process_may_open_as_many_files_as_the_system_lets_it() -> None:
    """A container begins with few; each connection takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)

    status, said = await run(_LIMIT, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (_FEW, most)))

    assert status == 0
    assert f"limit {most}" in said


@pytest.mark.parametrize(("store", "begin"), [("mongodb", _MONGODB), ("redis", _REDIS)])
async def test_a_process_without_its_store_says_so_in_a_line(store: str, begin: str) -> None:
    status, said = await run(begin)

    assert status == 1
    (line,) = said
    told = json.loads(line)
    assert (told["event"], told["store"]) == ("process_failed", store)
    assert "127.0.0.1:1" in told["reason"]
    assert "Topology" not in line
    assert "hush" not in line
    assert "exception" not in told


async def test_a_process_that_fails_by_a_fault_says_where() -> None:
    status, said = await run("dict()['colour']")

    assert status == 1
    assert "KeyError: 'colour'" in json.loads(said[-1])["exception"]
