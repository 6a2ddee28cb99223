"""Views of conversations and messages for the projects front-end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from parley.chat.v1.chat_pb2 import CONVERSATION_KIND_DIRECT, Attachment, Conversation, Member, Message

from gateway.dialects.ids import format_id
from gateway.dialects.lookups import UserProfile, load_profiles, members_of
from gateway.dialects.message_content import reaction_fields, text_of
from gateway.sessions.user_client import UserClient
from gateway.upstream.user_cache import CachedUser, UserCache
from gateway.wire.enum_names import MESSAGE_KINDS
from gateway.wire.timestamps import time_text

Object = dict[str, Any]


def message(sent: Message, sender: CachedUser, members: Iterable[Member] = ()) -> Object:
    """Returns a message; a deleted one has no content.

    Args:
        sent: the message.
        sender: its sender.
        members: the conversation's listed members; those who have read the message are in `readBy`, but not its sender.
    """
    created = time_text(sent.create_time)
    changed = sent.delete_time if sent.HasField("delete_time") else sent.edit_time
    view: Object = {
        "_id": format_id(sent.message_id),
        "conversation": format_id(sent.conversation_id),
        "sender": {"_id": format_id(sent.sender_id), "name": sender.name, "avatar": sender.avatar_url or None},
        "content": text_of(sent),
        "type": MESSAGE_KINDS.name(sent.kind),
        "attachments": [_attachment(attachment) for attachment in sent.attachments],
        "readBy": [
            {"user": format_id(member.user_id), "readAt": time_text(member.read_time)}
            for member in members
            if member.user_id != sent.sender_id and member.read_seq >= sent.seq
        ],
        "createdAt": created,
        "updatedAt": time_text(changed) if changed.seconds else created,
    }
    view |= reaction_fields(sent)
    if sent.HasField("delete_time"):
        view["isDeleted"] = True
    return view


def _attachment(attachment: Attachment) -> Object:
    return {
        "url": attachment.url,
        "name": attachment.name,
        "type": attachment.content_type,
        "size": attachment.size_bytes,
    }


def _participant(profile: UserProfile) -> Object:
    return {
        "_id": format_id(profile.user.user_id),
        "name": profile.user.name,
        "avatar": profile.user.avatar_url or None,
        "role": profile.user.role,
        "isOnline": profile.is_online,
        "lastSeen": profile.last_seen,
    }


async def messages(
    client: UserClient, user_cache: UserCache, conversation: Conversation, sent: Sequence[Message]
) -> list[Object]:
    """Returns messages of one conversation. Raises AppError."""
    senders = await user_cache.get(client.identity.organization_id, (entry.sender_id for entry in sent))
    return [message(entry, senders[entry.sender_id], conversation.members) for entry in sent]


async def conversations(client: UserClient, user_cache: UserCache, listed: Iterable[Conversation]) -> list[Object]:
    """Returns conversations, in the order of `listed`. Raises AppError."""
    listed = list(listed)
    last_senders = [entry.last_message.sender_id for entry in listed if entry.HasField("last_message")]
    profiles = await load_profiles(client, user_cache, members_of(listed))
    senders = await user_cache.get(client.identity.organization_id, last_senders)
    return [_conversation(entry, profiles, senders) for entry in listed]


def _conversation(
    conversation: Conversation, profiles: Mapping[str, UserProfile], senders: Mapping[str, CachedUser]
) -> Object:
    last = conversation.last_message if conversation.HasField("last_message") else None
    created = time_text(conversation.create_time) if conversation.HasField("create_time") else None
    return {
        "_id": format_id(conversation.conversation_id),
        "type": "direct" if conversation.kind == CONVERSATION_KIND_DIRECT else "project",
        "name": conversation.name or None,
        "participants": [_participant(profiles[member.user_id]) for member in conversation.members],
        "project": format_id(conversation.external_ref) if conversation.external_ref else None,
        "lastMessage": message(last, senders[last.sender_id], conversation.members) if last is not None else None,
        "lastActivity": time_text(conversation.last_activity_time),
        "unreadCount": conversation.unread_count,
        "createdAt": created,
        "updatedAt": time_text(conversation.update_time),
    }
