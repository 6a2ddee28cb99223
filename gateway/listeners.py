"""Combines dialects and transports: which dialect is served at which endpoint, and how its connections are made."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from chassis.identity import Identity
from gateway.connections.dispatcher import RequestDispatcher
from gateway.dialects.base import Dialect, SocketIoEndpoint, WebSocketEndpoint, WireFormat
from gateway.metrics import HotPathCounters
from gateway.sessions.session import Session, SessionLimits
from gateway.settings import Settings
from gateway.transports.rate_limit import RateLimiter
from gateway.transports.socketio.connection import ROOT
from gateway.transports.socketio.server import SocketIo
from gateway.transports.websocket.connection import FirstFrameAuthConnection, WebSocketConnection
from gateway.transports.websocket.framing import text_frame
from gateway.transports.websocket.handshake import (
    AuthorizedUpgrade,
    OriginPolicy,
    Route,
    UpgradeAuthorizer,
    UpgradeRequest,
    verify_user,
)
from gateway.transports.websocket.server import Upgrade, UpgradeResult
from gateway.transports.websocket.socket import ConnectionOptions, Liveness, WriteScheduler
from gateway.upstream.jwks import JwksCache

HELPDESK: Final = "helpdesk"
_CONNECTION_ID_BYTES: Final = 12


class UnknownDialectError(Exception):
    """A setting names a dialect that does not exist, or that is not served over Socket.IO."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """What accepts connections.

    Attributes:
        websocket: upgrades on the WebSocket port.
        helpdesk: upgrades on the helpdesk's own port.
        socketio: Socket.IO on the HTTP port.
    """

    websocket: Upgrade
    helpdesk: Upgrade
    socketio: SocketIo


def create_listeners(
    settings: Settings,
    dialects: Mapping[str, Dialect],
    dispatcher: RequestDispatcher,
    keys: JwksCache,
    counters: HotPathCounters,
) -> Listeners:
    """Creates the listeners. Raises UnknownDialectError."""
    limiter, *preauth = (RateLimiter(settings.connections_per_second, settings.connections_burst) for _ in range(3))
    websocket_preauth, socketio_preauth = preauth
    allows_origin = OriginPolicy(frozenset(settings.allowed_origins)).allows
    factory = _ConnectionFactory(settings, dialects, dispatcher, keys, counters=counters, limiter=limiter)

    def upgrade(served: Mapping[str, Route]) -> Upgrade:
        return partial(
            _upgrade, UpgradeAuthorizer(keys.verify, allows_origin, served, limiter, websocket_preauth), factory
        )

    routes = _routes(dialects)
    helpdesk = next((route for route in routes.values() if route.dialects.get("") == HELPDESK), Route({}))
    helpdesk_routes = {ROOT: helpdesk} | {path: helpdesk for path, route in routes.items() if route is helpdesk}
    return Listeners(
        websocket=upgrade(routes),
        helpdesk=upgrade(helpdesk_routes),
        socketio=SocketIo(
            dialects=_namespaces(dialects, settings.default_dialect),
            options=factory.options,
            new_session=factory.new_session,
            verify=keys.verify,
            limiter=limiter,
            preauth_limiter=socketio_preauth,
            allows_origin=allows_origin,
        ),
    )


def _upgrade(authorizer: UpgradeAuthorizer, factory: _ConnectionFactory, request: UpgradeRequest) -> UpgradeResult:
    authorized = authorizer.authorize(request)
    return UpgradeResult(factory.connection(authorized), authorized.subprotocol)


def _routes(dialects: Mapping[str, Dialect]) -> dict[str, Route]:
    """Returns the dialects at each path; those that share a path differ by their subprotocols."""
    routes: dict[str, Route] = {}
    for name, dialect in dialects.items():
        endpoint = dialect.endpoint
        if isinstance(endpoint, WebSocketEndpoint):
            others = routes[endpoint.path].dialects if endpoint.path in routes else {}
            routes[endpoint.path] = Route({**others, endpoint.subprotocol: name}, endpoint.auth_in_first_frame)
    return routes


def _namespaces(dialects: Mapping[str, Dialect], default: str) -> dict[str, Dialect]:
    namespaces = {
        dialect.endpoint.namespace: dialect
        for dialect in dialects.values()
        if isinstance(dialect.endpoint, SocketIoEndpoint)
    }
    if dialects.get(default) not in namespaces.values():
        names = ", ".join(sorted(dialect.name for dialect in namespaces.values()))
        raise UnknownDialectError(f"PARLEY_DEFAULT_DIALECT is {default!r}; the dialects over Socket.IO are: {names}")
    return {ROOT: dialects[default], **namespaces}


class _ConnectionFactory:
    """Makes connections and their sessions."""

    def __init__(
        self,
        settings: Settings,
        dialects: Mapping[str, Dialect],
        dispatcher: RequestDispatcher,
        keys: JwksCache,
        *,
        counters: HotPathCounters,
        limiter: RateLimiter,
    ) -> None:
        self._limiter = limiter
        self._dialects = dialects
        self._wire_formats = {name: WireFormat(dialect, text_frame) for name, dialect in dialects.items()}
        self._keys = keys
        self.options = ConnectionOptions(
            limits=SessionLimits(
                frame_bytes=settings.frame_bytes,
                requests_in_flight=settings.requests_in_flight,
                frames_per_second=settings.frames_per_second,
                messages_per_second=settings.messages_per_second,
            ),
            liveness=Liveness(settings.ping_seconds, settings.idle_timeout_seconds),
            max_send_buffer_bytes=settings.max_send_buffer_bytes,
            write_scheduler=WriteScheduler(),
            counters=counters,
            dispatcher=dispatcher,
        )

    def new_session(self, identity: Identity, token: str, dialect: Dialect) -> Session:
        """Returns a new session."""
        connection_id = secrets.token_urlsafe(_CONNECTION_ID_BYTES)
        return Session(connection_id, identity, token, self.options.limits, dialect.new_state())

    def _authenticated_session(self, token: str, dialect: Dialect) -> Session:
        identity = verify_user(self._keys.verify, token)
        self._limiter.acquire()
        return self.new_session(identity, token, dialect)

    def connection(self, upgrade: AuthorizedUpgrade) -> WebSocketConnection | FirstFrameAuthConnection:
        """Returns the connection of an authorized upgrade."""
        dialect, wire_format = self._dialects[upgrade.dialect], self._wire_formats[upgrade.dialect]
        if upgrade.identity is not None:
            session = self.new_session(upgrade.identity, upgrade.token, dialect)
            return WebSocketConnection(session=session, wire_format=wire_format, options=self.options)
        endpoint: Any = dialect.endpoint  # a WebSocketEndpoint with `token_from`: only its upgrades have no identity
        return FirstFrameAuthConnection(
            token=upgrade.token,
            token_from=endpoint.token_from,
            new_session=lambda token: self._authenticated_session(token, dialect),
            wire_format=wire_format,
            options=self.options,
        )
