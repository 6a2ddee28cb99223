"""A TCP proxy that can be told to misbehave: delay, starve, fall silent, cut.

It stands between two parties that are none the wiser, and passes bytes without looking at them.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

Address = tuple[str, int]
_MOST_HELD_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Weather:
    """How a connection fares.

    Attributes:
        delay_seconds: how much later everything arrives, each way.
        bytes_per_second: how fast bytes are taken from either side; None for as fast as they come.
    """

    delay_seconds: float = 0.0
    bytes_per_second: float | None = None


CLEAR: Final = Weather()


class _Leg(asyncio.Protocol):
    """One of the two sockets of a connection: what comes in goes out at the other, in order."""

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
        self._connection.made(self)

    def data_received(self, data: bytes) -> None:
        connection = self._connection
        if connection.silent:
            return
        weather = connection.weather
        if weather is CLEAR and not self._held:
            connection.pass_on(self, data)
            return
        now = asyncio.get_running_loop().time()
        at = max(now + weather.delay_seconds, self._free_at)
        if weather.bytes_per_second:
            at += len(data) / weather.bytes_per_second
        self._free_at = at
        self._held.append((at, data))
        self._held_bytes += len(data)
        self._regulate()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(at, self._release)

    def _release(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._held and (self._held[0][0] <= now or self._connection.weather is CLEAR):
            _, data = self._held.popleft()
            self._held_bytes -= len(data)
            self._connection.pass_on(self, data)
        self._regulate()
        if self._held:
            self._timer = asyncio.get_running_loop().call_at(self._held[0][0], self._release)

    def hurry(self) -> None:
        """Passes on what is held back: the weather has cleared."""
        self._free_at = 0.0
        if self._timer is not None:
            self._timer.cancel()
        self._release()

    def full(self, other_is_full: bool) -> None:
        """Says whether the other side takes nothing more for now."""
        self._other_is_full = other_is_full
        self._regulate()

    def _regulate(self) -> None:
        """Reads only while what was read can be passed on or held, so that the sender feels a slow receiver."""
        wanted = not self._other_is_full and self._held_bytes < _MOST_HELD_BYTES
        if self.transport is None or wanted == self._reading or self.transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        self._connection.opposite(self).full(True)

    def resume_writing(self) -> None:
        self._connection.opposite(self).full(False)

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._connection.lost(self)


class _Connection:
    """A connection through the proxy; `silent` ones pass nothing any more and stay open."""

    def __init__(self, link: Link, weather: Weather) -> None:
        self._link = link
        self.weather = weather
        self.silent = False
        self.near = _Leg(self)
        self.far = _Leg(self)
        self._dialling: asyncio.Task[None] | None = None
        # What came before the other side was there. Reading cannot be put off: uvloop begins it after connection_made.
        self._early: list[bytes] = []

    def opposite(self, leg: _Leg) -> _Leg:
        return self.far if leg is self.near else self.near

    def made(self, leg: _Leg) -> None:
        if leg is self.near:
            self._link.connections.add(self)
            self._dialling = asyncio.get_running_loop().create_task(self._dial())
        else:
            self.pass_on(self.near, b"".join(self._early))

    async def _dial(self) -> None:
        host, port = self._link.upstream()
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.far, host, port)
        except OSError:
            self.abort()

    def pass_on(self, leg: _Leg, data: bytes) -> None:
        transport = self.opposite(leg).transport
        if transport is None:
            self._early.append(data)
        elif not transport.is_closing():
            transport.write(data)

    def lost(self, leg: _Leg) -> None:
        self._link.connections.discard(self)
        other = self.opposite(leg).transport
        if other is not None:
            # What is on its way still arrives, unless nothing does any more.
            (other.abort if self.silent else other.close)()
        elif self._dialling is not None:
            self._dialling.cancel()

    def clear(self) -> None:
        self.weather = CLEAR
        self.near.hurry()
        self.far.hurry()

    def abort(self) -> None:
        for leg in (self.near, self.far):
            if leg.transport is not None:
                leg.transport.abort()


class Link:
    """A port of the proxy, and what is behind it.

    Args:
        name: for people.
        upstream: where connections lead; asked anew for each.
    """

    def __init__(self, name: str, upstream: Callable[[], Address]) -> None:
        self.name = name
        self.upstream = upstream
        self.connections: set[_Connection] = set()
        self.address: Address = ("127.0.0.1", 0)
        self._server: asyncio.Server | None = None
        self._weather = CLEAR
        self._share = 0.0
        self._silences = False
        self._random = random.Random()

    async def open(self) -> None:
        """Begins to listen, at `address`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, *self.address)
        self.address = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Ends everything."""
        if self._server is not None:
            self._server.close()
        self.cut(1.0)

    @property
    def target(self) -> str:
        """Where it listens, as host:port."""
        return f"{self.address[0]}:{self.address[1]}"

    def change(self, weather: Weather, share: float, random: random.Random) -> None:
        """From now on a share of the connections fares like this, of the open ones and of the new ones."""
        self._weather, self._share, self._random = weather, share, random
        for connection in self._chosen(share):
            connection.weather = weather

    def silence(self, share: float, random: random.Random) -> None:
        """A share of the connections falls silent for good, and a share of the new ones until `clear`."""
        self._silences, self._share, self._random = True, share, random
        for connection in self._chosen(share):
            connection.silent = True

    def cut(self, share: float, random: random.Random | None = None) -> None:
        """Ends a share of the open connections at once."""
        self._random = random or self._random
        for connection in self._chosen(share):
            connection.abort()

    def clear(self) -> None:
        """All is well again, but for what fell silent."""
        self._weather, self._share, self._silences = CLEAR, 0.0, False
        for connection in self.connections:
            if connection.weather is not CLEAR:
                connection.clear()

    def _chosen(self, share: float) -> list[_Connection]:
        return [connection for connection in tuple(self.connections) if self._random.random() < share]

    def _accept(self) -> asyncio.Protocol:
        affected = self._random.random() < self._share
        connection = _Connection(self, self._weather if affected else CLEAR)
        connection.silent = affected and self._silences
        return connection.near
