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
    desk: RequestDispatcher,
    keys: JwksCache,
    tally: HotPathCounters,
) -> Listeners:
    """Makes the ways in. Raises UnknownDialectError."""
    pace = RateLimiter(settings.connections_per_second, settings.connections_burst)
    origins = OriginPolicy(frozenset(settings.allowed_origins))
    connections = _Connections(settings, dialects, desk, keys, tally)
    doors = _doors(dialects)
    doorkeeper = UpgradeAuthorizer(keys.verify, origins.welcome, doors, pace.keep)
    helpdesk = next((door for door in doors.values() if door.dialects.get("") == HELPDESK), Route({}))
    at_any_path = {ROOT: helpdesk} | {path: helpdesk for path, door in doors.items() if door is helpdesk}
    socketio = SocketIo(
        dialects=_namespaces(dialects, settings.default_dialect),
        desk=desk,
        begin=connections.begin,
        verify=keys.verify,
        keep_pace=pace.keep,
        keep_pace_before=RateLimiter(settings.connections_per_second, settings.connections_burst).keep,
        welcomes=origins.welcome,
        limits=connections.limits,
        liveness=connections.liveness,
        unsent_bytes=settings.unsent_bytes,
        wires=connections.wire,
    )
    return Listeners(
        websocket=partial(_admit, doorkeeper, connections),
        helpdesk=partial(_admit, UpgradeAuthorizer(keys.verify, origins.welcome, at_any_path, pace.keep), connections),
        socketio=socketio,
    )


def _admit(doorkeeper: UpgradeAuthorizer, connections: _Connections, request: UpgradeRequest) -> UpgradeResult:
    admission = doorkeeper.admit(request)
    return UpgradeResult(connections.websocket(admission), admission.subprotocol)


def _doors(dialects: Mapping[str, Dialect]) -> dict[str, Route]:
    """What is at each path; dialects that share one differ by their subprotocols."""
    doors: dict[str, Route] = {}
    for name, dialect in dialects.items():
        at = dialect.entrance
        if isinstance(at, WebSocketEndpoint):
            others = doors[at.path].dialects if at.path in doors else {}
            doors[at.path] = Route({**others, at.subprotocol: name}, at.is_greeted)
    return doors


def _namespaces(dialects: Mapping[str, Dialect], default: str) -> dict[str, Dialect]:
    spoken = {one.entrance.namespace: one for one in dialects.values() if isinstance(one.entrance, SocketIoEndpoint)}
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
        desk: RequestDispatcher,
        keys: JwksCache,
        tally: HotPathCounters,
    ) -> None:
        self.limits = SessionLimits(
            frame_bytes=settings.frame_bytes,
            requests_in_flight=settings.requests_in_flight,
            frames_per_second=settings.frames_per_second,
            messages_per_second=settings.messages_per_second,
        )
        self.liveness = Liveness(settings.ping_seconds, settings.silence_seconds)
        self._dialects = dialects
        self._fronts = {name: WireFormat(dialect, text_frame) for name, dialect in dialects.items()}
        self._desk = desk
        self._keys = keys
        self._tally = tally
        self._outbox = WriteScheduler()
        self._unsent_bytes = settings.unsent_bytes
        self.wire = partial(
            EngineWebSocket, limits=self.limits, outbox=self._outbox, tally=tally, unsent_bytes=settings.unsent_bytes
        )

    def begin(self, identity: Identity, token: str, dialect: Dialect) -> Session:
        """A new session."""
        return Session(secrets.token_urlsafe(_SESSION_ID_BYTES), identity, token, self.limits, dialect.notes())

    def websocket(self, admission: AuthorizedUpgrade) -> WebSocketConnection | FirstFrameAuthConnection:
        """The connection of an admission."""
        dialect, front = self._dialects[admission.dialect], self._fronts[admission.dialect]
        if admission.identity is not None:
            return WebSocketConnection(
                session=self.begin(admission.identity, admission.token, dialect),
                front=front,
                desk=self._desk,
                outbox=self._outbox,
                tally=self._tally,
                liveness=self.liveness,
                unsent_bytes=self._unsent_bytes,
            )
        return FirstFrameAuthConnection(
            token=admission.token,
            begin=lambda token: self.begin(user_of(self._keys.verify, token), token, dialect),
            limits=self.limits,
            dialect=cast(FirstFrameAuthDialect, dialect),  # its entrance says so
            front=front,
            desk=self._desk,
            outbox=self._outbox,
            tally=self._tally,
            liveness=self.liveness,
            unsent_bytes=self._unsent_bytes,
        )
