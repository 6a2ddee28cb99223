"""What clients ask for, whatever front-end they use: the vocabulary between dialects and the rest of the gateway.

A dialect decodes a frame into one of these; nothing behind it knows how the frame looked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import grpc
from parley.chat.v1.message_pb2 import Draft, MarkDeliveredRequest, MarkReadRequest, SetTypingRequest

from chassis.errors import AppError
from chassis.identity import Identity
from gateway.upstream.clients import Upstreams

Q = TypeVar("Q")
R = TypeVar("R")

Result = dict[str, Any]
"""What a command answers: an object of the contract, or whatever else the dialect that asked makes a reply of."""


class UserCalls(Protocol):
    """Calls upstreams for one user, with that user's token."""

    @property
    def upstreams(self) -> Upstreams:
        """The stubs whose methods are called."""

    @property
    def identity(self) -> Identity:
        """The user."""

    async def wait_ready(self) -> None:
        """Waits until whatever happens to the user reaches the connection, or the connection is no more."""

    async def call(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], request: Q, *, conversation_id: str = "") -> R:
        """Makes one call. Raises AppError."""


class SendMessage(NamedTuple):
    """Send a message; answers where it landed, as `Receipt` does."""

    draft: Draft


class SendSignal(NamedTuple):
    """Tell of a receipt or of typing; answers nothing."""

    signal: MarkReadRequest | MarkDeliveredRequest | SetTypingRequest


class CallUpstream(NamedTuple):
    """Do anything else that takes calls of the services; answers what `run` returns."""

    run: Callable[[UserCalls], Awaitable[Result]]


class ResolveConversation(NamedTuple):
    """Do something in a conversation that the front-end calls by another name than its id.

    What comes after it for the same name waits for it, so that all is done in the order in which it came.

    Attributes:
        name: what the conversation is called, within the session.
        find: finds its id. Raises AppError.
        then: makes the command, once the id is there.
        anew: find it even if it was found before.
    """

    name: tuple[str, str]
    find: Callable[[UserCalls], Awaitable[str]]
    then: Callable[[str], SendMessage | SendSignal | CallUpstream]
    anew: bool = False


class SetIdle(NamedTuple):
    """Say whether the user is at the device; answers nothing."""

    idle: bool


class RefreshSession(NamedTuple):
    """Go on with a newer token; answers until when it holds."""

    access_token: str


class Reject(NamedTuple):
    """Answer that a request could be read but not be carried out."""

    error: AppError


class Malformed(NamedTuple):
    """Answer that a frame could not be read; too many in a row end the connection."""

    error: AppError


Command = SendMessage | SendSignal | CallUpstream | ResolveConversation | SetIdle | RefreshSession | Reject | Malformed


class Request(NamedTuple):
    """A decoded frame.

    Attributes:
        reference: what the dialect needs to address the reply, such as the client's id of the request.
        operation: the name of what was asked, for metrics: one of a fixed set, never what a client made up.
        command: what was asked.
    """

    reference: Any
    operation: str
    command: Command
