"""Applies the responses to this client's own requests to the replica.

The connection that causes a change gets the response and no event.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from parley_client.contract import (
    Attachment,
    Conversation,
    ForwardMessageResponse,
    ListConversationsResponse,
    ListMessagesResponse,
    Message,
    SendMessageResponse,
)
from parley_client.events import Event
from parley_client.replica import Replica

Body = Mapping[str, object]
Applier = Callable[[Replica, str, Body, object], list[Event]]


def apply_response(replica: Replica, user_id: str, op: str, body: Body, reply: object) -> list[Event]:
    """Applies a response; returns the events to emit, which waited for it."""
    applier = _APPLIERS.get(op)
    return [] if applier is None else applier(replica, user_id, body, reply)


def _message_of(reply: object) -> Message | None:
    message = getattr(reply, "message", None)
    return message if isinstance(message, Message) else None


def _conversation_of(reply: object) -> Conversation | None:
    conversation = getattr(reply, "conversation", None)
    return conversation if isinstance(conversation, Conversation) else None


def _message_sent(replica: Replica, user_id: str, body: Body, reply: object) -> list[Event]:
    if not isinstance(reply, SendMessageResponse):
        return []
    conversation_id = str(body["conversationId"])
    mentions = list(cast("Sequence[str]", body.get("mentions", ())))
    message = Message(
        message_id=reply.message_id,
        conversation_id=conversation_id,
        seq=reply.seq,
        rev=reply.rev,
        sender_id=user_id,
        client_message_id=str(body["clientMessageId"]),
        kind=str(body.get("kind", "text")),
        text=str(body["text"]),
        attachments=list(cast("Sequence[Attachment]", body.get("attachments", ()))),
        reply_to=str(body.get("replyTo", "")),
        mentions=replica.filter_members(conversation_id, mentions),
        data=dict(cast("Body", body.get("data", {}))),
        create_time=reply.create_time,
    )
    return replica.apply_local_message(message)


def _message_changed(replica: Replica, _user_id: str, _body: Body, reply: object) -> list[Event]:
    message = _message_of(reply)
    return [] if message is None else replica.apply_local_message(message)


def _messages_forwarded(replica: Replica, _user_id: str, _body: Body, reply: object) -> list[Event]:
    if not isinstance(reply, ForwardMessageResponse):
        return []
    return [event for message in reply.messages for event in replica.apply_local_message(message)]


def _conversation_changed(replica: Replica, _user_id: str, _body: Body, reply: object) -> list[Event]:
    conversation = _conversation_of(reply)
    return [] if conversation is None else replica.apply_local(conversation)


def _member_removed(replica: Replica, user_id: str, body: Body, reply: object) -> list[Event]:
    conversation = _conversation_of(reply)
    if conversation is not None and body["userId"] == user_id:
        replica.leave(conversation.conversation_id, conversation.rev)
        return []
    return _conversation_changed(replica, user_id, body, reply)


def _conversation_read(replica: Replica, _user_id: str, _body: Body, reply: object) -> list[Event]:
    conversation = _conversation_of(reply)
    return [] if conversation is None else replica.apply_snapshot(conversation)


def _conversations_listed(replica: Replica, _user_id: str, _body: Body, reply: object) -> list[Event]:
    if not isinstance(reply, ListConversationsResponse):
        return []
    return [event for conversation in reply.conversations for event in replica.apply_snapshot(conversation)]


def _messages_listed(replica: Replica, _user_id: str, body: Body, reply: object) -> list[Event]:
    if isinstance(reply, ListMessagesResponse):
        replica.add_history(str(body["conversationId"]), reply.messages)
    return []


def _marked_read(replica: Replica, _user_id: str, body: Body, _reply: object) -> list[Event]:
    seq = cast("int", body["seq"])
    replica.advance_own_receipt(str(body["conversationId"]), seq, seq)
    return []


def _marked_delivered(replica: Replica, _user_id: str, body: Body, _reply: object) -> list[Event]:
    replica.advance_own_receipt(str(body["conversationId"]), 0, cast("int", body["seq"]))
    return []


_APPLIERS: dict[str, Applier] = {
    "message.send": _message_sent,
    "message.edit": _message_changed,
    "message.delete": _message_changed,
    "message.react": _message_changed,
    "message.unreact": _message_changed,
    "message.pin": _message_changed,
    "message.unpin": _message_changed,
    "message.forward": _messages_forwarded,
    "message.list": _messages_listed,
    "conversation.direct": _conversation_changed,
    "conversation.create": _conversation_changed,
    "conversation.joinRoom": _conversation_changed,
    "conversation.update": _conversation_changed,
    "conversation.pin": _conversation_changed,
    "conversation.unpin": _conversation_changed,
    "conversation.get": _conversation_read,
    "conversation.list": _conversations_listed,
    "member.add": _conversation_changed,
    "member.update": _conversation_changed,
    "member.remove": _member_removed,
    "receipt.read": _marked_read,
    "receipt.delivered": _marked_delivered,
}
