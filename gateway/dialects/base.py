"""The contract between a front-end's vocabulary and the rest of the gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.message_pb2 import SendResult
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.errors import AppError
from gateway.sessions.commands import Request, Result
from gateway.sessions.session import Close, Session
from gateway.sessions.user_client import UserClient
from gateway.upstream.presence_cache import PresenceCache
from gateway.upstream.user_cache import UserCache

Payloads = tuple[bytes, ...]
"""What to send to one client, in order: each is the payload of one frame. Empty to send nothing."""


class Deferred(NamedTuple):
    """Payloads that need calls of the services; later payloads for the same client wait for them."""

    run: Callable[[UserClient], Awaitable[Payloads]]


EncodedEvent = Payloads | Callable[[Session], Payloads | Deferred]
"""An encoded event: the same payloads for every client, or a function that returns each session's own."""


def payloads_for(session: Session, event: EncodedEvent) -> Payloads | Deferred:
    """Returns an event's payloads for a session."""
    return event(session) if callable(event) else event


ChatEncoders = Mapping[str, Callable[[chat.Event], EncodedEvent]]
"""A dialect's encoder of each event of conversations, by the name of the event's payload; complete, so that ignoring an
event is a decision."""


def encode_chat_event(encoders: ChatEncoders, event: chat.Event) -> EncodedEvent:
    """Encodes an event of a conversation; returns nothing for one that is newer than this gateway."""
    encode = encoders.get(event.WhichOneof("payload") or "")
    return encode(event) if encode else ()


class DialectContext(NamedTuple):
    """The caches that dialects use."""

    user_cache: UserCache
    presence_cache: PresenceCache


class WebSocketEndpoint(NamedTuple):
    """A dialect on plain WebSockets.

    Attributes:
        path: its path.
        subprotocol: the subprotocol that selects it, at a path with several dialects.
        token_from: returns the access token in a client's first frame, or "" if it has none. Raises AppError for any
            other frame. None if the upgrade authenticates clients.
    """

    path: str
    subprotocol: str = ""
    token_from: Callable[[str], str] | None = None

    @property
    def auth_in_first_frame(self) -> bool:
        """Whether the first frame authenticates clients."""
        return self.token_from is not None


class SocketIoEndpoint(NamedTuple):
    """A dialect in a namespace of Socket.IO."""

    namespace: str


class Dialect(Protocol):
    """One front-end's vocabulary.

    All connections that speak the dialect share it, so it holds no state of a connection: that is in
    `session.dialect_state`, which only the dialect reads and writes. `reference` is what `decode` put into the request
    and what ties a reply to it.
    """

    @property
    def name(self) -> str:
        """Its name in metrics and in negotiation."""

    @property
    def endpoint(self) -> WebSocketEndpoint | SocketIoEndpoint:
        """Where it is served."""

    @property
    def is_legacy(self) -> bool:
        """Whether its front-end expects each message as an event and nothing else: no seqs, no delivery receipts.

        For a legacy dialect the gateway also delivers a client's own messages, drops repeats, and confirms delivery.
        """

    def new_state(self) -> Any:
        """Returns the `dialect_state` of a new session."""

    def decode(self, frame: Any, session: Session) -> Request:
        """Decodes a frame in the form that its transport has. Never raises: a bad frame becomes a command too."""

    def unreadable(self, error: AppError) -> Request:
        """Returns the request that stands for a frame without text."""

    def sent(self, reference: Any, result: SendResult) -> Payloads:
        """Encodes the reply to SendMessage, the reply on the hot path."""

    def done(self, reference: Any, result: Result) -> Payloads:
        """Encodes the reply to any other command."""

    def failed(self, reference: Any, error: AppError) -> Payloads:
        """Encodes the reply to a command that failed."""

    def session_ready(self, session: Session, now: float) -> Payloads:
        """Encodes the first event of a connection; `now` is Unix time in seconds."""

    def session_closing(self, reconnect_after_ms: int) -> Payloads:
        """Encodes the last event of a connection that the gateway is about to close."""

    def session_expiring(self, expires_at: float) -> Payloads:
        """Encodes that the session's token expires soon, at a Unix time in seconds."""

    def session_closed(self, close: Close) -> Payloads:
        """Encodes why the gateway closes a connection, for transports whose close cannot say so."""

    def chat_event(self, event: chat.Event) -> EncodedEvent:
        """Encodes an event of a conversation."""

    def notify_event(self, event: notify.Event) -> EncodedEvent:
        """Encodes an event of a user's notifications."""

    def presence_event(self, event: presence.Event, came_or_went: bool) -> EncodedEvent:
        """Encodes a change of presence; `came_or_went` says whether the user came online or went offline by it."""


class WireFormat:
    """A dialect on a transport: turns payloads into bytes that can be written to every connection with this format.

    Args:
        dialect: the dialect.
        frame: frames one payload for the transport.
    """

    def __init__(self, dialect: Dialect, frame: Callable[[bytes], bytes]) -> None:
        self.dialect = dialect
        self._frame = frame

    def frames(self, payloads: Payloads) -> bytes:
        """Frames payloads."""
        if len(payloads) == 1:
            return self._frame(payloads[0])
        return b"".join([self._frame(payload) for payload in payloads])
