"""The base of the dialects over Socket.IO: events with one argument, acknowledgements, and errors.

A client emits `[name, payload]`, with or without an acknowledgement number. With one, the acknowledgement is
`{ok: true, ...}` or `{ok: false, error}`. Without one, an error is emitted as an event `error`, and success has no
reply.
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
from gateway.dialects.ids import echoed_ids, format_id
from gateway.dialects.validation import AccessToken, Form, read
from gateway.sessions.commands import Command, Malformed, RefreshSession, Reject, Request, Result
from gateway.sessions.session import Close, Session
from gateway.wire import json_objects
from gateway.wire.field_errors import renamed
from gateway.wire.timestamps import time_text, time_text_of

_CHAT_IDS: Final = frozenset({"conversationId", "messageId", "senderId", "actorId"})
_UNKNOWN: Final = "unknown"
_NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})
_encode: Final = msgspec.json.Encoder().encode


class EmittedFrame(NamedTuple):
    """An event that a client emitted.

    Attributes:
        event: JSON: a list of the event's name and its arguments.
        acknowledgement: the acknowledgement number, or empty.
    """

    event: str
    acknowledgement: str


class Reference(NamedTuple):
    """What ties a reply to its event.

    Attributes:
        event: the event's name.
        acknowledgement: the acknowledgement number, or empty.
        echo: the fields of the event that the reply repeats.
    """

    event: str
    acknowledgement: str
    echo: Mapping[str, Any]


class Operation(NamedTuple):
    """An event that clients emit.

    Attributes:
        form: the schema of its payload.
        command: makes the command from the payload and the session. Raises InvalidArgumentError.
        names: the front-end's names of fields by the services' names, for errors.
    """

    form: type[Form]
    command: Callable[[Any, Session], Command]
    names: Mapping[str, str] = _NO_NAMES


class RefreshSessionForm(Form):
    """The payload that replaces the session's token."""

    access_token: AccessToken


class SessionEvents(NamedTuple):
    """A dialect's names of the events that concern the session.

    Attributes:
        refresh: emitted by clients, with a newer token.
        expiring: emitted to clients before the token expires.
        closed: emitted to clients before the gateway closes the connection.
    """

    refresh: str
    expiring: str
    closed: str


CAMEL_CASE: Final = SessionEvents("refreshSession", "sessionExpiring", "sessionClosed")
SNAKE_CASE: Final = SessionEvents("refresh_session", "session_expiring", "session_closed")


def event(name: str, body: Mapping[str, Any]) -> bytes:
    """Returns the packet of an event, without its namespace."""
    return b'2["%s",%s]' % (name.encode(), _encode(body))


def reply(body: Mapping[str, Any], *emitted: tuple[str, Mapping[str, Any]]) -> Result:
    """Returns a command's result: the reply, and the events to emit to the connection before it."""
    return {"reply": body, "emitted": emitted}


def notification_object(created: NotificationCreated) -> dict[str, Any]:
    """Returns a notification; formats the ids that chat put into its data, and leaves the rest of the data as it is."""
    notification = json_objects.notification_object(created.notification)
    data = {name: format_id(value) if name in _CHAT_IDS else value for name, value in notification["data"].items()}
    return {**notification, "data": data}


class SocketIoDialect:
    """The base class.

    Args:
        operations: the events that clients emit, by name.
        session_events: the names of the events of the session.
    """

    is_legacy = True

    def __init__(self, operations: Mapping[str, Operation], session_events: SessionEvents = CAMEL_CASE) -> None:
        self._operations = {session_events.refresh: Operation(RefreshSessionForm, _refresh), **operations}
        self._session_events = session_events

    def decode(self, frame: EmittedFrame, session: Session) -> Request:
        """Decodes an event; never raises."""
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
        reference = Reference(name, frame.acknowledgement, echoed_ids(body, "conversationId", *OWN_IDS))
        try:
            check_claims(body, session.identity)
            return Request(reference, name, operation.command(read(body, operation.form), session))
        except AppError as error:
            return Request(reference, name, Reject(error))

    def _malformed(self, frame: EmittedFrame, message: str) -> Request:
        error = InvalidArgumentError("MALFORMED_EVENT", message)
        return Request(Reference(_UNKNOWN, frame.acknowledgement, {}), _UNKNOWN, Malformed(error))

    def unreadable(self, error: AppError) -> Request:
        """Returns the request that stands for a malformed packet."""
        return Request(Reference(_UNKNOWN, "", {}), _UNKNOWN, Malformed(error))

    def sent(self, reference: Reference, result: SendResult) -> Payloads:
        """Encodes the reply to a sent message; its event goes to everyone, including the sender."""
        if not reference.acknowledgement:
            return ()
        body = {"messageId": result.message_id, "seq": result.seq, "timestamp": time_text(result.create_time)}
        return (_acknowledgement(reference, {"ok": True, **reference.echo, **body}),)

    def done(self, reference: Reference, result: Result) -> Payloads:
        """Encodes the reply to any other event, and the events emitted before it."""
        emitted = tuple(event(name, body) for name, body in result.get("emitted", ()))
        if not reference.acknowledgement:
            return emitted
        return (*emitted, _acknowledgement(reference, {"ok": True, **reference.echo, **result.get("reply", result)}))

    def failed(self, reference: Reference, error: AppError) -> Payloads:
        """Encodes an error as the acknowledgement, or as the event `error`."""
        operation = self._operations.get(reference.event)
        details = json_objects.error_object(renamed(error, operation.names if operation else _NO_NAMES))
        if reference.acknowledgement:
            return (_acknowledgement(reference, {"ok": False, **reference.echo, "error": details}),)
        return (event("error", {"event": reference.event, **reference.echo, **details}),)

    def session_ready(self, session: Session, now: float) -> Payloads:
        """Encodes nothing: Socket.IO itself tells the client that it is connected."""
        return ()

    def session_closing(self, reconnect_after_ms: int) -> Payloads:
        """Encodes nothing: Socket.IO clients reconnect by themselves."""
        return ()

    def session_expiring(self, expires_at: float) -> Payloads:
        """Encodes an event, which front-ends without such an event ignore."""
        return (event(self._session_events.expiring, {"expireTime": time_text_of(expires_at)}),)

    def session_closed(self, close: Close) -> Payloads:
        """Encodes an event: Socket.IO's own `disconnect` does not say why."""
        body = {"code": close.code, "message": close.reason, "reconnect": not close.is_final}
        return (event(self._session_events.closed, body),)


def _refresh(form: RefreshSessionForm, _: Session) -> Command:
    return RefreshSession(form.access_token)


def _acknowledgement(reference: Reference, body: Mapping[str, Any]) -> bytes:
    return b"3%s[%s]" % (reference.acknowledgement.encode(), _encode(body))
