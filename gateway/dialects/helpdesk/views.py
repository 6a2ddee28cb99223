"""The frames that clients of the helpdesk are sent, made from the services' protos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.chat_pb2 import CONVERSATION_KIND_DIRECT, Message

from gateway.dialects.base import EncodedEvent, Payloads
from gateway.dialects.client_message_ids import own_ids
from gateway.dialects.ids import format_id
from gateway.sessions.session import Session
from gateway.upstream.user_cache import CachedUser
from gateway.wire.timestamps import time_text

_THEIRS: Final = "employee_l"
_OURS: Final = "agent_l"
_encode: Final = msgspec.json.Encoder().encode


def our_role(role: str) -> str:
    """What a role that the front-end names is called here."""
    return role.replace(_THEIRS, _OURS, 1) if role.startswith(_THEIRS) else role


def _their_role(role: str) -> str:
    return role.replace(_OURS, _THEIRS, 1) if role.startswith(_OURS) else role


def user(person: CachedUser, role: str) -> dict[str, Any]:
    """A user."""
    return {"userId": format_id(person.user_id), "userName": person.name, "userRole": _their_role(role)}


def said(message: Message, sender_name: str) -> dict[str, Any]:
    """What all frames of a message have in common."""
    made = {
        "messageId": format_id(message.message_id),
        "conversationId": format_id(message.conversation_id),
        "senderId": format_id(message.sender_id),
        "senderName": sender_name,
        "content": message.text,
        "timestamp": time_text(message.create_time),
    }
    if message.HasField("edit_time"):
        made["isEdited"] = True
    if message.HasField("delete_time"):
        made["isDeleted"] = True
    return made


def nothing(_: chat.Event) -> EncodedEvent:
    """The front-end has no word for it."""
    return ()


def message_created(happened: chat.Event) -> EncodedEvent:
    """To the sender it comes with the front-end's own id of it."""
    created = happened.message_created
    message = created.message
    common = said(message, created.sender_name)
    if created.kind == CONVERSATION_KIND_DIRECT:
        body = {"type": "message", **common, "receiverId": format_id(created.receiver_id)}
    else:
        body = {"type": "room_message", **common, "roomId": _room(created.room, message.conversation_id)}
    to_others = (_encode(body),)
    own = own_ids(message.client_message_id)
    if not own:
        return to_others
    to_sender = (_encode({**body, **own}),)
    return lambda session: to_sender if session.identity.user_id == message.sender_id else to_others


def _room(room: str, conversation_id: str) -> str | int:
    return format_id(room or conversation_id)


def receipt_updated(happened: chat.Event) -> EncodedEvent:
    """`read`, where it was read and not delivered alone."""
    receipt = happened.receipt_updated
    if not receipt.HasField("read_time"):
        return ()
    body = {"type": "read", "readBy": format_id(receipt.user_id), "timestamp": time_text(receipt.read_time)}
    is_direct = receipt.kind == CONVERSATION_KIND_DIRECT
    return _to_others(receipt.user_id, body, None if is_direct else _room(receipt.room, receipt.conversation_id))


def typing_updated(happened: chat.Event) -> EncodedEvent:
    """`typing_start` and `typing_stop`."""
    typing = happened.typing_updated
    body = {
        "type": "typing_start" if typing.active else "typing_stop",
        "senderId": format_id(typing.user_id),
        "senderName": typing.name,
    }
    is_direct = typing.kind == CONVERSATION_KIND_DIRECT
    return _to_others(typing.user_id, body, None if is_direct else _room(typing.room, typing.conversation_id))


def _to_others(user_id: str, body: Mapping[str, Any], room: str | int | None) -> EncodedEvent:
    """What somebody did in a room, or to the one who is told of it."""
    in_room = () if room is None else (_encode({**body, "roomId": room}),)

    def speech(session: Session) -> Payloads:
        me = session.identity.user_id
        if me == user_id:
            return ()
        return in_room or (_encode({**body, "receiverId": format_id(me)}),)

    return speech
