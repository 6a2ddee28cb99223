"""`parley.v1.json`: Parley's own vocabulary, JSON in text frames. The ops are in `requests`.

A good frame of the hot path is decoded, checked and typed in one pass: msgspec picks the schema by the frame's `op`.
All other frames are decoded as plain JSON and read by the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple, Union

import msgspec
from msgspec import Meta, Struct
from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.chat_pb2 import Conversation
from parley.chat.v1.message_pb2 import SendResult
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.contract.fields import MAX_INTEGER
from chassis.errors import AppError, InvalidArgumentError, UnimplementedError
from gateway.dialects.base import Dialect, DialectContext, EncodedEvent, Payloads, WebSocketEndpoint
from gateway.dialects.native.requests import HOT, MakeCommand, NotHotError, all_commands
from gateway.dialects.native.schemas import TEXT_BYTES
from gateway.sessions.commands import Command, Malformed, Reject, Request, Result
from gateway.sessions.session import Close, Session
from gateway.wire import json_objects
from gateway.wire.timestamps import time_text, time_text_of

NAME: Final = "parley.v1.json"
_NO_ID: Final = 0
_UNKNOWN: Final = "unknown"

RequestId = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]


class _HotOp(NamedTuple):
    name: str
    command: Callable[[Any], Command]


def _frame_type(name: str, body: type) -> type[Struct]:
    return msgspec.defstruct("Frame", [("id", RequestId), ("body", body)], tag_field="op", tag=name)


_FRAMES: Final[dict[type[Struct], _HotOp]] = {
    _frame_type(name, body): _HotOp(name, command) for name, (body, command) in HOT.items()
}
_decoder: Final = msgspec.json.Decoder(Union[tuple(_FRAMES)])  # noqa: UP007  # made at run time
_encode: Final = msgspec.json.Encoder().encode


class NativeDialect:
    """The dialect of Parley's own clients.

    Args:
        commands: the ops by name, each with what makes its command; by default those of all services.
    """

    name = NAME
    endpoint = WebSocketEndpoint("/ws", subprotocol=NAME)
    is_legacy = False

    def __init__(self, commands: Mapping[str, MakeCommand] | None = None) -> None:
        self._commands = all_commands() if commands is None else commands

    def new_state(self) -> None:
        """Returns nothing: the dialect keeps no state of a connection."""

    def decode(self, text: str, session: Session) -> Request:
        """Reads the text of a frame; never raises."""
        try:
            frame: Any = _decoder.decode(text)
            name, command = _FRAMES[type(frame)]
            return Request(frame.id, name, command(frame.body))
        except (msgspec.DecodeError, RecursionError, NotHotError):
            return self._decode_by_contract(text)

    def _decode_by_contract(self, text: str) -> Request:
        try:
            request_id, name, body = _parts(text)
        except _MalformedError as malformed:
            return Request(malformed.request_id, _UNKNOWN, Malformed(malformed.error))
        make_command = self._commands.get(name)
        if make_command is None:
            return Request(request_id, _UNKNOWN, Reject(UnimplementedError("UNKNOWN_OP", "there is no such op")))
        try:
            return Request(request_id, name, make_command(body))
        except AppError as error:
            return Request(request_id, name, Reject(error))

    def unreadable(self, error: AppError) -> Request:
        """The request that stands for a frame without text."""
        return Request(_NO_ID, _UNKNOWN, Malformed(error))

    def sent(self, reference: int, receipt: SendResult) -> Payloads:
        """The reply to `message.send`."""
        return (_encode({"id": reference, "ok": json_objects.result_object(receipt)}),)

    def done(self, reference: int, result: Result) -> Payloads:
        """The reply to any other request."""
        return (_encode({"id": reference, "ok": result}),)

    def failed(self, reference: int, error: AppError) -> Payloads:
        """The reply to a request that failed."""
        return (_encode({"id": reference, "error": json_objects.error_object(error)}),)

    def session_ready(self, session: Session, now: float) -> Payloads:
        """`session.ready`: the user as the token tells."""
        identity, limits = session.identity, session.limits
        body = {
            "sessionId": session.connection_id,
            "user": {
                "userId": identity.user_id,
                "name": identity.name,
                "role": identity.role,
                "teams": list(identity.teams),
            },
            "serverTime": time_text_of(now),
            "expireTime": time_text_of(identity.expires_at),
            "limits": {
                "frameBytes": limits.frame_bytes,
                "textBytes": TEXT_BYTES,
                "messagesPerSecond": limits.messages_per_second,
            },
        }
        return _event("session.ready", body)

    def session_closing(self, reconnect_after_ms: int) -> Payloads:
        """`session.closing`."""
        return _event("session.closing", {"reconnectAfterMs": reconnect_after_ms})

    def session_expiring(self, expires_at: float) -> Payloads:
        """Nothing: `session.ready` and the reply to `session.refresh` have the expiry time."""
        return ()

    def session_closed(self, close: Close) -> Payloads:
        """Nothing: the close code and its reason tell the client."""
        return ()

    def chat_event(self, event: chat.Event) -> EncodedEvent:
        """`message.*`, `conversation.*`, `member.*`, `receipt.updated` and `typing.updated`."""
        kind = event.WhichOneof("payload")
        encode = _CHAT_EVENTS.get(kind) if kind else None
        return encode(getattr(event, kind)) if encode and kind else ()

    def notify_event(self, event: notify.Event) -> Payloads:
        """`notification.created` and `notification.updated`."""
        kind = event.WhichOneof("payload")
        if kind is None:
            return ()
        payload = getattr(event, kind)
        body: dict[str, Any] = {"unreadCount": payload.unread_count}
        if payload.HasField("notification"):
            body["notification"] = json_objects.notification_object(payload.notification)
        return _event(kind.replace("_", "."), body)

    def presence_event(self, event: presence.Event, came_or_went: bool) -> Payloads:
        """`presence.updated`."""
        return _event("presence.updated", json_objects.presence_object(event.presence))


def _event(name: str, body: dict[str, Any]) -> Payloads:
    return (_encode({"event": name, "body": body}),)


# --- requests


class _MalformedError(Exception):
    def __init__(self, request_id: int, sentence: str) -> None:
        super().__init__(sentence)
        self.request_id = request_id
        self.error = InvalidArgumentError("MALFORMED_FRAME", sentence)


def _parts(text: str) -> tuple[int, str, Any]:
    """The id, the op and the body of a frame."""
    try:
        frame = msgspec.json.decode(text)
    except RecursionError:
        raise _MalformedError(_NO_ID, "the frame is nested too deeply") from None
    except msgspec.DecodeError:
        raise _MalformedError(_NO_ID, "the frame is not JSON") from None
    if not isinstance(frame, dict):
        raise _MalformedError(_NO_ID, "the frame is not a JSON object")
    request_id = frame.get("id")
    if type(request_id) is not int or not 1 <= request_id <= MAX_INTEGER:
        raise _MalformedError(_NO_ID, "the frame has no id that is a positive integer")
    name = frame.get("op")
    if not isinstance(name, str):
        raise _MalformedError(request_id, "the frame has no op")
    return request_id, name, frame.get("body")


# --- events


def _message(name: str) -> Callable[[Any], EncodedEvent]:
    return lambda payload: _event(name, {"message": json_objects.message_object(payload.message)})


def _member(name: str) -> Callable[[Any], EncodedEvent]:
    return lambda payload: _event(
        name,
        {
            "conversationId": payload.conversation_id,
            "member": json_objects.member_object(payload.member),
            "rev": payload.rev,
        },
    )


def _receipt(payload: chat.ReceiptUpdated) -> EncodedEvent:
    return _event(
        "receipt.updated",
        {
            "conversationId": payload.conversation_id,
            "userId": payload.user_id,
            "readSeq": payload.read_seq,
            "deliveredSeq": payload.delivered_seq,
        },
    )


def _typing(payload: chat.TypingUpdated) -> EncodedEvent:
    return _event(
        "typing.updated",
        {"conversationId": payload.conversation_id, "userId": payload.user_id, "active": payload.active},
    )


def _draft(payload: chat.DraftUpdated) -> EncodedEvent:
    return _event("draft.updated", {"draft": json_objects.draft_object(payload.draft)})


def _conversation(name: str) -> Callable[[Any], EncodedEvent]:
    """Each member sees a conversation with a read mark, an unread count and a mute of its own."""

    def encode(payload: chat.ConversationCreated | chat.ConversationUpdated) -> EncodedEvent:
        conversation: Conversation = payload.conversation
        common = json_objects.conversation_object(conversation)
        views = {view.user_id: view for view in payload.views}

        def payloads_of(session: Session) -> Payloads:
            view = views.get(session.identity.user_id) or chat.View()
            own = dict(common, readSeq=view.read_seq, unreadCount=max(0, conversation.seq - view.read_seq))
            if view.HasField("muted_until_time"):
                own["mutedUntil"] = time_text(view.muted_until_time)
            if view.pinned:
                own["pinned"] = True
            return _event(name, {"conversation": own})

        return payloads_of

    return encode


_CHAT_EVENTS: Final[dict[str, Callable[[Any], EncodedEvent]]] = {
    "message_created": _message("message.created"),
    "message_updated": _message("message.updated"),
    "message_deleted": _message("message.deleted"),
    "conversation_created": _conversation("conversation.created"),
    "conversation_updated": _conversation("conversation.updated"),
    "member_added": _member("member.added"),
    "member_removed": _member("member.removed"),
    "member_updated": _member("member.updated"),
    "receipt_updated": _receipt,
    "typing_updated": _typing,
    "draft_updated": _draft,
}


def create_dialect(_: DialectContext) -> Dialect:
    """Returns this dialect, with the ops of all services."""
    return NativeDialect()
