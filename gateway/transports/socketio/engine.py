"""Engine.IO's WebSockets, on our own sockets: how python-engineio reads and writes them, and how they come to be.

python-engineio keeps the protocol: handshake, polling, upgrade, heartbeats. It would also carry each message through
queues and tasks of its own; messages of clients that are on a WebSocket pass it by here, both ways.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import engineio
from engineio.async_drivers import asgi
from engineio.exceptions import ContentTooLongError, SocketIsClosedError
from engineio.packet import MESSAGE, NOOP, Packet

from chassis.errors import AppError
from gateway.metrics import CLOSED
from gateway.sessions.session import FrameRate
from gateway.transports.websocket.framing import text_frame
from gateway.transports.websocket.socket import WebSocketBase
from gateway.wire import close_codes

WEBSOCKET: Final = "parley.wire"
"""Under what an environment holds the WebSocket that a request has become."""

SEPARATOR: Final = b"\x1e"
"""Ends each packet that goes out by polling, as in Engine.IO's own payloads; JSON never has it."""

_EVENT: Final = "42"  # a message of Engine.IO, and in it an event of Socket.IO
_UNSUPPORTED: Final = 1003
_MAX_UNREAD: Final = 100  # packets other than events are few; they wait while a client joins a namespace


class EngineWebSocket(WebSocketBase):
    """One WebSocket of Engine.IO.

    Args:
        serve: has python-engineio serve it, until it ends.
        take_event: takes an event of an Engine.IO session.
        options: those of Socket.
    """

    def __init__(
        self, *, serve: Callable[[EngineWebSocket], object], take_event: Callable[[str, str], None], **options: Any
    ) -> None:
        super().__init__(**options)
        self._serve = serve
        self._take_event = take_event
        self._messages: asyncio.Queue[str | None] = asyncio.Queue()
        self.sid = ""
        self.direct = False

    def opened(self) -> None:
        """The upgrade is done."""
        self._serve(self)

    def received(self, text: str) -> None:
        """A packet came."""
        if self.sid and text.startswith(_EVENT):
            self._take_event(self.sid, text[1:])
        elif self._messages.qsize() < _MAX_UNREAD:
            self._messages.put_nowait(text)
        else:
            self.close(close_codes.TOO_MANY, "too many packets")

    def unreadable(self, error: AppError) -> None:
        """A packet came that is no text: no front-end has such, and their attachments would not be kept."""
        is_too_big = error.reason == "FRAME_TOO_LARGE"
        self.close(close_codes.TOO_BIG if is_too_big else _UNSUPPORTED, error.message)

    def ended(self) -> None:
        """It is no more."""
        self._messages.put_nowait(None)

    async def wait(self) -> str:
        """The next packet that is for python-engineio. Raises OSError at the end."""
        text = await self._messages.get()
        if text is None:
            raise OSError("the socket is closed")
        return text


class Driver:
    """A Wire as python-engineio wants a WebSocket to be."""

    def __init__(self, handler: Any, server: EngineServer) -> None:
        self._handler = handler
        self._outputs = server.outputs
        self._websocket: EngineWebSocket

    async def __call__(self, environ: dict[str, Any]) -> str:
        """Serves it until it ends."""
        self._websocket = environ[WEBSOCKET]
        sid = self._handler.__self__.sid
        if sid in self._outputs:
            self._websocket.sid = sid
            self._outputs[sid].websocket = self._websocket
        await self._handler(self)
        return ""

    async def wait(self) -> str:
        """The next packet."""
        return await self._websocket.wait()

    async def send(self, packet: str) -> None:
        """Sends a packet."""
        if packet:
            self._websocket.write(text_frame(packet.encode()))

    async def close(self) -> None:
        """Closes it; whoever is at the other end comes back."""
        self._websocket.close(close_codes.RESTART, "closed")


class SessionOutput:
    """The way out to one Engine.IO session: python-engineio's queue, and once that is empty, the WebSocket itself.

    Args:
        socket: python-engineio's.
        frames_per_second: how many packets may come within a second.
        max_send_buffer_bytes: a client that leaves more than so many unfetched is given up.
    """

    def __init__(self, socket: Any, frames_per_second: int, max_send_buffer_bytes: int) -> None:
        self.socket = socket
        self._max_send_buffer_bytes = max_send_buffer_bytes
        self._queued_bytes = 0
        self._rate = FrameRate(frames_per_second)
        self.websocket: EngineWebSocket | None = None
        socket.handle_post_request = self._take_posted
        self._switching = False

    @property
    def is_direct(self) -> bool:
        """Whether frames go to the WebSocket by themselves. What was queued goes out first: a mark is put behind it."""
        if self.websocket is None:
            return False
        if not self._switching and self.socket.upgraded:
            self._switching = True
            self.socket.queue.put_nowait(_Switch(self.websocket))
        return self.websocket.direct

    def write(self, data: bytes) -> None:
        """Writes frames to the WebSocket."""
        if self.websocket is not None:
            self.websocket.write(data)

    def queue(self, packets: Iterable[str]) -> bool:
        """Queues packets; False when too much waits, as the client does not fetch it. It fetches all at once."""
        if self.socket.queue.empty():
            self._queued_bytes = 0
        for packet in packets:
            self._queued_bytes += len(packet)
            self.socket.queue.put_nowait(Packet(MESSAGE, data=packet))
        return self._queued_bytes <= self._max_send_buffer_bytes

    async def _take_posted(self, environ: Mapping[str, Any]) -> None:
        """Takes what a client posts, any number of packets, each of which counts.

        python-engineio would pass over all of a post that has more than 16, and answer that it took it: clients that
        have much to say at once, before they are on a WebSocket, would lose it.

        Raises:
            EngineIOError: the session is to end.
        """
        length = int(environ.get("CONTENT_LENGTH", "0"))
        if length > self.socket.server.max_http_buffer_size:
            raise ContentTooLongError
        body: bytes = await environ["wsgi.input"].read(length)
        for packet in body.split(SEPARATOR):
            flood = self._rate.count(asyncio.get_running_loop().time())
            if flood is not None:
                CLOSED.labels(str(flood.code)).inc()
                raise SocketIsClosedError
            await self.socket.receive(Packet(encoded_packet=packet.decode()))


class _Switch(Packet):  # type: ignore[misc]  # engineio has no types
    """No packet: what was queued before it has been written when it is to be."""

    def __init__(self, websocket: EngineWebSocket) -> None:
        super().__init__(NOOP)
        self._websocket = websocket

    def encode(self, b64: bool = False) -> str:
        """Nothing."""
        self._websocket.direct = True
        return ""


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]  # engineio has no types
    """python-engineio's server, with our sockets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(async_mode="asgi", **options)
        self.outputs: dict[str, SessionOutput] = {}
        self._async: dict[str, Any] = {
            **asgi._async,  # what a driver is made of
            "translate_request": _translate,
            "make_response": _respond,
            "websocket": Driver,
        }

    async def disconnect(self, sid: str | None = None) -> None:
        """Ends a session; what its client has not fetched yet is not waited for, as it may never be."""
        socket = self.sockets.pop(sid, None)
        if socket is not None:
            await socket.close(wait=False)


async def _translate(scope: dict[str, Any], *channels: Any) -> dict[str, Any]:
    """An ASGI request, or one that has become a Wire and is an environment already."""
    environ: dict[str, Any] = await asgi.translate_request(scope, *channels) if channels else scope
    return environ


async def _respond(status: str, headers: Sequence[tuple[str, str]], payload: bytes, environ: dict[str, Any]) -> None:
    websocket: EngineWebSocket | None = environ.get(WEBSOCKET)
    if websocket is None:
        await asgi.make_response(status, headers, payload, environ)
    else:
        websocket.close(close_codes.MALFORMED, status)


def environment(
    target: str, origin: str | None, host: str, authorization: str, websocket: EngineWebSocket
) -> dict[str, Any]:
    """What python-engineio and python-socketio are told of a request that has become a WebSocket."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": target.partition("?")[0],
        "QUERY_STRING": target.partition("?")[2],
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_HOST": host,
        WEBSOCKET: websocket,
    }
    if origin is not None:
        environ["HTTP_ORIGIN"] = origin
    if authorization:
        environ["HTTP_AUTHORIZATION"] = authorization
    return environ
