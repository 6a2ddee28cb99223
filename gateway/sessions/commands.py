"""The commands that clients issue, whatever their front-end: the vocabulary between dialects and the gateway's core.

A dialect decodes a frame into a `Request` with one of these commands; the code behind it never sees the frame.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from parley.chat.v1.message_pb2 import Draft, MarkDeliveredRequest, MarkReadRequest, SetTypingRequest

from chassis.errors import AppError
from gateway.sessions.user_client import UserClient

Result = dict[str, Any]
"""The result of a command: an object of the contract, or any other dict that the command's own dialect encodes."""


class SendMessage(NamedTuple):
    """Sends a message; the result is chat's `SendResult`."""

    draft: Draft


class SendSignal(NamedTuple):
    """Sends a receipt or a typing signal; the result is empty."""

    signal: MarkReadRequest | MarkDeliveredRequest | SetTypingRequest


class CallUpstream(NamedTuple):
    """Makes any other calls to the services; the result is that of `run`, which raises AppError."""

    run: Callable[[UserClient], Awaitable[Result]]


class ResolveConversation(NamedTuple):
    """Runs a command in a conversation that the front-end names by something other than its id.

    Later commands for the same name wait until the id is known, so all of them run in the order of their arrival.

    Attributes:
        name: the front-end's name of the conversation, unique in the session.
        find: returns its id. Raises AppError.
        then: makes the command from the id.
        refresh: call `find` even if the session knows the id.
    """

    name: tuple[str, str]
    find: Callable[[UserClient], Awaitable[str]]
    then: Callable[[str], SendMessage | SendSignal | CallUpstream]
    refresh: bool = False


class SetIdle(NamedTuple):
    """Reports whether the user is idle; the result is empty."""

    idle: bool


class RefreshSession(NamedTuple):
    """Replaces the session's token by a newer one; the result has its expiry time."""

    access_token: str


class Reject(NamedTuple):
    """Answers a readable request with an error."""

    error: AppError


class Malformed(NamedTuple):
    """Answers an unreadable frame with an error; too many in a row close the connection."""

    error: AppError


Command = SendMessage | SendSignal | CallUpstream | ResolveConversation | SetIdle | RefreshSession | Reject | Malformed


class Request(NamedTuple):
    """A decoded frame.

    Attributes:
        reference: what the dialect needs to address the reply, such as the client's request id.
        operation: the name of the operation, for metrics: one of a fixed set, never a client's own text.
        command: the command to run.
    """

    reference: Any
    operation: str
    command: Command
