"""A TCP proxy that tests cut, to simulate an unreachable server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class TcpProxy:
    """Forwards TCP connections to a server."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._is_cut = False
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Aborts all connections, and new ones until `restore`."""
        self._is_cut = True
        for writer in self._open:
            writer.transport.abort()

    def restore(self) -> None:
        """Accepts connections again."""
        self._is_cut = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forwards one connection."""
        if self._is_cut:
            writer.transport.abort()
            return
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        pair = {writer, upstream_writer}
        self._open |= pair
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, upstream_writer))
                group.create_task(_pump(upstream_reader, writer))
        finally:
            self._open -= pair


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def tcp_proxy(host: str, port: int) -> AsyncIterator[tuple[TcpProxy, int]]:
    """Runs a proxy to a server; yields it and its port."""
    proxy = TcpProxy(host, port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    try:
        yield proxy, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()
