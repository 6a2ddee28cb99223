"""Serves Socket.IO: python-socketio's server, with its clients in the hub and its events encoded by dialects.

python-socketio and python-engineio implement the protocol: handshake, polling, upgrade, heartbeats and namespaces.
Events bypass them: a client's events go to the dispatcher, and events for clients come from the hub, encoded once for
all recipients. So the only client manager is the one that knows this process's clients.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import socketio
from socketio.packet import CONNECT_ERROR, DISCONNECT, EVENT
from starlette.types import ASGIApp

from chassis.errors import AppError, InvalidArgumentError, NotFoundError, UnauthenticatedError
from chassis.identity import Identity
from chassis.process.logs import log_incident, logger
from gateway.dialects.base import Dialect
from gateway.dialects.socketio_base import EmittedFrame
from gateway.metrics import PROTOCOL_VIOLATIONS, REFUSED
from gateway.sessions.session import Session
from gateway.transports.rate_limit import RateLimiter
from gateway.transports.socketio.connection import ROOT, SocketIoConnection, wire_formats
from gateway.transports.socketio.engine import EngineServer, EngineWebSocket, SessionOutput, upgrade_environment
from gateway.transports.websocket.framing import text_frame
from gateway.transports.websocket.handshake import (
    UpgradeRequest,
    foreign_origin,
    require_token,
    status_of,
    verify_user,
)
from gateway.transports.websocket.server import UpgradeResult
from gateway.transports.websocket.socket import ConnectionOptions
from gateway.wire import close_codes
from gateway.wire.json_objects import error_object

PATH: Final = "socket.io"
READY_TIMEOUT_SECONDS: Final = 10.0
CONNECT_TIMEOUT_SECONDS: Final = 20.0
"""How long a client has to join a namespace, for which it needs a token."""

_MAX_DIGITS: Final = 18
_PARSE_ERRORS: Final = (ValueError, LookupError, TypeError, RecursionError)
"""The exceptions of python-socketio and python-engineio for malformed packets."""

_INVALID_NAMESPACE: Final = {"message": "Invalid namespace"}
"""The error of Socket.IO's own server; its clients cannot read the form of python-socketio's."""

_FORWARDED: Final = frozenset({"0", str(DISCONNECT), "3"})
"""The packet types that python-socketio handles: connect, disconnect and acknowledgement."""

_log = logger("socketio")


class SocketIo:
    """Serves Socket.IO: polling as an ASGI application, and upgraded WebSockets.

    Args:
        dialects: the dialect of each namespace.
        options: the options of all connections.
        new_session: makes the session of a user, a token and a dialect.
        verify: returns the identity in a token. Raises AppError.
        limiter: limits the rate of new connections.
        preauth_limiter: limits the rate of new clients, which have shown no token yet.
        allows_origin: returns whether browsers may connect from an origin to a host.
    """

    def __init__(
        self,
        *,
        dialects: Mapping[str, Dialect],
        options: ConnectionOptions,
        new_session: Callable[[Identity, str, Dialect], Session],
        verify: Callable[[str], Identity],
        limiter: RateLimiter,
        preauth_limiter: RateLimiter,
        allows_origin: Callable[[str | None, str], bool],
    ) -> None:
        self._dialects = dialects
        self._wire_formats = {namespace: wire_formats(namespace, dialect) for namespace, dialect in dialects.items()}
        self._options = options
        self._dispatcher = options.dispatcher
        self._new_session = new_session
        self._verify = verify
        self._limiter = limiter
        self._preauth_limiter = preauth_limiter
        self._allows_origin = allows_origin
        self._connections: dict[tuple[str, str], SocketIoConnection] = {}
        self._tasks: asyncio.TaskGroup | None = None
        liveness = options.liveness
        self._server = _Server(
            self,
            namespaces=list(dialects),
            cors_allowed_origins=lambda origin, environ: allows_origin(origin, environ.get("HTTP_HOST", "")),
            ping_interval=max(1, math.ceil(liveness.ping_seconds)),
            ping_timeout=max(1, math.ceil(liveness.idle_timeout_seconds - liveness.ping_seconds)),
            max_http_buffer_size=options.limits.frame_bytes,
        )
        self._engine: EngineServer = self._server.eio
        for namespace in dialects:
            self._server.on("connect", partial(self._connect, namespace), namespace=namespace)
            self._server.on("disconnect", partial(self._disconnected, namespace), namespace=namespace)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves connections while the context is open; on leaving, ends those still open."""
        async with asyncio.TaskGroup() as self._tasks:
            try:
                yield
            finally:
                for sid in tuple(self._engine.outputs):
                    await self.disconnect_client(sid)
                await self._engine.shutdown()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Returns an application that answers Socket.IO's requests, and passes all others to `app`."""
        application: ASGIApp = socketio.ASGIApp(self._server, app, socketio_path=PATH)
        return application

    def upgrade(self, request: UpgradeRequest) -> UpgradeResult:
        """Accepts an upgrade; the token comes later, in a Socket.IO packet. Raises AppError."""
        if not request.target.startswith(f"/{PATH}/"):
            raise NotFoundError("NOT_FOUND", f"WebSocket is at /{PATH}/ here")
        if not self._allows_origin(request.origin, request.host):
            raise foreign_origin()

        def serve(websocket: EngineWebSocket) -> None:
            self._start(self._serve(websocket, upgrade_environment(request, websocket)))

        return UpgradeResult(EngineWebSocket(self._options, serve=serve, receive_event=self.receive_event))

    async def _serve(self, websocket: EngineWebSocket, environ: dict[str, Any]) -> None:
        """Has python-engineio serve a WebSocket until it closes, or sends a malformed packet."""
        try:
            await self._engine.handle_request(environ)
        except _PARSE_ERRORS:
            PROTOCOL_VIOLATIONS.inc()
        finally:
            await self.disconnect_client(websocket.sid)
            websocket.close(close_codes.RESTART, "closed")

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(_log_errors(work))

    # --- connections

    async def _connect(self, namespace: str, sid: str, environ: Mapping[str, Any], auth: object = None) -> bool:
        """Lets a client into a namespace, once its connection is ready."""
        engine_sid = self._server.manager.eio_sid_from_sid(sid, namespace)
        try:
            token = _token(auth, environ)
            identity = verify_user(self._verify, token)
            self._limiter.acquire()
        except UnauthenticatedError as error:
            raise socketio.exceptions.ConnectionRefusedError("unauthorized", error_object(error)) from None
        except AppError:
            await self.disconnect_client(engine_sid)  # it is to retry, which it would not after a refusal
            return False
        return await self._open(namespace, engine_sid, identity, token)

    async def _open(self, namespace: str, engine_sid: str, identity: Identity, token: str) -> bool:
        output = self._engine.outputs.get(engine_sid)
        if output is None:
            return False
        connection = SocketIoConnection(
            session=self._new_session(identity, token, self._dialects[namespace]),
            wire_formats=self._wire_formats[namespace],
            output=output,
            dispatcher=self._dispatcher,
            end=partial(self._end, namespace, engine_sid),
        )
        self._connections[engine_sid, namespace] = connection
        self._dispatcher.opened(connection)
        try:
            async with asyncio.timeout(READY_TIMEOUT_SECONDS):
                await connection.settled.wait()
        except TimeoutError:
            connection.close(close_codes.RESTART, "not ready")
        return not connection.closing

    def _end(self, namespace: str, engine_sid: str, is_final: bool) -> None:
        self._connections.pop((engine_sid, namespace), None)
        self._start(self._expel(engine_sid, namespace) if is_final else self.disconnect_client(engine_sid))

    async def _expel(self, engine_sid: str, namespace: str) -> None:
        """Disconnects a client from a namespace by a packet, after which it does not reconnect."""
        sid = self._server.manager.sid_from_eio_sid(engine_sid, namespace)
        if sid is not None:
            await self._server.disconnect(sid, namespace=namespace)
        if not self._is_in_a_namespace(engine_sid):
            await self.disconnect_client(engine_sid)

    async def _disconnected(self, namespace: str, sid: str, reason: str = "") -> None:
        engine_sid = self._server.manager.eio_sid_from_sid(sid, namespace)
        self._forget(engine_sid, (namespace,))
        self._await_connect(engine_sid)

    def _forget(self, engine_sid: str, namespaces: Iterable[str]) -> None:
        for namespace in namespaces:
            connection = self._connections.pop((engine_sid, namespace), None)
            if connection is not None:
                connection.ended()

    def _is_in_a_namespace(self, engine_sid: str) -> bool:
        return any((engine_sid, namespace) in self._connections for namespace in self._dialects)

    # --- Engine.IO sessions

    def client_connected(self, engine_sid: str) -> bool:
        """Registers a client, by whatever transport, and gives it time to join a namespace; False to refuse it."""
        try:
            self._preauth_limiter.acquire()
        except AppError as error:
            REFUSED.labels(str(status_of(error).value)).inc()
            return False
        self._engine.outputs[engine_sid] = SessionOutput(self._engine.sockets[engine_sid], self._options)
        self._await_connect(engine_sid)
        return True

    def _await_connect(self, engine_sid: str) -> None:
        asyncio.get_running_loop().call_later(CONNECT_TIMEOUT_SECONDS, self._time_out, engine_sid)

    def _time_out(self, engine_sid: str) -> None:
        if engine_sid in self._engine.outputs and not self._is_in_a_namespace(engine_sid):
            self._start(self.disconnect_client(engine_sid))

    def client_disconnected(self, engine_sid: str) -> None:
        """Removes a client, and closes its WebSocket, which python-engineio would read until it closes."""
        output = self._engine.outputs.pop(engine_sid, None)
        self._forget(engine_sid, self._dialects)
        if output is not None and output.websocket is not None:
            output.websocket.close(close_codes.RESTART, "closed")

    async def disconnect_client(self, engine_sid: str) -> None:
        """Ends a client's Engine.IO session; the client may reconnect."""
        output = self._engine.outputs.get(engine_sid)
        if output is None:
            return
        await output.socket.close(wait=False, reason=self._engine.reason.SERVER_DISCONNECT)
        if output.websocket is not None:
            output.websocket.close(close_codes.RESTART, "restart")

    # --- packets

    def receive_event(self, engine_sid: str, packet: str) -> None:
        """Dispatches an event packet, such as `2/projects,7["typing",{}]`; ignores one for a namespace not joined."""
        namespace, start = ROOT, 1
        if packet.startswith("/", 1):
            end = packet.find(",")
            if end < 0:
                return
            namespace, start = packet[1:end].partition("?")[0], end + 1
        connection = self._connections.get((engine_sid, namespace))
        if connection is None or connection.closing:
            return
        body = packet.find("[", start, start + _MAX_DIGITS + 1)
        acknowledgement = packet[start : body if body >= 0 else start]
        if body < 0 or not (acknowledgement == "" or (acknowledgement.isascii() and acknowledgement.isdigit())):
            self._dispatcher.unreadable(connection, InvalidArgumentError("MALFORMED_PACKET", "the packet is no event"))
            return
        self._dispatcher.received(connection, EmittedFrame(packet[body:], acknowledgement))

    def receive_polled(self, engine_sid: str, packet: str) -> None:
        """Dispatches an event packet that was posted. An exception is a bug, and closes only this client."""
        try:
            self.receive_event(engine_sid, packet)
        except Exception as error:
            log_incident(_log, "frame_failed", error)
            self._start(self.disconnect_client(engine_sid))

    def protocol_violated(self, engine_sid: str) -> None:
        """Disconnects a client that broke the protocol."""
        PROTOCOL_VIOLATIONS.inc()
        self._start(self.disconnect_client(engine_sid))


class _Server(socketio.AsyncServer):  # type: ignore[misc]  # socketio has no types
    """python-socketio's server: it reports clients to `SocketIo`, and hands it their events unparsed."""

    def __init__(self, owner: SocketIo, **options: Any) -> None:
        self._owner = owner
        super().__init__(
            client_manager=socketio.AsyncManager(),
            async_handlers=False,
            logger=_Log(),
            engineio_logger=_Log(),
            **options,
        )

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        """Sends a packet by the same way as events, so that their order is kept."""
        output = self.eio.outputs.get(eio_sid)
        if output is None:
            return
        if pkt.packet_type == CONNECT_ERROR and isinstance(pkt.data, str):
            pkt.data = _INVALID_NAMESPACE
        packet = pkt.encode()
        if output.is_direct:
            output.write(text_frame(b"4" + packet.encode()))
        else:
            output.queue((packet,))

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
        if not self._owner.client_connected(eio_sid):
            return False
        await super()._handle_eio_connect(eio_sid, environ)
        return None

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        self._owner.client_disconnected(eio_sid)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        if isinstance(data, str) and data.startswith(str(EVENT)):
            self._owner.receive_polled(eio_sid, data)
            return
        if not isinstance(data, str) or data[:1] not in _FORWARDED:
            self._owner.protocol_violated(eio_sid)  # binary events among them, which no front-end sends
            return
        try:
            await super()._handle_eio_message(eio_sid, data)
        except _PARSE_ERRORS:
            self._owner.protocol_violated(eio_sid)


class _Log:
    """Receives the libraries' log: counts the clients' mistakes, and logs bugs."""

    level = 0

    def info(self, *_: object) -> None:
        """Ignores the message."""

    def warning(self, *_: object) -> None:
        """Ignores the message."""

    def error(self, *_: object) -> None:
        """Counts a client's mistake."""
        PROTOCOL_VIOLATIONS.inc()

    def exception(self, event: object, *_: object) -> None:
        """Counts a malformed packet; logs any other exception."""
        if isinstance(sys.exception(), _PARSE_ERRORS):
            PROTOCOL_VIOLATIONS.inc()
        else:
            _log.error("socketio_failed", exc_info=True)


async def _log_errors(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except Exception as error:
        log_incident(_log, "socketio_failed", error)


def _token(auth: object, environ: Mapping[str, Any]) -> str:
    """Returns the token of a connect packet, else of the Authorization header. Raises UnauthenticatedError."""
    token = auth.get("token") if isinstance(auth, Mapping) else None
    if isinstance(token, str) and token:
        return token.removeprefix("Bearer ")
    return require_token(environ.get("HTTP_AUTHORIZATION", ""))
