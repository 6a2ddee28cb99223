"""The objects of the contract, made from the services' protos: plain dicts, ready for JSON.

Names are lowerCamelCase, times are texts, integers are numbers, enums are names. A field that the contract marks as
optional is left out when it is empty; every other field is always there. Both the WebSocket and the HTTP interface
answer with these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct, Value
from parley.auth.v1.user_pb2 import User
from parley.chat.v1.chat_pb2 import Attachment, Conversation, Member, Message
from parley.chat.v1.message_pb2 import SendResult
from parley.notify.v1.notification_pb2 import Notification, Preferences
from parley.presence.v1.presence_pb2 import Presence

from chassis.errors import AppError
from gateway.wire.enum_names import CONVERSATION_KINDS, MEMBER_ROLES, MESSAGE_KINDS, NOTIFICATION_TYPES, ROLES, STATUSES
from gateway.wire.timestamps import time_text

Object = dict[str, Any]

_MAX_SAFE_INTEGER: Final = 2**53


def user_object(user: User) -> Object:
    """`User`; the status and the last seen time are presence's, and left out."""
    made: Object = {
        "userId": user.user_id,
        "name": user.name,
        "role": ROLES.name(user.role),
        "teams": list(user.teams),
    }
    if user.avatar_url:
        made["avatarUrl"] = user.avatar_url
    return made


def member_object(member: Member) -> Object:
    """`Member`."""
    return {
        "userId": member.user_id,
        "role": MEMBER_ROLES.name(member.role),
        "readSeq": member.read_seq,
        "deliveredSeq": member.delivered_seq,
    }


def attachment_object(attachment: Attachment) -> Object:
    """An entry of a message's `attachments`."""
    made: Object = {"url": attachment.url}
    if attachment.name:
        made["name"] = attachment.name
    if attachment.content_type:
        made["contentType"] = attachment.content_type
    if attachment.size_bytes:
        made["sizeBytes"] = attachment.size_bytes
    return made


def message_object(message: Message) -> Object:
    """`Message`; the text of a deleted one is empty."""
    made: Object = {
        "messageId": message.message_id,
        "conversationId": message.conversation_id,
        "seq": message.seq,
        "rev": message.rev,
        "senderId": message.sender_id,
        "clientMessageId": message.client_message_id,
        "kind": MESSAGE_KINDS.name(message.kind),
        "text": message.text,
    }
    if message.attachments:
        made["attachments"] = [attachment_object(attachment) for attachment in message.attachments]
    if message.reply_to:
        made["replyTo"] = message.reply_to
    if message.mentions:
        made["mentions"] = list(message.mentions)
    made["createTime"] = time_text(message.create_time)
    if message.HasField("edit_time"):
        made["editTime"] = time_text(message.edit_time)
    if message.HasField("delete_time"):
        made["deleteTime"] = time_text(message.delete_time)
    return made


def receipt_object(receipt: SendResult) -> Object:
    """What `message.send` answers: where the message landed."""
    return {
        "messageId": receipt.message_id,
        "seq": receipt.seq,
        "rev": receipt.rev,
        "createTime": time_text(receipt.create_time),
    }


def conversation_object(conversation: Conversation) -> Object:
    """`Conversation`, with the read mark, unread count and mute of whom it was made for."""
    made: Object = {
        "conversationId": conversation.conversation_id,
        "kind": CONVERSATION_KINDS.name(conversation.kind),
    }
    if conversation.name:
        made["name"] = conversation.name
    if conversation.description:
        made["description"] = conversation.description
    if conversation.external_ref:
        made["externalRef"] = conversation.external_ref
    made["createdBy"] = conversation.created_by
    made["seq"] = conversation.seq
    made["rev"] = conversation.rev
    if conversation.HasField("last_message"):
        made["lastMessage"] = message_object(conversation.last_message)
    made["lastActivityTime"] = time_text(conversation.last_activity_time)
    made["archived"] = conversation.archived
    made["tags"] = list(conversation.tags)
    if conversation.members:
        made["members"] = [member_object(member) for member in conversation.members]
    made["memberCount"] = conversation.member_count
    made["readSeq"] = conversation.read_seq
    made["unreadCount"] = conversation.unread_count
    if conversation.HasField("muted_until_time"):
        made["mutedUntil"] = time_text(conversation.muted_until_time)
    return made


def presence_object(presence: Presence) -> Object:
    """An entry of `presences`, and the body of `presence.updated`."""
    made: Object = {"userId": presence.user_id, "status": STATUSES.name(presence.status)}
    if presence.text:
        made["text"] = presence.text
    if presence.HasField("last_seen_time"):
        made["lastSeenTime"] = time_text(presence.last_seen_time)
    return made


def notification_object(notification: Notification) -> Object:
    """`Notification`."""
    return {
        "notificationId": notification.notification_id,
        "type": NOTIFICATION_TYPES.name(notification.type),
        "title": notification.title,
        "body": notification.body,
        "data": struct_object(notification.data),
        "count": notification.count,
        "read": notification.read,
        "createTime": time_text(notification.update_time),
    }


def preferences_object(preferences: Preferences) -> Object:
    """`preferences`: the types of notifications that the user does not want."""
    return {"mutedTypes": [NOTIFICATION_TYPES.name(number) for number in preferences.muted_types]}


def struct_object(struct: Struct) -> Object:
    """Any JSON object; whole numbers come back as integers, which a Struct does not tell from others."""
    return {key: _plain(value) for key, value in struct.fields.items()}


def _plain(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return struct_object(value.struct_value)
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < _MAX_SAFE_INTEGER else number
    return getattr(value, kind) if kind in {"string_value", "bool_value"} else None


def error_object(error: AppError) -> Object:
    """`error`, in replies."""
    made: Object = {"code": error.category.name, "reason": error.reason, "message": error.message}
    if error.retry_after_ms is not None:
        made["retryAfterMs"] = error.retry_after_ms
    if error.fields:
        made["fields"] = error.fields
    return made


def message_objects(messages: Iterable[Message]) -> list[Object]:
    """`messages`."""
    return [message_object(message) for message in messages]


def conversation_objects(conversations: Iterable[Conversation]) -> list[Object]:
    """`conversations`."""
    return [conversation_object(conversation) for conversation in conversations]
