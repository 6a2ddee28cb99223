"""What the answers to this client's own requests tell the replica.

The connection that causes a change gets the answer and no event.
"""

from collections.abc import Callable, Mapping
from typing import cast

from parley_client.events import Event
from parley_client.protocol import (
    Attachment,
    ConversationPage,
    ConversationReply,
    Message,
    MessagePage,
    MessageReply,
    SentMessage,
)
from parley_client.replica import Replica

Body = Mapping[str, object]
Applier = Callable[[Replica, str, Body, object], list[Event]]


def apply_response(replica: Replica, user_id: str, op: str, body: Body, reply: object) -> list[Event]:
    """Tells the replica of an answer; returns the events to pass on, which had waited for it."""
    applier = _APPLIERS.get(op)
    return [] if applier is None else applier(replica, user_id, body, reply)


def _sent(replica: Replica, user_id: str, body: Body, reply: object) -> list[Event]:
    if not isinstance(reply, SentMessage):
        return []
    conversation_id = str(body["conversationId"])
    mentions = cast("list[str]", body.get("mentions", []))
    message = Message(
        message_id=reply.message_id,
        conversation_id=conversation_id,
        seq=reply.seq,
        rev=reply.rev,
        sender_id=user_id,
        client_message_id=str(body["clientMessageId"]),
        kind=str(body.get("kind", "text")),
        text=str(body["text"]),
        attachments=cast("list[Attachment]", body.get("attachments", [])),
        reply_to=cast("str | None", body.get("replyTo")),
        mentions=replica.filter_members(conversation_id, mentions),
        create_time=reply.create_time,
    )
    return replica.apply_local_message(message)


def _changed(replica: Replica, _user_id: str, _body: Body, reply: object) -> list[Event]:
    return replica.apply_local_message(reply.message) if isinstance(reply, MessageReply) else []


def _adopted(replica: Replica, _user_id: str, _body: Body, reply: object) -> list[Event]:
    return replica.apply_local(reply.conversation) if isinstance(reply, ConversationReply) else []


def _removed(replica: Replica, user_id: str, body: Body, reply: object) -> list[Event]:
    if not isinstance(reply, ConversationReply):
        return []
    if body["userId"] == user_id:
        replica.leave(reply.conversation.conversation_id, reply.conversation.rev)
        return []
    return replica.apply_local(reply.conversation)


def _looked_up(replica: Replica, _user_id: str, _body: Body, reply: object) -> list[Event]:
    return replica.apply_snapshot(reply.conversation) if isinstance(reply, ConversationReply) else []


def _listed(replica: Replica, _user_id: str, _body: Body, reply: object) -> list[Event]:
    if not isinstance(reply, ConversationPage):
        return []
    return [event for conversation in reply.conversations for event in replica.apply_snapshot(conversation)]


def _history(replica: Replica, _user_id: str, body: Body, reply: object) -> list[Event]:
    if isinstance(reply, MessagePage):
        replica.add_history(str(body["conversationId"]), reply.messages)
    return []


def _read(replica: Replica, _user_id: str, body: Body, _reply: object) -> list[Event]:
    seq = cast("int", body["seq"])
    replica.advance_own_receipt(str(body["conversationId"]), seq, seq)
    return []


def _delivered(replica: Replica, _user_id: str, body: Body, _reply: object) -> list[Event]:
    replica.advance_own_receipt(str(body["conversationId"]), 0, cast("int", body["seq"]))
    return []


_APPLIERS: dict[str, Applier] = {
    "message.send": _sent,
    "message.edit": _changed,
    "message.delete": _changed,
    "message.list": _history,
    "conversation.direct": _adopted,
    "conversation.create": _adopted,
    "conversation.update": _adopted,
    "conversation.get": _looked_up,
    "conversation.list": _listed,
    "member.add": _adopted,
    "member.update": _adopted,
    "member.remove": _removed,
    "receipt.read": _read,
    "receipt.delivered": _delivered,
}
