"""The objects of the wire protocol, written from the services' messages; WebSocket and HTTP answer with these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from parley.auth.v1.user_pb2 import User
from parley.chat.v1.chat_pb2 import Conversation, Member, Message
from parley.chat.v1.draft_pb2 import MessageDraft
from parley.chat.v1.message_pb2 import SendResult
from parley.notify.v1.notification_pb2 import Notification
from parley.presence.v1.presence_pb2 import Presence

from chassis.errors import AppError
from gateway.wire.json_writer import Object, Writer, struct_object, writer_of

user_object: Final[Writer] = writer_of(User.DESCRIPTOR)
member_object: Final[Writer] = writer_of(Member.DESCRIPTOR)
message_object: Final[Writer] = writer_of(Message.DESCRIPTOR)
result_object: Final[Writer] = writer_of(SendResult.DESCRIPTOR)
conversation_object: Final[Writer] = writer_of(Conversation.DESCRIPTOR)
draft_object: Final[Writer] = writer_of(MessageDraft.DESCRIPTOR)
presence_object: Final[Writer] = writer_of(Presence.DESCRIPTOR)
notification_object: Final[Writer] = writer_of(Notification.DESCRIPTOR)


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


__all__ = [
    "Object",
    "conversation_object",
    "conversation_objects",
    "draft_object",
    "error_object",
    "member_object",
    "message_object",
    "message_objects",
    "notification_object",
    "presence_object",
    "result_object",
    "struct_object",
    "user_object",
]
