"""Frames that clients send in each dialect, and their replies: with and without an acknowledgement number, with own
ids, and after an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from parley.chat.v1.message_pb2 import SendResult

from chassis.errors import AppError, InvalidArgumentError, PermissionDeniedError, ResourceExhaustedError
from gateway.dialects.base import Dialect
from gateway.dialects.socketio_base import EmittedFrame
from gateway.sessions.commands import ResolveConversation, SendMessage
from tests.unit.gateway.dialects import story
from tests.unit.gateway.dialects.fixture import Frames, dialects, readable
from tests.unit.gateway.fixtures import identity, session


def _emitted(acknowledgement: str, *event: Any) -> EmittedFrame:
    return EmittedFrame(json.dumps(event), acknowledgement)


def _emitting(send: str, body: Mapping[str, Any], act: str) -> dict[str, EmittedFrame]:
    """Returns the frames that all Socket.IO dialects share."""
    to = {"conversationId": story.DIRECT}
    return {
        "a message": _emitted("", send, body),
        "a message, with an acknowledgement": _emitted("7", send, body),
        "a message with tempId, with an acknowledgement": _emitted("8", send, {**body, "tempId": 1_700_000_000_000}),
        "a message with tempId": _emitted("", send, {**body, "tempId": "temp-1"}),
        "a message with clientMessageId, with an acknowledgement": _emitted(
            "9", send, {**body, "clientMessageId": "own-1"}
        ),
        "something else": _emitted("", act, to),
        "something else, with an acknowledgement": _emitted("10", act, to),
        "an event that there is not": _emitted("", "noSuchEvent", to),
        "an event that there is not, with an acknowledgement": _emitted("11", "noSuchEvent", to),
        "no event": EmittedFrame("[", "12"),
    }


FRAMES: Final[Mapping[str, Mapping[str, Any]]] = {
    "telecom": _emitting(
        "sendMessage",
        {"conversationId": story.DIRECT, "content": "Hi", "messageType": "text"},
        "markMessagesAsRead",
    ),
    "projects": _emitting(
        "send_message", {"conversationId": story.DIRECT, "content": "Hi", "type": "text"}, "mark_as_read"
    ),
    "helpdesk": {
        "a message": json.dumps({"type": "message", "receiverId": 42, "content": "Hi"}),
        "a message with tempId": json.dumps({"type": "message", "receiverId": 42, "content": "Hi", "tempId": "temp-1"}),
        "a message with clientMessageId": json.dumps(
            {"type": "message", "receiverId": 42, "content": "Hi", "clientMessageId": 7}
        ),
        "something else": json.dumps({"type": "read", "receiverId": "42"}),
        "a newer token": json.dumps({"type": "refresh_session", "accessToken": "a.b.c"}),
        "a type that there is not": json.dumps({"type": "no_such_type", "tempId": 5}),
        "no object": "[",
    },
    "parley.v1.json": {
        "a message": json.dumps(
            {
                "id": 7,
                "op": "message.send",
                "body": {"conversationId": story.DIRECT, "clientMessageId": "own-1", "text": "Hi"},
            }
        ),
        "something else": json.dumps(
            {"id": 8, "op": "receipt.read", "body": {"conversationId": story.DIRECT, "seq": 1}}
        ),
        "an op that there is not": json.dumps({"id": 9, "op": "no.such.op"}),
        "no object": "[",
    },
}
"""Frames as their transports give them, by dialect."""

RESULT: Final = SendResult(message_id="message-to-bob-0000001", seq=1, rev=1, create_time=story.at(1))
ERRORS: Final[Mapping[str, AppError]] = {
    "fields are wrong": InvalidArgumentError("INVALID_FIELDS", "seq is missing", fields={"seq": "is missing"}),
    "it is not permitted": PermissionDeniedError("NOT_A_MEMBER", "you are no member"),
    "there is too much to do": ResourceExhaustedError("OVERLOADED", "too much waits", retry_after_ms=250),
}


def answered(name: str) -> dict[str, dict[str, Any]]:
    """Returns for each frame its operation and each reply that it may get."""
    dialect = dialects()[name]
    return {label: _answers(dialect, frame) for label, frame in FRAMES[name].items()}


def _answers(dialect: Dialect, frame: Any) -> dict[str, Any]:
    request = dialect.decode(frame, session(identity()))
    reference, error_of_request = request.reference, getattr(request.command, "error", None)
    replies: dict[str, Any] = {"operation": request.operation}
    if error_of_request is not None:
        return replies | {"refused": _frames(dialect.failed(reference, error_of_request))}
    command = (
        request.command.then(story.DIRECT) if isinstance(request.command, ResolveConversation) else request.command
    )
    if isinstance(command, SendMessage):
        replies["sent"] = _frames(dialect.sent(reference, RESULT))
    else:
        replies["done"] = _frames(dialect.done(reference, {}))
    for sentence, error in ERRORS.items():
        replies[sentence] = _frames(dialect.failed(reference, error))
    return replies


def _frames(payloads: tuple[bytes, ...]) -> Frames:
    return [readable(payload) for payload in payloads]
