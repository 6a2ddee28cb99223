"""The objects of the telecom front-end, made from the services' protos."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from parley.chat.v1.chat_pb2 import Conversation, Message
from parley.notify.v1.notification_pb2 import NotificationCreated

from gateway.dialects.ids import format_id
from gateway.dialects.lookups import UserProfile, load_profiles, members_of
from gateway.dialects.socketio_base import notification_object
from gateway.sessions.commands import UserCalls
from gateway.upstream.user_cache import CachedUser, UserCache
from gateway.wire.enum_names import MESSAGE_KINDS
from gateway.wire.timestamps import time_text, time_text_of

Object = dict[str, Any]


def now() -> str:
    """The time."""
    return time_text_of(time.time())


def participants(conversation: Conversation, seen: Mapping[str, UserProfile]) -> list[Object]:
    """`participants`: everybody who is listed."""
    return [_participant(seen[member.user_id]) for member in conversation.members]


def _participant(seen: UserProfile) -> Object:
    return {
        "userId": format_id(seen.person.user_id),
        "name": seen.person.name,
        "role": seen.person.role,
        "isOnline": seen.is_online,
        "lastSeen": seen.last_seen,
    }


def message(sent: Message, sender_name: str, organization_id: str, read_at: str | None = None) -> Object:
    """A message; one that was deleted has no content.

    Args:
        sent: the message.
        sender_name: what its sender is called.
        organization_id: whose it is.
        read_at: when the last of the others read it; None when not all of them have.
    """
    created = time_text(sent.create_time)
    changed = sent.delete_time if sent.HasField("delete_time") else sent.edit_time
    conversation_id = format_id(sent.conversation_id)
    made: Object = {
        "id": format_id(sent.message_id),
        "conversationId": conversation_id,
        "chatSessionId": conversation_id,
        "senderId": format_id(sent.sender_id),
        "senderName": sender_name,
        "content": sent.text,
        "messageType": MESSAGE_KINDS.name(sent.kind),
        "isRead": read_at is not None,
        "readAt": read_at,
        "organizationId": format_id(organization_id),
        "createdAt": created,
        "updatedAt": time_text(changed) if changed.seconds else created,
    }
    if sent.HasField("delete_time"):
        made["isDeleted"] = True
    return made


def _read_at(sent: Message, conversation: Conversation) -> str | None:
    """When the last of the others read a message; None while one has not, or where not all are listed."""
    others = [member for member in conversation.members if member.user_id != sent.sender_id]
    if not others or any(member.read_seq < sent.seq for member in others):
        return None
    return time_text(max((member.read_time for member in others), key=lambda time: (time.seconds, time.nanos)))


async def messages(
    calls: UserCalls, people: UserCache, conversation: Conversation, sent: Sequence[Message]
) -> list[Object]:
    """Messages of one conversation. Raises AppError."""
    organization_id = calls.identity.organization_id
    senders = await people.get(organization_id, (one.sender_id for one in sent))
    return [_named(one, senders, organization_id, conversation) for one in sent]


def _named(sent: Message, people: Mapping[str, CachedUser], organization_id: str, conversation: Conversation) -> Object:
    return message(sent, people[sent.sender_id].name, organization_id, _read_at(sent, conversation))


async def conversations(calls: UserCalls, people: UserCache, listed: Iterable[Conversation]) -> list[Object]:
    """Conversations, in the order given. Raises AppError."""
    found = list(listed)
    organization_id = calls.identity.organization_id
    last_senders = [one.last_message.sender_id for one in found if one.HasField("last_message")]
    seen = await load_profiles(calls, people, members_of(found))
    senders = await people.get(organization_id, last_senders)
    return [
        {
            "id": format_id(one.conversation_id),
            "participants": participants(one, seen),
            "lastMessage": (
                _named(one.last_message, senders, organization_id, one) if one.HasField("last_message") else None
            ),
            "lastMessageAt": time_text(one.last_activity_time),
            "unreadCount": one.unread_count,
            "isActive": not one.archived,
            **({"name": one.name} if one.name else {}),
        }
        for one in found
    ]


def notification(created: NotificationCreated) -> Object:
    """`notification`."""
    made = notification_object(created)
    return {**made, "id": made["notificationId"], "isRead": made["read"], "createdAt": made["createTime"]}
