"""Views of conversations, messages and notifications for the telecom front-end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from parley.chat.v1.chat_pb2 import Conversation, Message
from parley.notify.v1.notification_pb2 import NotificationCreated

from gateway.dialects.ids import format_id
from gateway.dialects.lookups import UserProfile, load_profiles, members_of
from gateway.dialects.message_content import reaction_fields, text_of
from gateway.dialects.socketio_base import notification_object
from gateway.sessions.user_client import UserClient
from gateway.upstream.user_cache import CachedUser, UserCache
from gateway.wire.enum_names import MESSAGE_KINDS
from gateway.wire.timestamps import time_text, time_text_of

Object = dict[str, Any]


def now() -> str:
    """Returns the current time."""
    return time_text_of(time.time())


def participants(conversation: Conversation, profiles: Mapping[str, UserProfile]) -> list[Object]:
    """Returns `participants`: all listed members."""
    return [_participant(profiles[member.user_id]) for member in conversation.members]


def _participant(profile: UserProfile) -> Object:
    return {
        "userId": format_id(profile.user.user_id),
        "name": profile.user.name,
        "role": profile.user.role,
        "isOnline": profile.is_online,
        "lastSeen": profile.last_seen,
    }


def message(sent: Message, sender_name: str, organization_id: str, read_at: str | None = None) -> Object:
    """Returns a message; a deleted one has no content.

    Args:
        sent: the message.
        sender_name: the sender's name.
        organization_id: the sender's organization.
        read_at: when the last of the other members read it; None if not all have.
    """
    created = time_text(sent.create_time)
    changed = sent.delete_time if sent.HasField("delete_time") else sent.edit_time
    conversation_id = format_id(sent.conversation_id)
    view: Object = {
        "id": format_id(sent.message_id),
        "conversationId": conversation_id,
        "chatSessionId": conversation_id,
        "senderId": format_id(sent.sender_id),
        "senderName": sender_name,
        "content": text_of(sent),
        "messageType": MESSAGE_KINDS.name(sent.kind),
        "isRead": read_at is not None,
        "readAt": read_at,
        "organizationId": format_id(organization_id),
        "createdAt": created,
        "updatedAt": time_text(changed) if changed.seconds else created,
    }
    view |= reaction_fields(sent)
    if sent.HasField("delete_time"):
        view["isDeleted"] = True
    return view


def _read_at(sent: Message, conversation: Conversation) -> str | None:
    """Returns when the last of the other listed members read a message; None if one has not, or none is listed."""
    others = [member for member in conversation.members if member.user_id != sent.sender_id]
    if not others or any(member.read_seq < sent.seq for member in others):
        return None
    return time_text(max((member.read_time for member in others), key=lambda time: (time.seconds, time.nanos)))


async def messages(
    client: UserClient, user_cache: UserCache, conversation: Conversation, sent: Sequence[Message]
) -> list[Object]:
    """Returns messages of one conversation. Raises AppError."""
    organization_id = client.identity.organization_id
    senders = await user_cache.get(organization_id, (entry.sender_id for entry in sent))
    return [_message(entry, senders, organization_id, conversation) for entry in sent]


def _message(
    sent: Message, senders: Mapping[str, CachedUser], organization_id: str, conversation: Conversation
) -> Object:
    return message(sent, senders[sent.sender_id].name, organization_id, _read_at(sent, conversation))


async def conversations(client: UserClient, user_cache: UserCache, listed: Iterable[Conversation]) -> list[Object]:
    """Returns conversations, in the order of `listed`. Raises AppError."""
    listed = list(listed)
    organization_id = client.identity.organization_id
    last_senders = [entry.last_message.sender_id for entry in listed if entry.HasField("last_message")]
    profiles = await load_profiles(client, user_cache, members_of(listed))
    senders = await user_cache.get(organization_id, last_senders)
    return [_conversation(entry, profiles, senders, organization_id) for entry in listed]


def _conversation(
    conversation: Conversation,
    profiles: Mapping[str, UserProfile],
    senders: Mapping[str, CachedUser],
    organization_id: str,
) -> Object:
    last = conversation.last_message if conversation.HasField("last_message") else None
    view: Object = {
        "id": format_id(conversation.conversation_id),
        "participants": participants(conversation, profiles),
        "lastMessage": _message(last, senders, organization_id, conversation) if last is not None else None,
        "lastMessageAt": time_text(conversation.last_activity_time),
        "unreadCount": conversation.unread_count,
        "isActive": not conversation.archived,
    }
    if conversation.name:
        view["name"] = conversation.name
    return view


def notification(created: NotificationCreated) -> Object:
    """Returns `notification`."""
    common = notification_object(created)
    return {**common, "id": common["notificationId"], "isRead": common["read"], "createdAt": common["createTime"]}
