"""The model to and from the contract's messages."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp
from parley.chat.v1 import chat_pb2, message_pb2

from services.chat.domain import (
    MAX_LISTED_MEMBERS,
    Attachment,
    Conversation,
    ConversationKind,
    Head,
    Member,
    MemberRole,
    Message,
    MessageKind,
    unread,
)


def timestamp(milliseconds: int) -> Timestamp:
    """A time of the model, as the contract's."""
    return Timestamp(seconds=milliseconds // 1_000, nanos=milliseconds % 1_000 * 1_000_000)


def milliseconds(time: Timestamp) -> int:
    """A time of the contract, as the model's."""
    return time.seconds * 1_000 + time.nanos // 1_000_000


def message_to_proto(message: Message) -> chat_pb2.Message:
    """A message as the contract has it."""
    proto = chat_pb2.Message(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        seq=message.seq,
        rev=message.rev,
        sender_id=message.sender_id,
        client_message_id=message.client_message_id,
        kind=chat_pb2.MessageKind.ValueType(message.kind),
        text=message.text,
        reply_to=message.reply_to,
        mentions=message.mentions,
        create_time=timestamp(message.create_ms),
    )
    for attachment in message.attachments:
        proto.attachments.add(**attachment._asdict())
    if message.edit_ms:
        proto.edit_time.CopyFrom(timestamp(message.edit_ms))
    if message.delete_ms:
        proto.delete_time.CopyFrom(timestamp(message.delete_ms))
    return proto


def member_to_proto(member: Member) -> chat_pb2.Member:
    """A member as the contract has it."""
    return chat_pb2.Member(
        user_id=member.user_id,
        role=chat_pb2.MemberRole.ValueType(member.role),
        read_seq=member.read_seq,
        delivered_seq=member.delivered_seq,
    )


def conversation_to_proto(
    conversation: Conversation,
    head: Head,
    members: Iterable[Member],
    last: Message | None,
    viewer: Member | None = None,
) -> chat_pb2.Conversation:
    """A conversation as the contract has it, with the viewer's own fields when there is a viewer.

    Args:
        conversation: its own fields.
        head: where its log is.
        members: all of them; passed over when there are more than are listed.
        last: the latest message.
        viewer: the member who looks.
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
    )
    if last is not None:
        proto.last_message.CopyFrom(message_to_proto(last))
    if viewer is not None:
        proto.read_seq = viewer.read_seq
        proto.unread_count = unread(head.seq, viewer.read_seq)
        if viewer.muted_until_ms:
            proto.muted_until.CopyFrom(timestamp(viewer.muted_until_ms))
    return proto


def receipt_to_proto(message: Message) -> message_pb2.Receipt:
    """Where a message landed, as the contract has it: what was true when it was sent."""
    return message_pb2.Receipt(
        message_id=message.message_id,
        seq=message.seq,
        rev=message.position,
        create_time=timestamp(message.create_ms),
    )


def attachments_of(draft: message_pb2.Draft) -> tuple[Attachment, ...]:
    """A draft's attachments."""
    return tuple(Attachment(a.url, a.name, a.content_type, a.size_bytes) for a in draft.attachments)


def message_kind(kind: chat_pb2.MessageKind.ValueType) -> MessageKind:
    """A draft's kind; text when it gives none. Raises ValueError for one that there is not."""
    return MessageKind(kind or MessageKind.TEXT)


def member_role(role: chat_pb2.MemberRole.ValueType) -> MemberRole:
    """A member's role. Raises ValueError for one that there is not."""
    return MemberRole(role)


def conversation_kind(kind: chat_pb2.ConversationKind.ValueType) -> ConversationKind:
    """A conversation's kind. Raises ValueError for one that there is not."""
    return ConversationKind(kind)
