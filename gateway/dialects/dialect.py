"""What a dialect is: the contract between a front-end's vocabulary and the rest of the gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.message_pb2 import Receipt
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.errors import AppError
from chassis.identity import Identity
from gateway.commands import Request, Result
from gateway.session import Session

Payloads = tuple[bytes, ...]
"""What is sent to one client, in order: each is the payload of one frame. Empty where there is nothing to say."""

Speech = Payloads | Callable[[str], Payloads]
"""What an event is to clients: the same to all, or, by user id, to each user something else."""


class Dialect(Protocol):
    """One front-end's vocabulary.

    It is shared by all connections that speak it, so it holds no state of any of them. `reference` is what `decode`
    put into the request: how a reply finds the question.
    """

    @property
    def name(self) -> str:
        """Its name in metrics and in negotiation."""

    def decode(self, text: str, identity: Identity) -> Request:
        """Reads a frame that `identity` sent. Never raises: what can't be read or done is a command too."""

    def unreadable(self, error: AppError) -> Request:
        """The request that stands for a frame of which there is no text to decode."""

    def sent(self, reference: Any, receipt: Receipt) -> Payloads:
        """The reply to SendMessage: the one that is on the hot path."""

    def done(self, reference: Any, result: Result) -> Payloads:
        """The reply to any other command."""

    def failed(self, reference: Any, error: AppError) -> Payloads:
        """The reply to a command that failed."""

    def session_ready(self, session: Session, now: float) -> Payloads:
        """The first event of a connection; `now` is Unix time in seconds."""

    def session_closing(self, reconnect_after_ms: int) -> Payloads:
        """The last event of a connection that the gateway is about to close."""

    def chat_event(self, event: chat.Event) -> Speech:
        """Something happened in a conversation."""

    def notify_event(self, event: notify.Event) -> Payloads:
        """Something happened to a user's notifications."""

    def presence_event(self, event: presence.Event) -> Payloads:
        """Somebody's presence changed."""


class Front:
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
