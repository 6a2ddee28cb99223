"""Converts the events of chat's event log to the events that affect notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from google.protobuf.message import DecodeError
from parley.chat.v1 import chat_pb2, event_pb2

from chassis.events.log import Entry, position_key
from services.notify.folding import (
    DELETED_TEXT,
    PREVIEW_CHARACTERS,
    ChatEvent,
    MemberJoined,
    MemberLeft,
    MessageRevised,
    MessageSent,
    MessagesRead,
)

_WITHOUT_TEXT: Final = {
    chat_pb2.MESSAGE_KIND_IMAGE: "Photo",
    chat_pb2.MESSAGE_KIND_FILE: "File",
    chat_pb2.MESSAGE_KIND_AUDIO: "Voice message",
    chat_pb2.MESSAGE_KIND_LINK: "Link",
    chat_pb2.MESSAGE_KIND_VIDEO: "Video",
    chat_pb2.MESSAGE_KIND_LOCATION: "Location",
    chat_pb2.MESSAGE_KIND_CONTACT: "Contact",
    chat_pb2.MESSAGE_KIND_STICKER: "Sticker",
}


class MalformedEntryError(Exception):
    """An entry of chat's event log is not an EventBatch."""


def read(entry: Entry) -> Iterator[ChatEvent]:
    """Yields the events of an entry that affect notifications, in order. Raises MalformedEntryError."""
    try:
        batch = event_pb2.EventBatch.FromString(entry.payload)
    except DecodeError as error:
        raise MalformedEntryError from error
    for event in batch.events:
        chat_event = _event(entry, event)
        if chat_event is not None:
            yield chat_event


def _event(entry: Entry, event: event_pb2.Event) -> ChatEvent | None:
    name = event.WhichOneof("payload")
    reader = _READERS.get(name) if name else None
    return reader(entry, event) if reader is not None else None


def _sent(entry: Entry, event: event_pb2.Event) -> MessageSent:
    created = event.message_created
    message = created.message
    return MessageSent(
        organization_id=entry.organization_id,
        conversation_id=message.conversation_id,
        message_id=message.message_id,
        seq=message.seq,
        rev=message.rev,
        sender_id=message.sender_id,
        sender_name=created.sender_name or message.sender_id,
        conversation_name=created.conversation_name,
        text=preview(message),
        time_ms=message.create_time.ToMilliseconds(),
        recipients=tuple(event.recipients),
        muted=tuple(created.muted),
        mentions=tuple(message.mentions),
    )


def _edited(entry: Entry, event: event_pb2.Event) -> MessageRevised:
    return _revised(entry, event, event.message_updated.message)


def _deleted(entry: Entry, event: event_pb2.Event) -> MessageRevised:
    return _revised(entry, event, event.message_deleted.message)


def _revised(entry: Entry, event: event_pb2.Event, message: chat_pb2.Message) -> MessageRevised:
    return MessageRevised(
        organization_id=entry.organization_id,
        conversation_id=message.conversation_id,
        message_id=message.message_id,
        seq=message.seq,
        rev=message.rev,
        sender_id=message.sender_id,
        text=preview(message),
        recipients=tuple(event.recipients),
        deleted=message.HasField("delete_time"),
    )


def _receipt(entry: Entry, event: event_pb2.Event) -> MessagesRead:
    receipt = event.receipt_updated
    return MessagesRead(entry.organization_id, receipt.conversation_id, receipt.user_id, receipt.read_seq)


def _joined(entry: Entry, event: event_pb2.Event) -> MemberJoined:
    """The event carries no time. The entry's own time serves: it is the same each time the entry is read."""
    added = event.member_added
    milliseconds, _ = position_key(entry.entry_id)
    return MemberJoined(
        organization_id=entry.organization_id,
        conversation_id=added.conversation_id,
        conversation_name=added.conversation_name,
        user_id=added.member.user_id,
        actor_id=added.actor_id,
        rev=added.rev,
        read_seq=added.member.read_seq,
        time_ms=milliseconds,
    )


def _left(entry: Entry, event: event_pb2.Event) -> MemberLeft:
    removed = event.member_removed
    return MemberLeft(entry.organization_id, removed.conversation_id, removed.member.user_id, removed.rev)


_READERS: Final[dict[str, Callable[[Entry, event_pb2.Event], ChatEvent]]] = {
    "message_created": _sent,
    "message_updated": _edited,
    "message_deleted": _deleted,
    "receipt_updated": _receipt,
    "member_added": _joined,
    "member_removed": _left,
}


def preview(message: chat_pb2.Message) -> str:
    """Returns a notification's text for a message."""
    if message.HasField("delete_time"):
        return DELETED_TEXT
    return message.text[:PREVIEW_CHARACTERS] or _WITHOUT_TEXT.get(message.kind, "")
