"""A Valkey that tests may empty, stop and start again, and presence as a process that tests may kill."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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
    """Runs a Valkey whose data is in `folder`; yields it and its address."""
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
    """Runs a replica as a process of its own; yields it, serving, and a channel to it. Killed on leaving."""
    ports = PortClaims()
    address = f"127.0.0.1:{ports.claim_any()}"
    told = settings.model_copy(update={"listen": address})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.presence"), env=dict(os.environ) | _environment(told)
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


class Wire:
    """A way to a server that tests may cut and mend."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[int]:
        """Takes connections while the context is open; yields the port."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """Ends all connections, and lets no new one through."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Lets connections through again."""
        self._cut = False

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._writers -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


def _environment(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(mode="json", exclude_none=True) | {
        "service_secret": settings.service_secret.get_secret_value()
    }
    return {f"PARLEY_{name.upper()}": str(value) for name, value in values.items()}
