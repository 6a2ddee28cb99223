"""What a dialect is: the contract between a front-end's vocabulary and the rest of the gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.message_pb2 import SendResult
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.errors import AppError
from gateway.sessions.commands import Request, Result, UserCalls
from gateway.sessions.session import Session
from gateway.upstream.presence_cache import PresenceCache
from gateway.upstream.user_cache import UserCache

Payloads = tuple[bytes, ...]
"""What is sent to one client, in order: each is the payload of one frame. Empty where there is nothing to say."""


class Deferred(NamedTuple):
    """What an event is to one client takes calls of the services; what comes for that client meanwhile waits."""

    run: Callable[[UserCalls], Awaitable[Payloads]]


EncodedEvent = Payloads | Callable[[Session], Payloads | Deferred]
"""What an event is to clients: the same to all, or, by session, to each something else."""


def payloads_for(session: Session, speech: EncodedEvent) -> Payloads | Deferred:
    """What an event is to one client."""
    return speech(session) if callable(speech) else speech


ChatEncoders = Mapping[str, Callable[[chat.Event], EncodedEvent]]
"""What a dialect makes of each event of conversations, by the name of its payload: of each one, be it nothing."""


def encode_chat_event(encoders: ChatEncoders, happened: chat.Event) -> EncodedEvent:
    """What an event of a conversation is in a dialect; nothing if it is newer than this gateway."""
    encode = encoders.get(happened.WhichOneof("payload") or "")
    return encode(happened) if encode else ()


class DialectContext(NamedTuple):
    """What dialects look things up in, at once and without a call."""

    people: UserCache
    presence_cache: PresenceCache


class WebSocketEndpoint(NamedTuple):
    """A dialect is spoken on bare WebSockets.

    Attributes:
        path: where.
        subprotocol: what asks for it, where a path has several dialects.
        auth_in_first_frame: whether clients say who they are in their first frame.
    """

    path: str
    subprotocol: str = ""
    auth_in_first_frame: bool = False


class SocketIoEndpoint(NamedTuple):
    """A dialect is spoken in a namespace of Socket.IO."""

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
        """Where it is spoken."""

    @property
    def is_legacy(self) -> bool:
        """Whether its front-end knows no more of a message than that it comes.

        The gateway then tells it of its own messages as well, of none twice, and says for it that it has them.
        """

    def new_state(self) -> Any:
        """What it remembers of a new connection."""

    def decode(self, frame: Any, session: Session) -> Request:
        """Reads a frame as its transport gives it. Never raises: what can't be read or done is a command too."""

    def unreadable(self, error: AppError) -> Request:
        """The request that stands for a frame of which there is no text to decode."""

    def sent(self, reference: Any, receipt: SendResult) -> Payloads:
        """The reply to SendMessage: the one that is on the hot path."""

    def done(self, reference: Any, result: Result) -> Payloads:
        """The reply to any other command."""

    def failed(self, reference: Any, error: AppError) -> Payloads:
        """The reply to a command that failed."""

    def session_ready(self, session: Session, now: float) -> Payloads:
        """The first event of a connection; `now` is Unix time in seconds."""

    def session_closing(self, reconnect_after_ms: int) -> Payloads:
        """The last event of a connection that the gateway is about to close."""

    def chat_event(self, event: chat.Event) -> EncodedEvent:
        """Something happened in a conversation."""

    def notify_event(self, event: notify.Event) -> EncodedEvent:
        """Something happened to a user's notifications."""

    def presence_event(self, event: presence.Event, came_or_went: bool) -> EncodedEvent:
        """Somebody's presence changed; `came_or_went` tells whether between being here and being away."""


class WireFormat:
    """A dialect on a transport: what an event is, ready to be written to every connection that has it.

    Args:
        dialect: the vocabulary.
        frame: how the transport wraps one payload.
    """

    def __init__(self, dialect: Dialect, frame: Callable[[bytes], bytes]) -> None:
        self.dialect = dialect
        self._frame = frame

    def frames(self, payloads: Payloads) -> bytes:
        """Wraps payloads for the wire."""
        if len(payloads) == 1:
            return self._frame(payloads[0])
        return b"".join([self._frame(payload) for payload in payloads])
