"""Views of users, messages and events for the helpdesk front-end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.chat_pb2 import CONVERSATION_KIND_DIRECT, Message

from gateway.dialects.base import EncodedEvent, Payloads
from gateway.dialects.client_message_ids import own_ids
from gateway.dialects.ids import format_id
from gateway.dialects.message_content import reaction_fields, text_of
from gateway.sessions.session import Session
from gateway.upstream.user_cache import CachedUser
from gateway.wire.timestamps import time_text

_THEIRS: Final = "employee_l"
_OURS: Final = "agent_l"
_encode: Final = msgspec.json.Encoder().encode


def our_role(role: str) -> str:
    """Returns the gateway's name of one of the front-end's roles."""
    return role.replace(_THEIRS, _OURS, 1) if role.startswith(_THEIRS) else role


def _their_role(role: str) -> str:
    return role.replace(_OURS, _THEIRS, 1) if role.startswith(_OURS) else role


def user(cached: CachedUser, role: str) -> dict[str, Any]:
    """Returns a user."""
    return {"userId": format_id(cached.user_id), "userName": cached.name, "userRole": _their_role(role)}


def message_fields(message: Message, sender_name: str) -> dict[str, Any]:
    """Returns the fields that all frames with a message share."""
    fields = {
        "messageId": format_id(message.message_id),
        "conversationId": format_id(message.conversation_id),
        "senderId": format_id(message.sender_id),
        "senderName": sender_name,
        "content": text_of(message),
        "timestamp": time_text(message.create_time),
    }
    fields |= reaction_fields(message)
    if message.HasField("edit_time"):
        fields["isEdited"] = True
    if message.HasField("delete_time"):
        fields["isDeleted"] = True
    return fields


def nothing(_: chat.Event) -> EncodedEvent:
    """Encodes nothing: the front-end has no event for it."""
    return ()


def message_created(event: chat.Event) -> EncodedEvent:
    """Encodes `message` or `room_message`; for the sender with the front-end's own id."""
    created = event.message_created
    message = created.message
    fields = message_fields(message, created.sender_name)
    if created.kind == CONVERSATION_KIND_DIRECT:
        body = {"type": "message", **fields, "receiverId": format_id(created.receiver_id)}
    else:
        body = {"type": "room_message", **fields, "roomId": _room_id(created.room, message.conversation_id)}
    to_others = (_encode(body),)
    own = own_ids(message.client_message_id)
    if not own:
        return to_others
    to_sender = (_encode({**body, **own}),)
    return lambda session: to_sender if session.identity.user_id == message.sender_id else to_others


def _room_id(room: str, conversation_id: str) -> str | int:
    return format_id(room or conversation_id)


def receipt_updated(event: chat.Event) -> EncodedEvent:
    """Encodes `read`; a receipt that only reports delivery is not encoded."""
    receipt = event.receipt_updated
    if not receipt.HasField("read_time"):
        return ()
    body = {"type": "read", "readBy": format_id(receipt.user_id), "timestamp": time_text(receipt.read_time)}
    is_direct = receipt.kind == CONVERSATION_KIND_DIRECT
    return _to_others(receipt.user_id, body, None if is_direct else _room_id(receipt.room, receipt.conversation_id))


def typing_updated(event: chat.Event) -> EncodedEvent:
    """Encodes `typing_start` and `typing_stop`."""
    typing = event.typing_updated
    body = {
        "type": "typing_start" if typing.active else "typing_stop",
        "senderId": format_id(typing.user_id),
        "senderName": typing.name,
    }
    is_direct = typing.kind == CONVERSATION_KIND_DIRECT
    return _to_others(typing.user_id, body, None if is_direct else _room_id(typing.room, typing.conversation_id))


def _to_others(user_id: str, body: Mapping[str, Any], room_id: str | int | None) -> EncodedEvent:
    """Encodes what a user did, for others: with the room's id, or with the receiver's own in a direct conversation."""
    in_room = () if room_id is None else (_encode({**body, "roomId": room_id}),)

    def payloads(session: Session) -> Payloads:
        receiver_id = session.identity.user_id
        if receiver_id == user_id:
            return ()
        return in_room or (_encode({**body, "receiverId": format_id(receiver_id)}),)

    return payloads
