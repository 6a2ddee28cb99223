"""Runs a Valkey that tests may empty and restart, and presence as a process that tests may kill."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from chassis.rpc.channel import open_channel
from deploy.local.binaries import VALKEY, find_server
from deploy.local.host import Host
from deploy.local.ports import PortClaims
from deploy.local.process import ManagedProcess, ProcessSpec
from deploy.local.progress import silent
from deploy.local.valkey import valkey_command, valkey_reachable, valkey_url
from services.presence.settings import Settings

READY_SECONDS = 60.0


@asynccontextmanager
async def running_valkey(folder: Path) -> AsyncIterator[tuple[ManagedProcess, str]]:
    """Runs a Valkey with its data in `folder`; yields its process and URL."""
    ports = PortClaims()
    port = ports.claim_any()
    spec = ProcessSpec(
        name="valkey",
        command=valkey_command(find_server(VALKEY, Host.current()), folder, port),
        environment=dict(os.environ),
        log_path=folder / "valkey.log",
        probe=valkey_reachable(valkey_url(port)),
    )
    process = ManagedProcess(spec, silent, lambda: None)
    try:
        await process.start()
        await process.wait_healthy()
        yield process, valkey_url(port)
    finally:
        await process.stop()
        ports.release()


@asynccontextmanager
async def presence_process(settings: Settings) -> AsyncIterator[tuple[asyncio.subprocess.Process, grpc.aio.Channel]]:
    """Runs a replica in its own process; yields the process, once it serves, and a channel. Kills it on leaving."""
    ports = PortClaims()
    address = f"127.0.0.1:{ports.claim_any()}"
    presences_of = settings.model_copy(update={"listen": address})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.presence"), env=dict(os.environ) | _environment(presences_of)
    )
    try:
        async with open_channel(address) as channel:
            async with asyncio.timeout(READY_SECONDS):
                await channel.channel_ready()
            yield process, channel
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        ports.release()


def _environment(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(mode="json", exclude_none=True) | {
        "service_secret": settings.service_secret.get_secret_value()
    }
    return {f"PARLEY_{name.upper()}": str(value) for name, value in values.items()}
