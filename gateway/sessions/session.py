"""The state of one connection, free of I/O: it decides what happens to each frame and request.

A session knows the user, when the token expires, and which requests are unanswered. It knows no socket, dialect or
upstream, so each rule can be read and tested alone.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from parley.chat.v1.chat_pb2 import Message
from parley.chat.v1.message_pb2 import Actor

from chassis.errors import AppError, InvalidArgumentError, PermissionDeniedError, ResourceExhaustedError
from chassis.identity import Identity
from gateway.sessions.commands import Malformed, Reject, Request
from gateway.wire import close_codes

MALFORMED_IN_A_ROW: Final = 10
_WINDOW_SECONDS: Final = 1.0
_CONVERSATIONS_DELIVERED: Final = 1_000
_BUSY_RETRY_MS: Final = 250


class Close(NamedTuple):
    """Close the connection.

    Attributes:
        code: the close code.
        reason: says why, in words for the client.
        is_final: whether the client is not to reconnect by itself, as it would be refused again.
    """

    code: int
    reason: str
    is_final: bool = False


class Reply(NamedTuple):
    """Answer the request with an error now."""

    error: AppError


class Execute(NamedTuple):
    """Execute the request, and call `Session.answered` when it is answered."""


Effect = Execute | Reply | Close

_EXECUTE: Final = Execute()
_FLOOD: Final = Close(close_codes.TOO_MANY, "too many frames")
_MALFORMED: Final = Close(close_codes.MALFORMED, "too many malformed frames", is_final=True)
EXPIRED: Final = Close(close_codes.TOKEN_ENDED, "the token has expired")


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The limits of one connection.

    Attributes:
        frame_bytes: the largest message from the client.
        requests_in_flight: the most unanswered requests.
        frames_per_second: the most frames in a second.
        messages_per_second: the rate limit on messages that clients are informed of; chat enforces its own.
    """

    frame_bytes: int
    requests_in_flight: int
    frames_per_second: int
    messages_per_second: int


class FrameRate:
    """Counts the frames of one socket.

    Args:
        per_second: the most frames in a second.
    """

    __slots__ = ("_began", "_frames", "_per_second")

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._frames = 0
        self._began = 0.0

    def count(self, now: float) -> Close | None:
        """Counts a frame of any kind; returns a Close if there are too many.

        Args:
            now: the time in seconds, of any monotonic clock.
        """
        self._frames += 1
        if self._frames > self._per_second:
            if now - self._began < _WINDOW_SECONDS:
                return _FLOOD
            self._frames, self._began = 1, now
        return None


class Session:
    """The state of one connection.

    Args:
        connection_id: unique among all gateways; the origin of the events that this connection causes.
        identity: the user.
        token: the user's access token, which calls for the user carry.
        limits: the connection's limits.
        dialect_state: what the connection's dialect keeps about it.

    Attributes:
        conversations: ids of conversations by the front-end's names; see `gateway.sessions.commands`.
        ready: whether events are delivered to the session; see `gateway.connections.readiness`.
        in_flight: the number of unanswered requests.
    """

    __slots__ = (
        "_actor",
        "_delivered",
        "_malformed",
        "_waiting",
        "connection_id",
        "conversations",
        "dialect_state",
        "identity",
        "in_flight",
        "limits",
        "ready",
        "token",
    )

    def __init__(
        self, connection_id: str, identity: Identity, token: str, limits: SessionLimits, dialect_state: Any = None
    ) -> None:
        self.connection_id = connection_id
        self.identity = identity
        self.token = token
        self.limits = limits
        self._actor: Actor | None = None  # most sessions never need it
        self.dialect_state = dialect_state
        self.conversations: dict[tuple[str, str], str] = {}
        self.ready = False
        self._waiting: list[Callable[[], None]] = []
        self._delivered: OrderedDict[str, int] | None = None  # only legacy dialects need it
        self.in_flight = 0
        self._malformed = 0

    def become_ready(self) -> None:
        """Marks the session as ready: every event for the user reaches it from now on."""
        self.ready = True
        self.end_waiting()

    def end_waiting(self) -> None:
        """Calls all callbacks of `when_ready`: the session is ready, or the connection is closed."""
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once the session is ready or the connection is closed; at once if the session is ready."""
        if self.ready:
            callback()
        else:
            self._waiting.append(callback)

    async def wait_ready(self) -> None:
        """Waits until the session is ready or the connection is closed."""
        if not self.ready:
            ready = asyncio.get_running_loop().create_future()
            self.when_ready(partial(_resolve, ready))
            await ready

    def is_first_delivery(self, message: Message) -> bool:
        """Returns whether a message is newer than all earlier ones of its conversation, and records it as delivered.

        Forgets the least recently active conversations when there are more than 1,000.
        """
        if self._delivered is None:
            self._delivered = OrderedDict()
        if self._delivered.get(message.conversation_id, 0) >= message.seq:
            return False
        self._delivered[message.conversation_id] = message.seq
        self._delivered.move_to_end(message.conversation_id)
        if len(self._delivered) > _CONVERSATIONS_DELIVERED:
            self._delivered.popitem(last=False)
        return True

    def admit(self, request: Request) -> Effect:
        """Decides what happens to a request."""
        command = request.command
        if isinstance(command, Malformed):
            self._malformed += 1
            return _MALFORMED if self._malformed >= MALFORMED_IN_A_ROW else Reply(command.error)
        self._malformed = 0
        if isinstance(command, Reject):
            return Reply(command.error)
        if self.in_flight >= self.limits.requests_in_flight:
            return Reply(
                ResourceExhaustedError(
                    "TOO_MANY_REQUESTS",
                    f"{self.in_flight} requests of this connection are unanswered",
                    retry_after_ms=_BUSY_RETRY_MS,
                )
            )
        self.in_flight += 1
        return _EXECUTE

    def answered(self) -> None:
        """Records that an executed request is answered."""
        self.in_flight -= 1

    def refresh(self, identity: Identity, token: str) -> None:
        """Replaces the token.

        Raises:
            PermissionDeniedError: TOKEN_OF_ANOTHER_USER.
            InvalidArgumentError: TOKEN_OLDER: the new token expires before the present one.
        """
        present = self.identity
        if (identity.organization_id, identity.user_id) != (present.organization_id, present.user_id):
            raise PermissionDeniedError("TOKEN_OF_ANOTHER_USER", "the access token is of another user")
        if identity.expires_at < present.expires_at:
            raise InvalidArgumentError(
                "TOKEN_OLDER",
                "the access token expires before the one in use",
                fields={"accessToken": "expires before the one in use"},
            )
        self.identity, self.token = identity, token
        self._actor = None

    @property
    def actor(self) -> Actor:
        """The sender of this session's messages and signals."""
        if self._actor is None:
            identity = self.identity
            self._actor = Actor(
                organization_id=identity.organization_id,
                user_id=identity.user_id,
                name=identity.name,
                connection_id=self.connection_id,
            )
        return self._actor


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
