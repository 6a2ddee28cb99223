"""What the dialects of Socket.IO have in common: events with one argument, acknowledgements, and errors.

A client emits `[name, payload]`, with or without a number to be answered under. The answer is `{ok: true, ...}` or
`{ok: false, error}`; without a number, an error is emitted as an event `error`, and the rest needs no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from parley.chat.v1.message_pb2 import SendResult
from parley.notify.v1.notification_pb2 import NotificationCreated

from chassis.errors import AppError, InvalidArgumentError, UnimplementedError
from gateway.dialects.base import Payloads
from gateway.dialects.client_message_ids import OWN_IDS
from gateway.dialects.identity_claims import check_claims
from gateway.dialects.ids import format_id, repeated
from gateway.dialects.validation import Form, read
from gateway.sessions.commands import Command, Malformed, Reject, Request, Result
from gateway.sessions.session import Session
from gateway.wire import json_objects
from gateway.wire.field_errors import renamed
from gateway.wire.timestamps import time_text

_CHATS_IDS: Final = frozenset({"conversationId", "messageId", "senderId", "actorId"})
_UNKNOWN: Final = "unknown"
_NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})
_encode: Final = msgspec.json.Encoder().encode


class EmittedFrame(NamedTuple):
    """What a client emitted.

    Attributes:
        event: JSON: a list of the event's name and its arguments.
        acknowledgement: the number under which it wants an answer, or empty.
    """

    event: str
    acknowledgement: str


class Reference(NamedTuple):
    """How an answer finds its question.

    Attributes:
        event: the event's name.
        acknowledgement: the number to answer under, or empty.
        echo: what of the question is repeated in the answer.
    """

    event: str
    acknowledgement: str
    echo: Mapping[str, Any]


class Operation(NamedTuple):
    """One event that clients emit.

    Attributes:
        form: what its payload looks like.
        command: makes the command of a payload and of whose it is. Raises InvalidArgumentError.
        names: what its fields are called here that services complain of by other names.
    """

    form: type[Form]
    command: Callable[[Any, Session], Command]
    names: Mapping[str, str] = _NO_NAMES


def event(name: str, body: Mapping[str, Any]) -> bytes:
    """The packet of an event, but for its namespace."""
    return b'2["%s",%s]' % (name.encode(), _encode(body))


def done(answer: Mapping[str, Any], *emitted: tuple[str, Mapping[str, Any]]) -> Result:
    """The outcome of a command: what is answered, and what is emitted to the connection before."""
    return {"answer": answer, "emitted": emitted}


def notification_object(created: NotificationCreated) -> dict[str, Any]:
    """A notification, with the ids that chat put in it as front-ends know them; what the CRM put in stays as it is."""
    made = json_objects.notification_object(created.notification)
    data = {name: format_id(part) if name in _CHATS_IDS else part for name, part in made["data"].items()}
    return {**made, "data": data}


class SocketIoDialect:
    """What a dialect of Socket.IO inherits.

    Args:
        operations: what clients emit, by name.
    """

    is_legacy = True

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations

    def decode(self, frame: EmittedFrame, session: Session) -> Request:
        """Reads an event; never raises."""
        try:
            parts = msgspec.json.decode(frame.event)
        except (msgspec.DecodeError, RecursionError):
            return self._malformed(frame, "the event is not JSON")
        if not isinstance(parts, list) or not parts or not isinstance(parts[0], str):
            return self._malformed(frame, "the event has no name")
        name, body = parts[0], parts[1] if len(parts) > 1 else None
        operation = self._operations.get(name)
        if operation is None:
            unknown = UnimplementedError("UNKNOWN_EVENT", "there is no such event")
            return Request(Reference(name[:64], frame.acknowledgement, {}), _UNKNOWN, Reject(unknown))
        reference = Reference(name, frame.acknowledgement, repeated(body, "conversationId", *OWN_IDS))
        try:
            check_claims(body, session.identity)
            return Request(reference, name, operation.command(read(body, operation.form), session))
        except AppError as error:
            return Request(reference, name, Reject(error))

    def _malformed(self, frame: EmittedFrame, sentence: str) -> Request:
        error = InvalidArgumentError("MALFORMED_EVENT", sentence)
        return Request(Reference(_UNKNOWN, frame.acknowledgement, {}), _UNKNOWN, Malformed(error))

    def unreadable(self, error: AppError) -> Request:
        """The request that stands for a packet that is no event."""
        return Request(Reference(_UNKNOWN, "", {}), _UNKNOWN, Malformed(error))

    def sent(self, reference: Reference, receipt: SendResult) -> Payloads:
        """The answer to a message that was sent; the event of it comes to everybody, its sender too."""
        if not reference.acknowledgement:
            return ()
        body = {"messageId": receipt.message_id, "seq": receipt.seq, "timestamp": time_text(receipt.create_time)}
        return (_answer(reference, {"ok": True, **reference.echo, **body}),)

    def done(self, reference: Reference, result: Result) -> Payloads:
        """What follows from anything else."""
        emitted = tuple(event(name, body) for name, body in result.get("emitted", ()))
        if not reference.acknowledgement:
            return emitted
        return (*emitted, _answer(reference, {"ok": True, **reference.echo, **result.get("answer", {})}))

    def failed(self, reference: Reference, error: AppError) -> Payloads:
        """The answer to what failed, or the event `error`."""
        operation = self._operations.get(reference.event)
        about = json_objects.error_object(renamed(error, operation.names if operation else _NO_NAMES))
        if reference.acknowledgement:
            return (_answer(reference, {"ok": False, **reference.echo, "error": about}),)
        return (event("error", {"event": reference.event, **reference.echo, **about}),)

    def session_ready(self, session: Session, now: float) -> Payloads:
        """Nothing: Socket.IO itself tells that a client is connected."""
        return ()

    def session_closing(self, reconnect_after_ms: int) -> Payloads:
        """Nothing: Socket.IO's clients come back by themselves."""
        return ()


def _answer(reference: Reference, body: Mapping[str, Any]) -> bytes:
    return b"3%s[%s]" % (reference.acknowledgement.encode(), _encode(body))
