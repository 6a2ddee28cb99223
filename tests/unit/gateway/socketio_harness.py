"""Socket.IO as the gateway serves it, with nothing behind it: clients by polling and on WebSockets, in this process.

The WebSocket below Socket.IO is not there: what would be written to it is kept, and what came in is told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final, cast

import httpx
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from chassis.errors import AppError, UnauthenticatedError
from chassis.identity import Identity
from gateway.connections.hub import Connection
from gateway.dialects.base import Dialect
from gateway.metrics import HotPathCounters
from gateway.sessions.session import Session, SessionLimits
from gateway.transports.socketio.connection import PATH, SocketIo
from gateway.transports.socketio.engine import SEPARATOR, EngineWebSocket
from gateway.transports.websocket.framing import text_frame
from gateway.transports.websocket.handshake import UpgradeRequest
from gateway.transports.websocket.socket import Liveness, WriteScheduler
from tests.unit.gateway.dialects.fixture import dialects
from tests.unit.gateway.fixtures import identity

POLLING: Final = f"/{PATH}/?EIO=4&transport=polling"
LIMITS: Final = SessionLimits(frame_bytes=65_536, requests_in_flight=3, frames_per_second=500, messages_per_second=20)
_MEDIUM: Final = 126
_PARTS: Final = frozenset({"socketio", "websocket"})


@contextmanager
def nothing_logged() -> Iterator[None]:
    """What is served here says nothing while the context is open; services that other tests left running may."""
    with capture_logs() as entries:
        yield
    assert [entry for entry in entries if entry.get("part", "socketio") in _PARTS] == []


class RecordingDispatcher:
    """A desk that keeps what comes; clients are ready at once, or when they are told so."""

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = ready
        self.open: list[Connection] = []
        self.came: list[tuple[Connection, Any]] = []
        self.unread: list[AppError] = []

    def opened(self, connection: Connection) -> None:
        """A connection is open."""
        self.open.append(connection)
        if self.ready:
            connection.session.become_ready()

    def received(self, connection: Connection, frame: object) -> None:
        """A frame came."""
        self.came.append((connection, frame))

    def unreadable(self, connection: Connection, error: AppError) -> None:
        """A frame came of which there is no text."""
        self.unread.append(error)

    def closed(self, connection: Connection) -> None:
        """A connection is no more."""
        if connection in self.open:
            self.open.remove(connection)


class SocketIoHarness:
    """Socket.IO, and its clients; tokens are the names of users, and `bad` is none."""

    def __init__(
        self, dispatcher: RecordingDispatcher | None = None, *, max_send_buffer_bytes: int = 1_000_000
    ) -> None:
        spoken = dialects()
        self.dispatcher = dispatcher or RecordingDispatcher()
        self.dialects = {"/": spoken["telecom"], "/telecom": spoken["telecom"], "/projects": spoken["projects"]}
        self.socketio = SocketIo(
            dialects=self.dialects,
            dispatcher=self.dispatcher,
            begin=_begin,
            verify=_verify,
            acquire=lambda: None,
            acquire_preauth=lambda: None,
            allows_origin=lambda *_: True,
            limits=LIMITS,
            liveness=Liveness(25, 60),
            max_send_buffer_bytes=max_send_buffer_bytes,
            websockets=partial(
                EngineWebSocket,
                limits=LIMITS,
                write_scheduler=WriteScheduler(),
                counters=HotPathCounters(),
                max_send_buffer_bytes=max_send_buffer_bytes,
            ),
        )
        transport = httpx.ASGITransport(app=self.socketio.beside(_not_found))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://gateway.example")

    def remembered(self) -> dict[str, int]:
        """How much is kept of clients, wherever; all are 0 when there are none."""
        server = self.socketio._server
        return {
            "connections": len(self.socketio._connections),
            "lines": len(server.eio.outputs),
            "environments": len(server.environ),
            "clients": sum(len(rooms[None]) for rooms in server.manager.rooms.values()),
            "open": len(self.dispatcher.open),
        }


@asynccontextmanager
async def open_harness(dispatcher: RecordingDispatcher | None = None, **options: Any) -> AsyncIterator[SocketIoHarness]:
    """A hall that serves while the context is open."""
    harness = SocketIoHarness(dispatcher, **options)
    async with harness.socketio.running(), harness.http:
        yield harness


def _verify(token: str) -> Identity:
    if token == "bad":  # none
        raise UnauthenticatedError("TOKEN_INVALID", "the access token is none")
    return identity(token)


def _begin(who: Identity, token: str, dialect: Dialect) -> Session:
    return Session(f"session of {who.user_id}", who, token, LIMITS, dialect.new_state())


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def joining(namespace: str = "/", token: str = "ann") -> str:  # noqa: S107  # a name
    """The packet that joins a namespace."""
    within = "" if namespace == "/" else f"{namespace},"
    return f"40{within}" + json.dumps({"token": token})


class Poller:
    """A client that polls."""

    def __init__(self, harness: SocketIoHarness) -> None:
        self._http = harness.http
        self.sid = ""

    async def open(self) -> None:
        """The handshake."""
        response = await self._http.get(POLLING)
        self.sid = json.loads(response.text[1:])["sid"]

    async def poll(self) -> list[str]:
        """What has come since; waits until something has."""
        response = await self._http.get(f"{POLLING}&sid={self.sid}")
        response.raise_for_status()
        return response.text.split(SEPARATOR.decode())

    async def post(self, *packets: str) -> None:
        """Says something."""
        content = SEPARATOR.decode().join(packets)
        (await self._http.post(f"{POLLING}&sid={self.sid}", content=content)).raise_for_status()


class _Transport:
    """What picows would write to a WebSocket."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed_with: int | None = None
        self.underlying_transport = self

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def send_close(self, code: int, _: str = "") -> None:
        self.closed_with = code

    def disconnect(self, graceful: bool = True) -> None:
        """Nothing is there to be disconnected."""


class WebSocketClient:
    """A client on a WebSocket.

    Args:
        harness: where it comes to.
        sid: its session, if it was there before by polling.
    """

    def __init__(self, harness: SocketIoHarness, sid: str = "") -> None:
        target = f"/{PATH}/?EIO=4&transport=websocket" + (f"&sid={sid}" if sid else "")
        granted = harness.socketio.admit(UpgradeRequest(target, "gateway.example", None, "", ()))
        self.websocket = cast(EngineWebSocket, granted.socket)
        self._transport = _Transport()
        self.websocket.on_ws_connected(cast(Any, self._transport))

    def say(self, packet: str) -> None:
        """Says something."""
        self.websocket.received(packet)

    def go(self) -> None:
        """The WebSocket breaks."""
        self.websocket.on_ws_disconnected(cast(Any, self._transport))

    @property
    def closed_with(self) -> int | None:
        """The code with which it was closed."""
        return self._transport.closed_with

    def take(self) -> list[str]:
        """What was written since this was last asked."""
        data, packets = bytes(self._transport.written), []
        self._transport.written.clear()
        while data:
            packet, data = _first_frame(data)
            packets.append(packet)
        return packets

    async def hears(self, start: str) -> str:
        """Waits for a packet, and gives it; what came before it is passed over."""
        async with asyncio.timeout(20):
            while True:
                for packet in self.take():
                    if packet.startswith(start):
                        return packet
                await asyncio.sleep(0)


def _first_frame(data: bytes) -> tuple[str, bytes]:
    """The first frame, and the rest."""
    size, start = data[1], 2
    if size >= _MEDIUM:
        width = 2 if size == _MEDIUM else 8
        size, start = int.from_bytes(data[2 : 2 + width]), 2 + width
    payload, rest = data[start : start + size], data[start + size :]
    assert text_frame(payload) == data[: start + size]
    return payload.decode(), rest
