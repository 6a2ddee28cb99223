"""The objects of the projects front-end, made from the services' protos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from parley.chat.v1.chat_pb2 import CONVERSATION_KIND_DIRECT, Attachment, Conversation, Member, Message

from gateway.dialects.ids import format_id
from gateway.dialects.lookups import UserProfile, load_profiles, members_of
from gateway.sessions.commands import UserCalls
from gateway.upstream.user_cache import CachedUser, UserCache
from gateway.wire.enum_names import MESSAGE_KINDS
from gateway.wire.timestamps import time_text

Object = dict[str, Any]


def message(sent: Message, sender: CachedUser, read_by: Iterable[Member] = ()) -> Object:
    """A message; one that was deleted has no content.

    Args:
        sent: the message.
        sender: who sent it.
        read_by: the members who have read it; the sender is left out.
    """
    created = time_text(sent.create_time)
    changed = sent.delete_time if sent.HasField("delete_time") else sent.edit_time
    made: Object = {
        "_id": format_id(sent.message_id),
        "conversation": format_id(sent.conversation_id),
        "sender": {"_id": format_id(sent.sender_id), "name": sender.name, "avatar": sender.avatar_url or None},
        "content": sent.text,
        "type": MESSAGE_KINDS.name(sent.kind),
        "attachments": [attachment(one) for one in sent.attachments],
        "readBy": [
            {"user": format_id(member.user_id), "readAt": time_text(member.read_time)}
            for member in read_by
            if member.user_id != sent.sender_id and member.read_seq >= sent.seq
        ],
        "createdAt": created,
        "updatedAt": time_text(changed) if changed.seconds else created,
    }
    if sent.HasField("delete_time"):
        made["isDeleted"] = True
    return made


def attachment(attached: Attachment) -> Object:
    """An attachment."""
    return {
        "url": attached.url,
        "name": attached.name,
        "type": attached.content_type,
        "size": attached.size_bytes,
    }


def _participant(seen: UserProfile) -> Object:
    return {
        "_id": format_id(seen.person.user_id),
        "name": seen.person.name,
        "avatar": seen.person.avatar_url or None,
        "role": seen.person.role,
        "isOnline": seen.is_online,
        "lastSeen": seen.last_seen,
    }


async def messages(
    calls: UserCalls, people: UserCache, conversation: Conversation, sent: Sequence[Message]
) -> list[Object]:
    """Messages of one conversation. Raises AppError."""
    senders = await people.get(calls.identity.organization_id, (one.sender_id for one in sent))
    return [message(one, senders[one.sender_id], conversation.members) for one in sent]


async def conversations(calls: UserCalls, people: UserCache, listed: Iterable[Conversation]) -> list[Object]:
    """Conversations, in the order given. Raises AppError."""
    found = list(listed)
    last_senders = [one.last_message.sender_id for one in found if one.HasField("last_message")]
    seen = await load_profiles(calls, people, members_of(found))
    senders = await people.get(calls.identity.organization_id, last_senders)
    return [_conversation(one, seen, senders) for one in found]


def _conversation(one: Conversation, seen: Mapping[str, UserProfile], senders: Mapping[str, CachedUser]) -> Object:
    last = one.last_message if one.HasField("last_message") else None
    is_direct = one.kind == CONVERSATION_KIND_DIRECT
    return {
        "_id": format_id(one.conversation_id),
        "type": "direct" if is_direct else "project",
        "name": one.name or None,
        "participants": [_participant(seen[member.user_id]) for member in one.members],
        "project": format_id(one.external_ref) if one.external_ref else None,
        "lastMessage": message(last, senders[last.sender_id], one.members) if last is not None else None,
        "lastActivity": time_text(one.last_activity_time),
        "unreadCount": one.unread_count,
        "createdAt": time_text(one.create_time) if one.HasField("create_time") else None,
        "updatedAt": time_text(one.update_time),
    }
