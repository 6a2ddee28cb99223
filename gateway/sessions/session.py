"""One connection's state, free of I/O: frames and requests go in, and what is to be done about them comes out.

A session knows who is connected, until when, and how much is unanswered. It knows no socket, no dialect and no
upstream, so each of its rules can be read and tested by itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from parley.chat.v1.chat_pb2 import Message
from parley.chat.v1.message_pb2 import Actor

from chassis.errors import AppError, InvalidArgumentError, PermissionDeniedError, ResourceExhaustedError
from chassis.identity import Identity
from gateway.sessions.commands import Malformed, Reject, Request
from gateway.wire import close_codes

MALFORMED_IN_A_ROW: Final = 10
_WINDOW_SECONDS: Final = 1.0
_CONVERSATIONS_HEARD: Final = 1_000
_BUSY_RETRY_MS: Final = 250


class Close(NamedTuple):
    """The connection is to be closed."""

    code: int
    reason: str


class Reply(NamedTuple):
    """The request is to be answered with an error, at once."""

    error: AppError


class Execute(NamedTuple):
    """The request is to be carried out, and `Session.answered` called when it is answered."""


Effect = Execute | Reply | Close

_CARRY_OUT: Final = Execute()
_FLOOD: Final = Close(close_codes.TOO_MANY, "too many frames")
_NONSENSE: Final = Close(close_codes.MALFORMED, "too many malformed frames")
EXPIRED: Final = Close(close_codes.TOKEN_ENDED, "the token has expired")


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one connection may do.

    Attributes:
        frame_bytes: the largest frame.
        requests_in_flight: how many requests may be unanswered.
        frames_per_second: how many frames may come within a second.
        messages_per_second: what clients are told of the limit that chat keeps.
    """

    frame_bytes: int
    requests_in_flight: int
    frames_per_second: int
    messages_per_second: int


class FrameRate:
    """Counts the frames of one socket.

    Args:
        per_second: how many may come within a second.
    """

    __slots__ = ("_began", "_frames", "_per_second")

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._frames = 0
        self._began = 0.0

    def count(self, now: float) -> Close | None:
        """Counts a frame of any kind; `now` is in seconds of any clock that only moves forward."""
        self._frames += 1
        if self._frames > self._per_second:
            if now - self._began < _WINDOW_SECONDS:
                return _FLOOD
            self._frames, self._began = 1, now
        return None


class Session:
    """The state of one connection.

    Args:
        session_id: unique among all gateways; the origin in events that this connection causes.
        identity: who is connected.
        token: the access token that says so; calls for the user carry it.
        limits: what the connection may do.
        dialect_state: what the connection's dialect remembers of it.
    """

    __slots__ = (
        "_actor",
        "_heard",
        "_malformed",
        "_waiting",
        "conversations",
        "dialect_state",
        "identity",
        "in_flight",
        "limits",
        "ready",
        "session_id",
        "token",
    )

    def __init__(
        self, session_id: str, identity: Identity, token: str, limits: SessionLimits, dialect_state: Any = None
    ) -> None:
        self.session_id = session_id
        self.identity = identity
        self.token = token
        self.limits = limits
        self._actor: Actor | None = None  # most sessions never need it
        self.dialect_state = dialect_state
        self.conversations: dict[
            tuple[str, str], str
        ] = {}  # ids by other names; see `gateway.sessions.commands.Resolve`
        self.ready = False  # events go to sessions that are; see `gateway.connections.readiness`
        self._waiting: list[Callable[[], None]] = []
        self._heard: OrderedDict[str, int] | None = None  # most dialects see repeats by themselves
        self.in_flight = 0
        self._malformed = 0

    def become_ready(self) -> None:
        """Notes that whatever happens to the user from now on reaches the connection."""
        self.ready = True
        self.end_waiting()

    def end_waiting(self) -> None:
        """Has nobody wait any longer for the session to be ready: it is, or the connection is no more."""
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()

    def is_news(self, message: Message) -> bool:
        """Whether a message is beyond those of its conversation that came before; from now on it isn't.

        Of very many conversations, those are forgotten that have been silent longest.
        """
        if self._heard is None:
            self._heard = OrderedDict()
        if self._heard.get(message.conversation_id, 0) >= message.seq:
            return False
        self._heard[message.conversation_id] = message.seq
        self._heard.move_to_end(message.conversation_id)
        if len(self._heard) > _CONVERSATIONS_HEARD:
            self._heard.popitem(last=False)
        return True

    def when_ready(self, then: Callable[[], None]) -> None:
        """Calls `then` once the session is ready, or is no more: at once, if it is ready."""
        if self.ready:
            then()
        else:
            self._waiting.append(then)

    def admit(self, request: Request) -> Effect:
        """Decides what becomes of a request."""
        command = request.command
        if isinstance(command, Malformed):
            self._malformed += 1
            return _NONSENSE if self._malformed >= MALFORMED_IN_A_ROW else Reply(command.error)
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
        return _CARRY_OUT

    def answered(self) -> None:
        """Notes that a request that was carried out has its answer."""
        self.in_flight -= 1

    def refresh(self, identity: Identity, token: str) -> None:
        """Goes on with another token.

        Raises:
            PermissionDeniedError: it is of another user.
            InvalidArgumentError: it expires before the present one.
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
        """Who sends what comes from this session."""
        if self._actor is None:
            identity = self.identity
            self._actor = Actor(
                organization_id=identity.organization_id,
                user_id=identity.user_id,
                name=identity.name,
                connection_id=self.session_id,
            )
        return self._actor
