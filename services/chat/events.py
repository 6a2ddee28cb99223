"""Builds events and their recipients from log entries, at the time of the commit or later from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parley.chat.v1 import chat_pb2, event_pb2

from services.chat import convert
from services.chat.domain import (
    Change,
    ChangeKind,
    Conversation,
    ConversationKind,
    Head,
    Member,
    Message,
    MessageDraft,
    Owner,
)
from services.chat.ids import room_of


def message_created(
    conversation: Conversation, message: Message, members: Mapping[str, Member], *, origin: str
) -> event_pb2.Event:
    """Builds the event of a message that was sent; the recipients are `members`."""
    event = event_pb2.Event(organization_id=conversation.organization_id, recipients=members, origin=origin)
    created = event.message_created
    convert.write_message(created.message, message)
    created.sender_name = message.sender_name or message.sender_id
    created.conversation_name = conversation.name
    created.kind = chat_pb2.ConversationKind.ValueType(conversation.kind)
    if conversation.kind is ConversationKind.DIRECT:
        created.receiver_id = next((user for user in members if user != message.sender_id), "")
    else:
        created.room = room_of(conversation)
    created.muted.extend([user for user, member in members.items() if member.muted_until_ms > message.create_ms])
    return event


def change_events(
    change: Change,
    conversation: Conversation,
    head: Head,
    members: list[Member],
    *,
    last: Message | None,
    message: Message | None,
) -> list[event_pb2.Event]:
    """Builds the events of a change entry.

    Args:
        change: the entry.
        conversation: the conversation after the change.
        head: its head, at or after the change.
        members: its members after the change.
        last: its latest message.
        message: the message that was changed or deleted, as it is now.
    """
    if change.kind in {ChangeKind.UPDATED, ChangeKind.DELETED}:
        return [_message_changed(conversation, message, members)] if message is not None else []
    view = convert.conversation_to_proto(conversation, head, members, last)
    event = _event(conversation, members)
    if change.kind is ChangeKind.SETTINGS:
        event.conversation_updated.conversation.CopyFrom(view)
        event.conversation_updated.views.extend(_views(members))
        return [event]
    if change.kind is ChangeKind.CREATED:
        return [_conversation_created(conversation, view, members)]
    return list(_member_events(change, conversation, view, members))


def _event(conversation: Conversation, recipients: Iterable[Member]) -> event_pb2.Event:
    ids = [member.user_id for member in recipients]
    return event_pb2.Event(organization_id=conversation.organization_id, recipients=ids)


def _message_changed(conversation: Conversation, message: Message, members: list[Member]) -> event_pb2.Event:
    event = _event(conversation, members)
    changed = event.message_deleted if message.delete_ms else event.message_updated
    changed.message.CopyFrom(convert.message_to_proto(message))
    return event


def _conversation_created(
    conversation: Conversation, view: chat_pb2.Conversation, recipients: list[Member]
) -> event_pb2.Event:
    event = _event(conversation, recipients)
    event.conversation_created.conversation.CopyFrom(view)
    event.conversation_created.views.extend(_views(recipients))
    return event


def _member_events(
    change: Change, conversation: Conversation, view: chat_pb2.Conversation, members: list[Member]
) -> Iterable[event_pb2.Event]:
    """Removed members receive the event of their removal; added members receive the conversation before their event."""
    by_id = {member.user_id: member for member in members}
    for member in change.removed:
        event = _event(conversation, members)
        if member.user_id not in by_id:
            event.recipients.append(member.user_id)
        _describe(event.member_removed, change, convert.member_to_proto(member))
        yield event
    joined = [by_id[user_id] for user_id in change.added if user_id in by_id]
    if joined:
        yield _conversation_created(conversation, view, joined)
    for member in joined:
        event = _event(conversation, members)
        _describe(event.member_added, change, convert.member_to_proto(member))
        event.member_added.conversation_name = conversation.name
        yield event
    for user_id in change.updated:
        if user_id in by_id:
            event = _event(conversation, members)
            _describe(event.member_updated, change, convert.member_to_proto(by_id[user_id]))
            yield event


def _describe(
    what: event_pb2.MemberAdded | event_pb2.MemberRemoved | event_pb2.MemberUpdated,
    change: Change,
    member: chat_pb2.Member,
) -> None:
    what.conversation_id = change.conversation_id
    what.rev = change.rev
    what.actor_id = change.actor_id
    what.member.CopyFrom(member)


def _views(members: Iterable[Member]) -> Iterable[event_pb2.View]:
    for member in members:
        view = event_pb2.View(user_id=member.user_id, read_seq=member.read_seq, pinned=member.pinned)
        if member.muted_until_ms:
            view.muted_until_time.CopyFrom(convert.timestamp(member.muted_until_ms))
        yield view


def view_updated(organization_id: str, seen: chat_pb2.Conversation, user_id: str) -> event_pb2.Event:
    """Builds the event of a change to a member's own view, which is `seen` now, for the member's other devices."""
    event = event_pb2.Event(organization_id=organization_id, recipients=[user_id])
    updated = event.conversation_updated
    updated.conversation.CopyFrom(seen)
    for own_field in ("read_seq", "unread_count", "muted_until_time", "pinned"):
        updated.conversation.ClearField(own_field)
    view = updated.views.add(user_id=user_id, read_seq=seen.read_seq, pinned=seen.pinned)
    if seen.HasField("muted_until_time"):
        view.muted_until_time.CopyFrom(seen.muted_until_time)
    return event


def draft_updated(owner: Owner, draft: MessageDraft) -> event_pb2.Event:
    """Builds the event of a draft, for the devices of its owner."""
    event = event_pb2.Event(organization_id=owner.organization_id, recipients=[owner.user_id])
    event.draft_updated.draft.CopyFrom(convert.draft_to_proto(draft))
    return event


def receipt_updated(
    conversation: Conversation, member: Member, recipients: Iterable[Member], *, has_read: bool
) -> event_pb2.Event:
    """Builds the event of a member's marks; `has_read` is False if the delivered mark alone advanced."""
    event = _event(conversation, recipients)
    moved = event.receipt_updated
    moved.conversation_id = conversation.conversation_id
    moved.user_id = member.user_id
    moved.read_seq = member.read_seq
    moved.delivered_seq = member.delivered_seq
    moved.kind = chat_pb2.ConversationKind.ValueType(conversation.kind)
    moved.room = room_of(conversation)
    if has_read:
        moved.read_time.CopyFrom(convert.timestamp(member.read_ms))
    return event


def typing_updated(
    conversation: Conversation, user_id: str, name: str, *, active: bool, recipients: Iterable[Member]
) -> event_pb2.Event:
    """Builds the event of a member who starts or stops typing."""
    event = _event(conversation, recipients)
    event.typing_updated.conversation_id = conversation.conversation_id
    event.typing_updated.user_id = user_id
    event.typing_updated.name = name or user_id
    event.typing_updated.active = active
    event.typing_updated.kind = chat_pb2.ConversationKind.ValueType(conversation.kind)
    event.typing_updated.room = room_of(conversation)
    return event
