"""Converts between the domain model and the protos."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.json_format import MessageToDict, ParseDict, SerializeToJsonError
from google.protobuf.timestamp_pb2 import Timestamp
from parley.chat.v1 import chat_pb2, draft_pb2, message_pb2, schedule_pb2

from chassis.contract.validator import invalid_fields
from services.chat.domain import (
    MAX_LISTED_MEMBERS,
    Attachment,
    Change,
    Conversation,
    Head,
    Member,
    Message,
    MessageDraft,
    MessageKind,
    ScheduledMessage,
    Version,
    unread,
)


def timestamp(milliseconds: int) -> Timestamp:
    """Converts Unix ms to a Timestamp."""
    return Timestamp(seconds=milliseconds // 1_000, nanos=milliseconds % 1_000 * 1_000_000)


def milliseconds(time: Timestamp) -> int:
    """Converts a Timestamp to Unix ms."""
    return time.seconds * 1_000 + time.nanos // 1_000_000


def message_to_proto(message: Message) -> chat_pb2.Message:
    """Converts a message."""
    proto = chat_pb2.Message()
    write_message(proto, message)
    return proto


def write_message(proto: chat_pb2.Message, message: Message) -> None:
    """Writes a message to an empty proto in place: copying a proto costs more than building it."""
    proto.message_id = message.message_id
    proto.conversation_id = message.conversation_id
    proto.seq = message.seq
    proto.rev = message.rev
    proto.sender_id = message.sender_id
    proto.client_message_id = message.client_message_id
    proto.kind = chat_pb2.MessageKind.ValueType(message.kind)
    proto.text = message.text
    _write_time(proto.create_time, message.create_ms)
    if message.reply_to:
        proto.reply_to = message.reply_to
    if message.mentions:
        proto.mentions.extend(message.mentions)
    if message.pinned:
        proto.pinned = True
    if message.forwarded_from is not None:
        origin = message.forwarded_from
        proto.forwarded_from.conversation_id = origin.conversation_id
        proto.forwarded_from.message_id = origin.message_id
        proto.forwarded_from.sender_id = origin.sender_id
    for reaction in message.reactions:
        proto.reactions.add(emoji=reaction.emoji, user_ids=reaction.user_ids)
    if message.data is not None:
        ParseDict(message.data, proto.data)
    for attachment in message.attachments:
        proto.attachments.add(**attachment._asdict())
    if message.edit_ms:
        _write_time(proto.edit_time, message.edit_ms)
    if message.delete_ms:
        _write_time(proto.delete_time, message.delete_ms)


def _write_time(time: Timestamp, milliseconds: int) -> None:
    time.seconds, rest = divmod(milliseconds, 1_000)
    time.nanos = rest * 1_000_000


def version_to_proto(version: Version) -> chat_pb2.MessageVersion:
    """Converts a text that a message had or has."""
    return chat_pb2.MessageVersion(text=version.text, time=timestamp(version.time_ms))


def receipt_to_proto(member: Member) -> chat_pb2.MessageReceipt:
    """Converts the receipt of a member."""
    proto = chat_pb2.MessageReceipt(user_id=member.user_id)
    if member.delivered_ms:
        _write_time(proto.delivered_time, member.delivered_ms)
    if member.read_ms:
        _write_time(proto.read_time, member.read_ms)
    return proto


def draft_to_proto(draft: MessageDraft) -> draft_pb2.MessageDraft:
    """Converts a draft."""
    return draft_pb2.MessageDraft(
        conversation_id=draft.conversation_id,
        text=draft.text,
        reply_to=draft.reply_to,
        update_time=timestamp(draft.update_ms),
    )


def scheduled_to_proto(scheduled: ScheduledMessage) -> schedule_pb2.ScheduledMessage:
    """Converts a scheduled message."""
    return schedule_pb2.ScheduledMessage(
        scheduled_message_id=scheduled.scheduled_message_id,
        conversation_id=scheduled.conversation_id,
        client_message_id=scheduled.client_message_id,
        text=scheduled.text,
        send_time=timestamp(scheduled.send_ms),
    )


def member_to_proto(member: Member) -> chat_pb2.Member:
    """Converts a member."""
    proto = chat_pb2.Member(
        user_id=member.user_id,
        role=chat_pb2.MemberRole.ValueType(member.role),
        read_seq=member.read_seq,
        delivered_seq=member.delivered_seq,
    )
    if member.read_ms:
        _write_time(proto.read_time, member.read_ms)
    return proto


def conversation_to_proto(
    conversation: Conversation,
    head: Head,
    members: Iterable[Member],
    last: Message | None,
    viewer: Member | None = None,
) -> chat_pb2.Conversation:
    """Converts a conversation, with the viewer's own fields if there is a viewer.

    Args:
        conversation: its own fields.
        head: its head.
        members: all members; the proto has none if there are more than MAX_LISTED_MEMBERS.
        last: the latest message.
        viewer: the member for whom the proto is.
    """
    listed = list(members) if conversation.member_count <= MAX_LISTED_MEMBERS else []
    proto = chat_pb2.Conversation(
        conversation_id=conversation.conversation_id,
        kind=chat_pb2.ConversationKind.ValueType(conversation.kind),
        name=conversation.name,
        description=conversation.description,
        external_ref=conversation.external_ref,
        created_by=conversation.created_by,
        seq=head.seq,
        rev=head.rev,
        last_activity_time=timestamp(head.last_message_ms),
        archived=conversation.archived,
        tags=conversation.tags,
        members=map(member_to_proto, listed),
        member_count=conversation.member_count,
        update_time=timestamp(head.changed_ms),
    )
    if conversation.created_ms:
        _write_time(proto.create_time, conversation.created_ms)
    if last is not None:
        proto.last_message.CopyFrom(message_to_proto(last))
    if viewer is not None:
        proto.read_seq = viewer.read_seq
        proto.unread_count = unread(head.seq, viewer.read_seq)
        proto.pinned = viewer.pinned
        if viewer.muted_until_ms:
            proto.muted_until_time.CopyFrom(timestamp(viewer.muted_until_ms))
    return proto


def departed_to_proto(conversation: Conversation, change: Change) -> chat_pb2.Conversation:
    """Converts a conversation for the author of a change who is no longer a member: without fields that may change.

    Its member_count of 0 tells the client that the other fields have no meaning; see Conversation in chat.proto.
    """
    proto = chat_pb2.Conversation(
        conversation_id=conversation.conversation_id,
        kind=chat_pb2.ConversationKind.ValueType(conversation.kind),
        external_ref=conversation.external_ref,
        created_by=conversation.created_by,
        seq=change.seq,
        rev=change.rev,
        update_time=timestamp(change.time_ms),
    )
    if conversation.created_ms:
        _write_time(proto.create_time, conversation.created_ms)
    return proto


def write_send_result(proto: message_pb2.SendResult, message: Message) -> None:
    """Writes a message's place, as of when it was sent, to an empty result."""
    proto.message_id = message.message_id
    proto.seq = message.seq
    proto.rev = message.sent_rev
    _write_time(proto.create_time, message.create_ms)


def attachments_of(draft: message_pb2.Draft) -> tuple[Attachment, ...]:
    """Converts a draft's attachments."""
    if not draft.attachments:
        return ()
    return tuple(Attachment(a.url, a.name, a.content_type, a.size_bytes) for a in draft.attachments)


def data_of(draft: message_pb2.Draft) -> dict[str, object] | None:
    """Converts a draft's data. Raises InvalidArgumentError (INVALID_FIELDS) if it has numbers that JSON lacks."""
    if not draft.HasField("data"):
        return None
    try:
        return MessageToDict(draft.data)
    except (SerializeToJsonError, ValueError):
        raise invalid_fields({"data": "must not have NaN or infinite numbers"}) from None


def message_kind(kind: chat_pb2.MessageKind.ValueType) -> int:
    """Converts a draft's kind, which was validated; the default is text."""
    return kind or MessageKind.TEXT
