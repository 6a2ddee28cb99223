"""Socket.IO: python-socketio's server, with its connections in our hub and its events in our dialects.

python-socketio and python-engineio keep the protocol: handshake, polling, upgrade, heartbeats, namespaces, and who
is connected to which. Events pass them by: what clients emit goes to the desk, and what they are told comes from the
hub, encoded once for all of them. So there is no client manager but the one that knows the clients of this process.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import socketio
from starlette.types import ASGIApp

from chassis.errors import AppError, InvalidArgumentError, NotFoundError, UnauthenticatedError
from chassis.identity import Identity
from chassis.process.logs import log_incident, logger
from gateway.dialects.base import Dialect, WireFormat
from gateway.dialects.socketio_base import EmittedFrame
from gateway.metrics import CLOSED, PROTOCOL_VIOLATIONS, REFUSED
from gateway.sessions.session import Session, SessionLimits
from gateway.transports.socketio.engine import SEPARATOR, EngineServer, EngineWebSocket, SessionOutput, environment
from gateway.transports.socketio.server import UNREADABLE, SocketIoServer
from gateway.transports.websocket.connection import Dispatcher
from gateway.transports.websocket.framing import text_frame
from gateway.transports.websocket.handshake import UpgradeRequest, foreign_origin, status_of, token_of, user_of
from gateway.transports.websocket.server import UpgradeResult
from gateway.transports.websocket.socket import Liveness
from gateway.wire import close_codes

PATH: Final = "socket.io"
READY_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 20.0
"""How long a client has to join a namespace, and so to show a token."""

_ROOT: Final = "/"
_MOST_DIGITS: Final = 18
_NO_RETURN: Final = frozenset({close_codes.TOKEN_ENDED, close_codes.ACCOUNT_DISABLED, close_codes.MALFORMED})
"""Closed with these, a client is told to stay away until it has something new to say; otherwise it comes back."""

_log = logger("socketio")


class SocketIoConnection:
    """One client in one namespace; see `gateway.connections.hub.Connection`.

    Args:
        session: its state.
        wire_formats: what it speaks: by polling, and on a WebSocket.
        output: the way out to it.
        dispatcher: who looks after it.
        end: ends it in python-socketio, for good or for the moment.

    Attributes:
        settled: is set once it is ready, or over.
    """

    def __init__(
        self,
        *,
        session: Session,
        wire_formats: tuple[WireFormat, WireFormat],
        output: SessionOutput,
        dispatcher: Dispatcher,
        end: Callable[[bool], None],
    ) -> None:
        self.session = session
        self.closing = False
        self.settled = asyncio.Event()
        session.when_ready(self.settled.set)
        self._polling, self._direct = wire_formats
        self._output = output
        self._dispatcher = dispatcher
        self._end = end

    @property
    def wire_format(self) -> WireFormat:
        """See `gateway.connections.hub.Connection`."""
        return self._direct if self._output.is_direct else self._polling

    def write(self, data: bytes) -> None:
        """See `gateway.connections.hub.Connection`."""
        if self.closing or not data:
            return
        if self._output.is_direct:
            self._output.write(data)
        elif not self._output.queue(packet.decode() for packet in data.split(SEPARATOR)[:-1]):
            self.close(close_codes.TOO_SLOW, "too slow")

    def close(self, code: int, reason: str) -> None:
        """See `gateway.connections.hub.Connection`."""
        if not self.closing:
            CLOSED.labels(str(code)).inc()
            self.ended()
            self._end(code in _NO_RETURN)

    def ended(self) -> None:
        """It is no more."""
        self.closing = True
        self.settled.set()
        self._dispatcher.closed(self)


class SocketIo:
    """Serves Socket.IO: polling as an ASGI application, and WebSockets that come by upgrade.

    Args:
        dialects: what is spoken, by namespace.
        dispatcher: who looks after connections.
        begin: makes a session: of whom, with what token, in which dialect.
        verify: returns whose token one is, at once. Raises AppError.
        acquire: lets one more connection through, or raises AppError.
        acquire_preauth: the same for clients of whom nothing is known yet.
        allows_origin: whether browsers may come from an origin, to a host.
        limits: what one connection may do.
        liveness: how silence is dealt with.
        max_send_buffer_bytes: a client that leaves more than so many unfetched is given up.
        websockets: makes a Wire, given what is particular to it.
    """

    def __init__(
        self,
        *,
        dialects: Mapping[str, Dialect],
        dispatcher: Dispatcher,
        begin: Callable[[Identity, str, Dialect], Session],
        verify: Callable[[str], Identity],
        acquire: Callable[[], None],
        acquire_preauth: Callable[[], None],
        allows_origin: Callable[[str | None, str], bool],
        limits: SessionLimits,
        liveness: Liveness,
        max_send_buffer_bytes: int,
        websockets: Callable[..., EngineWebSocket],
    ) -> None:
        self._dialects = dialects
        self._wire_formats = {namespace: _wire_formats(namespace, dialect) for namespace, dialect in dialects.items()}
        self._dispatcher = dispatcher
        self._begin = begin
        self._verify = verify
        self._acquire = acquire
        self._acquire_preauth = acquire_preauth
        self._max_send_buffer_bytes = max_send_buffer_bytes
        self._allows_origin = allows_origin
        self._limits = limits
        self._websockets = websockets
        self._connections: dict[tuple[str, str], SocketIoConnection] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._server = SocketIoServer(
            self,
            namespaces=list(dialects),
            cors_allowed_origins=lambda origin, environ: allows_origin(origin, environ.get("HTTP_HOST", "")),
            ping_interval=max(1, math.ceil(liveness.ping_seconds)),
            ping_timeout=max(1, math.ceil(liveness.idle_timeout_seconds - liveness.ping_seconds)),
            max_http_buffer_size=limits.frame_bytes,
        )
        self._engine: EngineServer = self._server.eio
        for namespace in dialects:
            self._server.on("connect", partial(self._connect, namespace), namespace=namespace)
            self._server.on("disconnect", partial(self._disconnected, namespace), namespace=namespace)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves connections while the context is open; those that are left on leaving are ended."""
        async with asyncio.TaskGroup() as self._tasks:
            try:
                yield
            finally:
                for sid in tuple(self._engine.outputs):
                    await self.disconnect_client(sid)
                await self._engine.shutdown()

    def beside(self, other: ASGIApp) -> ASGIApp:
        """An application that answers Socket.IO's requests, and leaves the rest to another."""
        application: ASGIApp = socketio.ASGIApp(self._server, other, socketio_path=PATH)
        return application

    def admit(self, request: UpgradeRequest) -> UpgradeResult:
        """Grants an upgrade; who comes is asked in Socket.IO's own packet. Raises AppError."""
        if not request.target.startswith(f"/{PATH}/"):
            raise NotFoundError("NOT_FOUND", f"WebSocket is at /{PATH}/ here")
        if not self._allows_origin(request.origin, request.host):
            raise foreign_origin()

        def serve(websocket: EngineWebSocket) -> None:
            about = environment(request.target, request.origin, request.host, request.authorization, websocket)
            self._start(self._serve(websocket, about))

        return UpgradeResult(self._websockets(serve=serve, take_event=self.take_event))

    async def _serve(self, websocket: EngineWebSocket, about: dict[str, Any]) -> None:
        """Has python-engineio serve a WebSocket to its end, which is also when it can't read what comes."""
        try:
            await self._engine.handle_request(about)
        except UNREADABLE:
            PROTOCOL_VIOLATIONS.inc()
        finally:
            await self.disconnect_client(websocket.sid)
            websocket.close(close_codes.RESTART, "closed")

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(_guarded(work))

    # --- connections

    async def _connect(self, namespace: str, sid: str, environ: Mapping[str, Any], auth: object = None) -> bool:
        """Lets a client into a namespace, once whatever happens to its user reaches it."""
        engine_sid = self._server.manager.eio_sid_from_sid(sid, namespace)
        try:
            token = _token(auth, environ)
            identity = user_of(self._verify, token)
            self._acquire()
        except UnauthenticatedError:
            raise socketio.exceptions.ConnectionRefusedError("unauthorized") from None
        except AppError:
            await self.disconnect_client(engine_sid)  # it is to come again, and a refusal would be final to it
            return False
        return await self._open(namespace, engine_sid, identity, token)

    async def _open(self, namespace: str, engine_sid: str, identity: Identity, token: str) -> bool:
        output = self._engine.outputs.get(engine_sid)
        if output is None:
            return False
        connection = SocketIoConnection(
            session=self._begin(identity, token, self._dialects[namespace]),
            wire_formats=self._wire_formats[namespace],
            output=output,
            dispatcher=self._dispatcher,
            end=partial(self._end, namespace, engine_sid),
        )
        self._connections[engine_sid, namespace] = connection
        self._dispatcher.opened(connection)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await connection.settled.wait()
        except TimeoutError:
            connection.close(close_codes.RESTART, "not ready")
        return not connection.closing

    def _end(self, namespace: str, engine_sid: str, for_good: bool) -> None:
        self._connections.pop((engine_sid, namespace), None)
        if for_good:
            self._start(self._server.send_away(engine_sid, namespace))
        else:
            self._start(self.disconnect_client(engine_sid))

    async def _disconnected(self, namespace: str, sid: str, reason: str = "") -> None:
        engine_sid = self._server.manager.eio_sid_from_sid(sid, namespace)
        self.forget(engine_sid, namespace)
        self._expect(engine_sid)

    def forget(self, engine_sid: str, namespace: str | None = None) -> None:
        """A client has left a namespace, or is gone."""
        for one in self._dialects if namespace is None else (namespace,):
            connection = self._connections.pop((engine_sid, one), None)
            if connection is not None:
                connection.ended()

    async def disconnect_client(self, engine_sid: str) -> None:
        """Ends a client's connection: it comes back if it has a mind to."""
        output = self._engine.outputs.get(engine_sid)
        if output is None:
            return
        await output.socket.close(wait=False, reason=self._engine.reason.SERVER_DISCONNECT)
        if output.websocket is not None:
            output.websocket.close(close_codes.RESTART, "restart")

    def output(self, engine_sid: str) -> SessionOutput | None:
        """The way out to a client that is connected."""
        return self._engine.outputs.get(engine_sid)

    def is_used(self, engine_sid: str) -> bool:
        """Whether a client is in any namespace."""
        return any((engine_sid, namespace) in self._connections for namespace in self._dialects)

    def client_connected(self, engine_sid: str) -> bool:
        """A client has come, by whatever transport: whether it is let in. It has some time to say who it is."""
        try:
            self._acquire_preauth()
        except AppError as error:
            REFUSED.labels(str(status_of(error).value)).inc()
            return False
        socket = self._engine.sockets[engine_sid]
        self._engine.outputs[engine_sid] = SessionOutput(
            socket, self._limits.frames_per_second, self._max_send_buffer_bytes
        )
        self._expect(engine_sid)
        return True

    def _expect(self, engine_sid: str) -> None:
        asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._give_up, engine_sid)

    def _give_up(self, engine_sid: str) -> None:
        if engine_sid in self._engine.outputs and not self.is_used(engine_sid):
            self._start(self.disconnect_client(engine_sid))

    def client_disconnected(self, engine_sid: str) -> None:
        """A client has gone, or says so: python-engineio would read on until its WebSocket ends."""
        output = self._engine.outputs.pop(engine_sid, None)
        self.forget(engine_sid)
        if output is not None and output.websocket is not None:
            output.websocket.close(close_codes.RESTART, "closed")

    # --- events

    def take_event(self, engine_sid: str, packet: str) -> None:
        """Takes an event packet, such as `2/projects,7["typing",{}]`; one for a namespace not joined is passed over."""
        namespace, start = _ROOT, 1
        if packet.startswith("/", 1):
            end = packet.find(",")
            if end < 0:
                return
            namespace, start = packet[1:end].partition("?")[0], end + 1
        connection = self._connections.get((engine_sid, namespace))
        if connection is None or connection.closing:
            return
        body = packet.find("[", start, start + _MOST_DIGITS + 1)
        acknowledgement = packet[start : body if body >= 0 else start]
        if body < 0 or not (acknowledgement == "" or (acknowledgement.isascii() and acknowledgement.isdigit())):
            self._dispatcher.unreadable(connection, InvalidArgumentError("MALFORMED_PACKET", "the packet is no event"))
            return
        self._dispatcher.received(connection, EmittedFrame(packet[body:], acknowledgement))

    def take_polled(self, engine_sid: str, packet: str) -> None:
        """Takes an event packet that came by polling."""
        try:
            self.take_event(engine_sid, packet)
        except Exception as error:  # a fault of ours, which is to end this client's connection alone
            log_incident(_log, "frame_failed", error)
            self._start(self.disconnect_client(engine_sid))

    def violated(self, engine_sid: str) -> None:
        """A client broke Socket.IO's own rules."""
        PROTOCOL_VIOLATIONS.inc()
        self._start(self.disconnect_client(engine_sid))


async def _guarded(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except Exception as error:
        log_incident(_log, "socketio_failed", error)


def _wire_formats(namespace: str, dialect: Dialect) -> tuple[WireFormat, WireFormat]:
    """What a dialect is in a namespace: by polling, and on a WebSocket."""
    within = b"" if namespace == _ROOT else namespace.encode() + b","

    def polled(payload: bytes) -> bytes:
        return payload[:1] + within + payload[1:] + SEPARATOR

    def framed(payload: bytes) -> bytes:
        return text_frame(b"4" + payload[:1] + within + payload[1:])

    return WireFormat(dialect, polled), WireFormat(dialect, framed)


def _token(auth: object, environ: Mapping[str, Any]) -> str:
    """The token in a connect packet, else that of the Authorization header. Raises UnauthenticatedError."""
    given = auth.get("token") if isinstance(auth, Mapping) else None
    if isinstance(given, str) and given:
        return given.removeprefix("Bearer ")
    return token_of(environ.get("HTTP_AUTHORIZATION", ""), ())
