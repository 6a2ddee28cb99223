"""A way to a server that can be cut and mended, as networks and servers are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Severable:
    """A TCP forwarder."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._severed = False
        self._open: set[asyncio.StreamWriter] = set()

    def sever(self) -> None:
        """Cuts all connections, and every new one until `mend`."""
        self._severed = True
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        """Lets connections through again."""
        self._severed = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection."""
        if self._severed:
            writer.transport.abort()
            return
        onward_reader, onward_writer = await asyncio.open_connection(*self._target)
        pair = {writer, onward_writer}
        self._open |= pair
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, onward_writer))
                group.create_task(_pump(onward_reader, writer))
        finally:
            self._open -= pair


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def severable(host: str, port: int) -> AsyncIterator[tuple[Severable, int]]:
    """A forwarder to a server, and its port."""
    forwarder = Severable(host, port)
    server = await asyncio.start_server(forwarder.accept, "127.0.0.1", 0)
    try:
        yield forwarder, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        forwarder.sever()
        await server.wait_closed()
