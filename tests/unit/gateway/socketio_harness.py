"""Socket.IO as the gateway serves it, with a recording dispatcher: clients that poll and clients on WebSockets.

There are no real WebSockets: the harness records what would be written to them, and passes in what would be received.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, cast

import httpx
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from chassis.errors import AppError, UnauthenticatedError
from chassis.identity import Identity
from gateway.connections.connection import Connection
from gateway.connections.dispatcher import RequestDispatcher
from gateway.dialects.base import Dialect
from gateway.metrics import HotPathCounters
from gateway.sessions.session import Session, SessionLimits
from gateway.transports.rate_limit import RateLimiter
from gateway.transports.socketio.engine import SEPARATOR, EngineWebSocket
from gateway.transports.socketio.server import PATH, SocketIo
from gateway.transports.websocket.framing import text_frame
from gateway.transports.websocket.handshake import UpgradeRequest
from gateway.transports.websocket.socket import ConnectionOptions, Liveness, WriteScheduler
from tests.unit.gateway.dialects.fixture import dialects
from tests.unit.gateway.fixtures import identity

POLLING: Final = f"/{PATH}/?EIO=4&transport=polling"
LIMITS: Final = SessionLimits(frame_bytes=65_536, requests_in_flight=3, frames_per_second=500, messages_per_second=20)
_MEDIUM: Final = 126
_PARTS: Final = frozenset({"socketio", "websocket"})


@contextmanager
def nothing_logged() -> Iterator[None]:
    """Checks that the transports log nothing while the context is open; services of other tests may."""
    with capture_logs() as entries:
        yield
    assert [entry for entry in entries if entry.get("part", "socketio") in _PARTS] == []


class RecordingDispatcher(RequestDispatcher):
    """A dispatcher that records frames; connections are ready at once, or when the test says so."""

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = ready
        self.open: list[Connection] = []
        self.received_frames: list[tuple[Connection, Any]] = []
        self.unreadable_frames: list[AppError] = []

    def opened(self, connection: Connection) -> None:
        """Records an open connection."""
        self.open.append(connection)
        if self.ready:
            connection.session.become_ready()

    def received(self, connection: Connection, frame: object) -> None:
        """Records a frame."""
        self.received_frames.append((connection, frame))

    def unreadable(self, connection: Connection, error: AppError) -> None:
        """Records a frame without text."""
        self.unreadable_frames.append(error)

    def closed(self, connection: Connection) -> None:
        """Removes a connection."""
        if connection in self.open:
            self.open.remove(connection)


class SocketIoHarness:
    """Socket.IO and an HTTP client of it; tokens are the names of users, and `bad` is invalid."""

    def __init__(
        self, dispatcher: RecordingDispatcher | None = None, *, max_send_buffer_bytes: int = 1_000_000
    ) -> None:
        spoken = dialects()
        self.dispatcher = dispatcher or RecordingDispatcher()
        self.dialects = {"/": spoken["telecom"], "/telecom": spoken["telecom"], "/projects": spoken["projects"]}
        self.socketio = SocketIo(
            dialects=self.dialects,
            options=ConnectionOptions(
                limits=LIMITS,
                liveness=Liveness(25, 60),
                max_send_buffer_bytes=max_send_buffer_bytes,
                write_scheduler=WriteScheduler(),
                counters=HotPathCounters(),
                dispatcher=self.dispatcher,
            ),
            new_session=_new_session,
            verify=_verify,
            limiter=RateLimiter(1_000_000, 1_000_000),
            preauth_limiter=RateLimiter(1_000_000, 1_000_000),
            allows_origin=lambda *_: True,
        )
        transport = httpx.ASGITransport(app=self.socketio.wrap(_not_found))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://gateway.example")

    def kept(self) -> dict[str, int]:
        """Returns how much each part keeps about clients; all are 0 when there are none."""
        server = self.socketio._server
        return {
            "connections": len(self.socketio._connections),
            "outputs": len(server.eio.outputs),
            "environments": len(server.environ),
            "clients": sum(len(rooms[None]) for rooms in server.manager.rooms.values()),
            "open": len(self.dispatcher.open),
        }


@asynccontextmanager
async def open_harness(dispatcher: RecordingDispatcher | None = None, **options: Any) -> AsyncIterator[SocketIoHarness]:
    """Serves while the context is open."""
    harness = SocketIoHarness(dispatcher, **options)
    async with harness.socketio.running(), harness.http:
        yield harness


def _verify(token: str) -> Identity:
    if token == "bad":
        raise UnauthenticatedError("TOKEN_INVALID", "the access token is not valid")
    return identity(token)


def _new_session(user: Identity, token: str, dialect: Dialect) -> Session:
    return Session(f"session of {user.user_id}", user, token, LIMITS, dialect.new_state())


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def joining(namespace: str = "/", token: str = "ann") -> str:  # noqa: S107  # a name
    """Returns the packet that joins a namespace."""
    within = "" if namespace == "/" else f"{namespace},"
    return f"40{within}" + json.dumps({"token": token})


class Poller:
    """A client that polls."""

    def __init__(self, harness: SocketIoHarness) -> None:
        self._http = harness.http
        self.sid = ""

    async def open(self) -> None:
        """Opens a session."""
        response = await self._http.get(POLLING)
        self.sid = json.loads(response.text[1:])["sid"]

    async def poll(self) -> list[str]:
        """Returns the packets since the previous poll; waits for at least one."""
        response = await self._http.get(f"{POLLING}&sid={self.sid}")
        response.raise_for_status()
        return response.text.split(SEPARATOR.decode())

    async def post(self, *packets: str) -> None:
        """Sends packets."""
        content = SEPARATOR.decode().join(packets)
        (await self._http.post(f"{POLLING}&sid={self.sid}", content=content)).raise_for_status()


class _Transport:
    """Records what picows would write to a WebSocket."""

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
        """Does nothing."""


class WebSocketClient:
    """A client on a WebSocket.

    Args:
        harness: serves it.
        sid: its session, if it polled before.
    """

    def __init__(self, harness: SocketIoHarness, sid: str = "") -> None:
        target = f"/{PATH}/?EIO=4&transport=websocket" + (f"&sid={sid}" if sid else "")
        result = harness.socketio.upgrade(UpgradeRequest(target, "gateway.example", None, "", ()))
        self.websocket = cast(EngineWebSocket, result.socket)
        self._transport = _Transport()
        self.websocket.on_ws_connected(cast(Any, self._transport))

    def send(self, packet: str) -> None:
        """Sends packets."""
        self.websocket.received(packet)

    def break_off(self) -> None:
        """Breaks the WebSocket."""
        self.websocket.on_ws_disconnected(cast(Any, self._transport))

    @property
    def closed_with(self) -> int | None:
        """The close code."""
        return self._transport.closed_with

    def take(self) -> list[str]:
        """Returns what was written since the previous call."""
        data, packets = bytes(self._transport.written), []
        self._transport.written.clear()
        while data:
            packet, data = _first_frame(data)
            packets.append(packet)
        return packets

    async def wait_for(self, start: str) -> str:
        """Waits for a packet that starts so, and returns it; drops those before it."""
        async with asyncio.timeout(20):
            while True:
                for packet in self.take():
                    if packet.startswith(start):
                        return packet
                await asyncio.sleep(0)


def _first_frame(data: bytes) -> tuple[str, bytes]:
    """Returns the first frame and the rest."""
    size, start = data[1], 2
    if size >= _MEDIUM:
        width = 2 if size == _MEDIUM else 8
        size, start = int.from_bytes(data[2 : 2 + width]), 2 + width
    payload, rest = data[start : start + size], data[start + size :]
    assert text_frame(payload) == data[: start + size]
    return payload.decode(), rest
