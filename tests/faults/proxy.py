"""A TCP proxy that injects network faults: delay, low bandwidth, silence, and broken connections.

It forwards bytes without interpreting them.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

Address = tuple[str, int]
_MAX_DELAYED_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class LinkCondition:
    """The condition of a connection.

    Attributes:
        delay_seconds: the added delay in each direction.
        bytes_per_second: the bandwidth in each direction; None for no limit.
    """

    delay_seconds: float = 0.0
    bytes_per_second: float | None = None


NORMAL: Final = LinkCondition()


class _Endpoint(asyncio.Protocol):
    """One of the two sockets of a connection; forwards its bytes to the other one, in order."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reading = True
        self._other_is_full = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._connection.register(self)

    def data_received(self, data: bytes) -> None:
        connection = self._connection
        if connection.silent:
            return
        condition = connection.condition
        if condition is NORMAL and not self._held:
            connection.forward(self, data)
            return
        now = asyncio.get_running_loop().time()
        at = max(now + condition.delay_seconds, self._free_at)
        if condition.bytes_per_second:
            at += len(data) / condition.bytes_per_second
        self._free_at = at
        self._held.append((at, data))
        self._held_bytes += len(data)
        self._regulate()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(at, self._release)

    def _release(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._held and (self._held[0][0] <= now or self._connection.condition is NORMAL):
            _, data = self._held.popleft()
            self._held_bytes -= len(data)
            self._connection.forward(self, data)
        self._regulate()
        if self._held:
            self._timer = asyncio.get_running_loop().call_at(self._held[0][0], self._release)

    def flush(self) -> None:
        """Forwards the delayed bytes at once."""
        self._free_at = 0.0
        if self._timer is not None:
            self._timer.cancel()
        self._release()

    def set_other_full(self, other_is_full: bool) -> None:
        """Records whether the other socket's write buffer is full."""
        self._other_is_full = other_is_full
        self._regulate()

    def _regulate(self) -> None:
        """Pauses reading while bytes can be neither forwarded nor buffered, so that the sender feels backpressure."""
        readable = not self._other_is_full and self._held_bytes < _MAX_DELAYED_BYTES
        if self.transport is None or readable == self._reading or self.transport.is_closing():
            return
        self._reading = readable
        if readable:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        self._connection.opposite(self).set_other_full(True)

    def resume_writing(self) -> None:
        self._connection.opposite(self).set_other_full(False)

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._connection.unregister(self)


class _Connection:
    """A connection through the proxy; a silent one stays open and forwards nothing."""

    def __init__(self, link: Link, condition: LinkCondition) -> None:
        self._link = link
        self.condition = condition
        self.silent = False
        self.near = _Endpoint(self)
        self.far = _Endpoint(self)
        self._dialling: asyncio.Task[None] | None = None
        # Bytes from before the upstream connection. Reading can't be postponed: uvloop starts it after connection_made.
        self._early: list[bytes] = []

    def opposite(self, endpoint: _Endpoint) -> _Endpoint:
        return self.far if endpoint is self.near else self.near

    def register(self, endpoint: _Endpoint) -> None:
        if endpoint is self.near:
            self._link.connections.add(self)
            self._dialling = asyncio.get_running_loop().create_task(self._dial())
        else:
            self.forward(self.near, b"".join(self._early))

    async def _dial(self) -> None:
        host, port = self._link.upstream()
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.far, host, port)
        except OSError:
            self.abort()

    def forward(self, endpoint: _Endpoint, data: bytes) -> None:
        transport = self.opposite(endpoint).transport
        if transport is None:
            self._early.append(data)
        elif not transport.is_closing():
            transport.write(data)

    def unregister(self, endpoint: _Endpoint) -> None:
        self._link.connections.discard(self)
        other = self.opposite(endpoint).transport
        if other is not None:
            # Forwards buffered bytes before closing, unless the connection is silent.
            (other.abort if self.silent else other.close)()
        elif self._dialling is not None:
            self._dialling.cancel()

    def clear(self) -> None:
        self.condition = NORMAL
        self.near.flush()
        self.far.flush()

    def abort(self) -> None:
        for endpoint in (self.near, self.far):
            if endpoint.transport is not None:
                endpoint.transport.abort()


class Link:
    """A port of the proxy, and its upstream.

    Args:
        name: for people.
        upstream: returns the upstream's address; called for each connection.
    """

    def __init__(self, name: str, upstream: Callable[[], Address]) -> None:
        self.name = name
        self.upstream = upstream
        self.connections: set[_Connection] = set()
        self.address: Address = ("127.0.0.1", 0)
        self._server: asyncio.Server | None = None
        self._condition = NORMAL
        self._share = 0.0
        self._silences = False
        self._random = random.Random()

    async def open(self) -> None:
        """Starts listening at `address`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, *self.address)
        self.address = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Stops listening, and breaks all connections."""
        if self._server is not None:
            self._server.close()
        self.cut(1.0)

    @property
    def target(self) -> str:
        """The address as host:port."""
        return f"{self.address[0]}:{self.address[1]}"

    def change(self, condition: LinkCondition, share: float, random: random.Random) -> None:
        """Sets the condition of a share of the open and of the new connections."""
        self._condition, self._share, self._random = condition, share, random
        for connection in self._chosen(share):
            connection.condition = condition

    def silence(self, share: float, random: random.Random) -> None:
        """Silences a share of the open connections for good, and a share of the new ones accepted until `clear`."""
        self._silences, self._share, self._random = True, share, random
        for connection in self._chosen(share):
            connection.silent = True

    def cut(self, share: float, random: random.Random | None = None) -> None:
        """Aborts a share of the open connections."""
        self._random = random or self._random
        for connection in self._chosen(share):
            connection.abort()

    def clear(self) -> None:
        """Restores normal conditions, except for silent connections."""
        self._condition, self._share, self._silences = NORMAL, 0.0, False
        for connection in self.connections:
            if connection.condition is not NORMAL:
                connection.clear()

    def _chosen(self, share: float) -> list[_Connection]:
        return [connection for connection in tuple(self.connections) if self._random.random() < share]

    def _accept(self) -> asyncio.Protocol:
        affected = self._random.random() < self._share
        connection = _Connection(self, self._condition if affected else NORMAL)
        connection.silent = affected and self._silences
        return connection.near
