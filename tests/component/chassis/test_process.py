"""What a process sees to before it serves."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from typing import Final

_FEW: Final = 256
_PROGRAM: Final = """
import os, resource, signal
from contextlib import asynccontextmanager
from chassis.process import run_process
from chassis.settings import ProcessSettings

@asynccontextmanager
async def serve(settings):
    print("limit", resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    yield

run_process("test", ProcessSettings, serve)
"""
_ENVIRONMENT: Final = {
    "PARLEY_AUTH_TARGET": "127.0.0.1:1",
    "PARLEY_SERVICE_NAME": "test",
    "PARLEY_SERVICE_SECRET": "secret",
}


async def test_a_process_may_open_as_many_files_as_the_system_lets_it() -> None:
    """A container begins with few; each connection takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROGRAM,
        env=os.environ | _ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (_FEW, most)),
    )
    said, _ = await process.communicate()

    assert process.returncode == 0
    assert f"limit {most}" in said.decode().splitlines()
