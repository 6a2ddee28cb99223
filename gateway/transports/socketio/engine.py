"""Engine.IO on the gateway's own WebSockets: how python-engineio reads and writes them.

python-engineio implements the protocol: handshake, polling, upgrade and heartbeats. It would also pass each message
through its own queues and tasks; messages of clients on a WebSocket bypass it here, in both directions.
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
from gateway.transports.websocket.handshake import UpgradeRequest
from gateway.transports.websocket.socket import ConnectionOptions, WebSocketBase
from gateway.wire import close_codes

SEPARATOR: Final = b"\x1e"
"""Ends each packet in a polling payload, as in Engine.IO itself; JSON never contains it."""

_WEBSOCKET: Final = "parley.websocket"
"""The key of the WebSocket in the environment of its upgrade request."""

_EVENT: Final = "42"  # an Engine.IO message with a Socket.IO event
_UNSUPPORTED: Final = 1003
_MAX_UNREAD: Final = 100  # packets other than events are few; they wait while a client joins a namespace


class EngineWebSocket(WebSocketBase):
    """A WebSocket of Engine.IO.

    Args:
        options: the options of all connections.
        serve: has python-engineio serve the WebSocket until it closes.
        receive_event: takes an Engine.IO session's event packet.

    Attributes:
        sid: the Engine.IO session, once known.
        direct: whether frames are written to the WebSocket directly; see `SessionOutput`.
    """

    def __init__(
        self,
        options: ConnectionOptions,
        *,
        serve: Callable[[EngineWebSocket], object],
        receive_event: Callable[[str, str], None],
    ) -> None:
        super().__init__(options)
        self._serve = serve
        self._receive_event = receive_event
        self._packets: asyncio.Queue[str | None] = asyncio.Queue()
        self.sid = ""
        self.direct = False

    def opened(self) -> None:
        """Has python-engineio serve the WebSocket."""
        self._serve(self)

    def received(self, text: str) -> None:
        """Passes an event packet on, and queues any other for python-engineio."""
        if self.sid and text.startswith(_EVENT):
            self._receive_event(self.sid, text[1:])
        elif self._packets.qsize() < _MAX_UNREAD:
            self._packets.put_nowait(text)
        else:
            self.close(close_codes.TOO_MANY, "too many packets")

    def unreadable(self, error: AppError) -> None:
        """Closes the connection: no front-end sends binary packets, and the gateway keeps no attachments."""
        is_too_big = error.reason == "FRAME_TOO_LARGE"
        self.close(close_codes.TOO_BIG if is_too_big else _UNSUPPORTED, error.message)

    def ended(self) -> None:
        """Ends python-engineio's reading."""
        self._packets.put_nowait(None)

    async def read_packet(self) -> str:
        """Returns the next packet for python-engineio. Raises OSError once the WebSocket is closed."""
        packet = await self._packets.get()
        if packet is None:
            raise OSError("the socket is closed")
        return packet


class WebSocketDriver:
    """An EngineWebSocket with the interface that python-engineio expects of a WebSocket.

    Args:
        handler: python-engineio's handler of the WebSocket.
        server: the server; it passes itself.
    """

    def __init__(self, handler: Any, server: EngineServer) -> None:
        self._handler = handler
        self._outputs = server.outputs
        self._websocket: EngineWebSocket

    async def __call__(self, environ: dict[str, Any]) -> str:
        """Serves the WebSocket until it closes."""
        self._websocket = environ[_WEBSOCKET]
        sid = self._handler.__self__.sid
        if sid in self._outputs:
            self._websocket.sid = sid
            self._outputs[sid].websocket = self._websocket
        await self._handler(self)
        return ""

    async def wait(self) -> str:
        """Returns the next packet."""
        return await self._websocket.read_packet()

    async def send(self, packet: str) -> None:
        """Sends a packet."""
        if packet:
            self._websocket.write(text_frame(packet.encode()))

    async def close(self) -> None:
        """Closes the WebSocket; the client may reconnect."""
        self._websocket.close(close_codes.RESTART, "closed")


class SessionOutput:
    """The output of one Engine.IO session: python-engineio's queue, and once that is empty, the WebSocket itself.

    Args:
        socket: python-engineio's object of the session.
        options: the options of all connections.

    Attributes:
        socket: see above.
        websocket: the session's WebSocket, if it has one.
    """

    def __init__(self, socket: Any, options: ConnectionOptions) -> None:
        self.socket = socket
        self.websocket: EngineWebSocket | None = None
        self._max_send_buffer_bytes = options.max_send_buffer_bytes
        self._queued_bytes = 0
        self._rate = FrameRate(options.limits.frames_per_second)
        self._switching = False
        socket.handle_post_request = self._receive_post

    @property
    def is_direct(self) -> bool:
        """Whether frames go to the WebSocket directly. After an upgrade, a marker in the queue delays that until the
        packets queued before are sent."""
        if self.websocket is None:
            return False
        if not self._switching and self.socket.upgraded:
            self._switching = True
            self.socket.queue.put_nowait(_SwitchMarker(self.websocket))
        return self.websocket.direct

    def write(self, data: bytes) -> None:
        """Writes frames to the WebSocket."""
        if self.websocket is not None:
            self.websocket.write(data)

    def queue(self, packets: Iterable[str]) -> bool:
        """Queues packets for the next poll, which fetches them all; returns False if the client lets too many wait."""
        if self.socket.queue.empty():
            self._queued_bytes = 0
        for packet in packets:
            self._queued_bytes += len(packet)
            self.socket.queue.put_nowait(Packet(MESSAGE, data=packet))
        return self._queued_bytes <= self._max_send_buffer_bytes

    async def _receive_post(self, environ: Mapping[str, Any]) -> None:
        """Receives the packets that a client posts: any number, each counted as a frame.

        python-engineio would accept a post with more than 16 packets and drop all of them: clients that send much
        before they are on a WebSocket would lose it.

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


class _SwitchMarker(Packet):  # type: ignore[misc]  # engineio has no types
    """No real packet: when python-engineio encodes it, every packet queued before it has been written."""

    def __init__(self, websocket: EngineWebSocket) -> None:
        super().__init__(NOOP)
        self._websocket = websocket

    def encode(self, b64: bool = False) -> str:
        """Switches to direct output; returns an empty packet, which is not sent."""
        self._websocket.direct = True
        return ""


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]  # engineio has no types
    """python-engineio's server, on the gateway's WebSockets.

    Attributes:
        outputs: the output of each session.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(async_mode="asgi", **options)
        self.outputs: dict[str, SessionOutput] = {}
        self._async: dict[str, Any] = {
            **asgi._async,  # the functions of a driver
            "translate_request": _translate_request,
            "make_response": _make_response,
            "websocket": WebSocketDriver,
        }

    async def disconnect(self, sid: str | None = None) -> None:
        """Ends a session without waiting for its client to fetch the queued packets, which it may never do."""
        socket = self.sockets.pop(sid, None)
        if socket is not None:
            await socket.close(wait=False)


async def _translate_request(scope: dict[str, Any], *channels: Any) -> dict[str, Any]:
    """Returns the environment of a request; that of an upgraded one is made already and has no channels."""
    environ: dict[str, Any] = await asgi.translate_request(scope, *channels) if channels else scope
    return environ


async def _make_response(
    status: str, headers: Sequence[tuple[str, str]], payload: bytes, environ: dict[str, Any]
) -> None:
    websocket: EngineWebSocket | None = environ.get(_WEBSOCKET)
    if websocket is None:
        await asgi.make_response(status, headers, payload, environ)
    else:
        websocket.close(close_codes.MALFORMED, status)


def upgrade_environment(request: UpgradeRequest, websocket: EngineWebSocket) -> dict[str, Any]:
    """Returns the environment of an upgraded request for python-engineio and python-socketio."""
    path, _, query = request.target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_HOST": request.host,
        _WEBSOCKET: websocket,
    }
    if request.origin is not None:
        environ["HTTP_ORIGIN"] = request.origin
    if request.authorization:
        environ["HTTP_AUTHORIZATION"] = request.authorization
    return environ
