"""Where front-ends come in: which dialect is spoken on which transport, and what a connection is made of there."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from chassis.identity import Identity
from gateway.connections.dispatcher import RequestDispatcher
from gateway.dialects.base import Dialect, SocketIoEndpoint, WebSocketEndpoint, WireFormat
from gateway.metrics import HotPathCounters
from gateway.sessions.session import Session, SessionLimits
from gateway.settings import Settings
from gateway.transports.rate_limit import RateLimiter
from gateway.transports.socketio.connection import SocketIo
from gateway.transports.socketio.engine import EngineWebSocket
from gateway.transports.websocket.connection import FirstFrameAuthConnection, FirstFrameAuthDialect, WebSocketConnection
from gateway.transports.websocket.framing import text_frame
from gateway.transports.websocket.handshake import (
    AuthorizedUpgrade,
    OriginPolicy,
    Route,
    UpgradeAuthorizer,
    UpgradeRequest,
    user_of,
)
from gateway.transports.websocket.server import Admit, UpgradeResult
from gateway.transports.websocket.socket import Liveness, WriteScheduler
from gateway.upstream.jwks import JwksCache

HELPDESK: Final = "helpdesk"
ROOT: Final = "/"
_SESSION_ID_BYTES: Final = 12


class UnknownDialectError(Exception):
    """A setting names a dialect that there is not, or that is not spoken over Socket.IO."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """The ways in.

    Attributes:
        websocket: decides about upgrades on the WebSocket port.
        helpdesk: decides about upgrades on the helpdesk's own port.
        socketio: serves Socket.IO.
    """

    websocket: Admit
    helpdesk: Admit
    socketio: SocketIo


def entrances(
    settings: Settings,
    dialects: Mapping[str, Dialect],
    dispatcher: RequestDispatcher,
    keys: JwksCache,
    counters: HotPathCounters,
) -> Listeners:
    """Makes the ways in. Raises UnknownDialectError."""
    limiter = RateLimiter(settings.connections_per_second, settings.connections_burst)
    origins = OriginPolicy(frozenset(settings.allowed_origins))
    connections = _Connections(settings, dialects, dispatcher, keys, counters)
    routes = _routes(dialects)
    authorizer = UpgradeAuthorizer(keys.verify, origins.allows, routes, limiter.acquire)
    helpdesk = next((route for route in routes.values() if route.dialects.get("") == HELPDESK), Route({}))
    at_any_path = {ROOT: helpdesk} | {path: helpdesk for path, route in routes.items() if route is helpdesk}
    socketio = SocketIo(
        dialects=_namespaces(dialects, settings.default_dialect),
        dispatcher=dispatcher,
        begin=connections.begin,
        verify=keys.verify,
        acquire=limiter.acquire,
        acquire_preauth=RateLimiter(settings.connections_per_second, settings.connections_burst).acquire,
        allows_origin=origins.allows,
        limits=connections.limits,
        liveness=connections.liveness,
        max_send_buffer_bytes=settings.max_send_buffer_bytes,
        websockets=connections.websocket_of_engine,
    )
    return Listeners(
        websocket=partial(_admit, authorizer, connections),
        helpdesk=partial(
            _admit, UpgradeAuthorizer(keys.verify, origins.allows, at_any_path, limiter.acquire), connections
        ),
        socketio=socketio,
    )


def _admit(authorizer: UpgradeAuthorizer, connections: _Connections, request: UpgradeRequest) -> UpgradeResult:
    authorized = authorizer.admit(request)
    return UpgradeResult(connections.websocket(authorized), authorized.subprotocol)


def _routes(dialects: Mapping[str, Dialect]) -> dict[str, Route]:
    """What is at each path; dialects that share one differ by their subprotocols."""
    routes: dict[str, Route] = {}
    for name, dialect in dialects.items():
        at = dialect.endpoint
        if isinstance(at, WebSocketEndpoint):
            others = routes[at.path].dialects if at.path in routes else {}
            routes[at.path] = Route({**others, at.subprotocol: name}, at.auth_in_first_frame)
    return routes


def _namespaces(dialects: Mapping[str, Dialect], default: str) -> dict[str, Dialect]:
    spoken = {one.endpoint.namespace: one for one in dialects.values() if isinstance(one.endpoint, SocketIoEndpoint)}
    if dialects.get(default) not in spoken.values():
        names = ", ".join(sorted(dialect.name for dialect in spoken.values()))
        raise UnknownDialectError(f"PARLEY_DEFAULT_DIALECT is {default!r}; over Socket.IO there are: {names}")
    return {ROOT: dialects[default], **spoken}


class _Connections:
    """Makes connections and their sessions."""

    def __init__(
        self,
        settings: Settings,
        dialects: Mapping[str, Dialect],
        dispatcher: RequestDispatcher,
        keys: JwksCache,
        counters: HotPathCounters,
    ) -> None:
        self.limits = SessionLimits(
            frame_bytes=settings.frame_bytes,
            requests_in_flight=settings.requests_in_flight,
            frames_per_second=settings.frames_per_second,
            messages_per_second=settings.messages_per_second,
        )
        self.liveness = Liveness(settings.ping_seconds, settings.idle_timeout_seconds)
        self._dialects = dialects
        self._wire_formats = {name: WireFormat(dialect, text_frame) for name, dialect in dialects.items()}
        self._dispatcher = dispatcher
        self._keys = keys
        self._counters = counters
        self._write_scheduler = WriteScheduler()
        self._max_send_buffer_bytes = settings.max_send_buffer_bytes
        self.websocket_of_engine = partial(
            EngineWebSocket,
            limits=self.limits,
            write_scheduler=self._write_scheduler,
            counters=counters,
            max_send_buffer_bytes=settings.max_send_buffer_bytes,
        )

    def begin(self, identity: Identity, token: str, dialect: Dialect) -> Session:
        """A new session."""
        return Session(secrets.token_urlsafe(_SESSION_ID_BYTES), identity, token, self.limits, dialect.new_state())

    def websocket(self, authorized: AuthorizedUpgrade) -> WebSocketConnection | FirstFrameAuthConnection:
        """The connection of an admission."""
        dialect, wire_format = self._dialects[authorized.dialect], self._wire_formats[authorized.dialect]
        if authorized.identity is not None:
            return WebSocketConnection(
                session=self.begin(authorized.identity, authorized.token, dialect),
                wire_format=wire_format,
                dispatcher=self._dispatcher,
                write_scheduler=self._write_scheduler,
                counters=self._counters,
                liveness=self.liveness,
                max_send_buffer_bytes=self._max_send_buffer_bytes,
            )
        return FirstFrameAuthConnection(
            token=authorized.token,
            begin=lambda token: self.begin(user_of(self._keys.verify, token), token, dialect),
            limits=self.limits,
            dialect=cast(FirstFrameAuthDialect, dialect),  # its entrance says so
            wire_format=wire_format,
            dispatcher=self._dispatcher,
            write_scheduler=self._write_scheduler,
            counters=self._counters,
            liveness=self.liveness,
            max_send_buffer_bytes=self._max_send_buffer_bytes,
        )
