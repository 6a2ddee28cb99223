"""The conversion of an entry of chat's event log."""

from __future__ import annotations

import pytest
from parley.chat.v1 import chat_pb2, event_pb2

from chassis.events.log import Entry
from services.notify.chat_events import MalformedEntryError, preview, read
from services.notify.folding import MemberJoined, MemberLeft, MessageRevised, MessageSent, MessagesRead


def _entry(*events: event_pb2.Event) -> Entry:
    return Entry(0, "1700000000123-4", "acme", event_pb2.EventBatch(events=events).SerializeToString())


MESSAGE = chat_pb2.Message(
    message_id="m", conversation_id="c", seq=3, rev=5, sender_id="ann", text="hello", mentions=["ben"]
)
MESSAGE.create_time.FromMilliseconds(1_700_000_000_000)
TOMBSTONE = chat_pb2.Message(message_id="m", conversation_id="c", seq=3, rev=7, sender_id="ann")
TOMBSTONE.delete_time.FromMilliseconds(1_700_000_000_001)
MEMBER = chat_pb2.Member(user_id="ben", read_seq=2)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (chat_pb2.Message(kind=chat_pb2.MESSAGE_KIND_TEXT, text="x" * 150), "x" * 140),
        (chat_pb2.Message(kind=chat_pb2.MESSAGE_KIND_IMAGE), "Photo"),
        (chat_pb2.Message(kind=chat_pb2.MESSAGE_KIND_IMAGE, text="our office"), "our office"),
        (chat_pb2.Message(kind=chat_pb2.MESSAGE_KIND_FILE), "File"),
        (chat_pb2.Message(kind=chat_pb2.MESSAGE_KIND_AUDIO), "Voice message"),
        (TOMBSTONE, "Message deleted"),
    ],
)
def test_the_preview_is_the_beginning_of_the_text_or_the_kind_of_message(
    message: chat_pb2.Message, expected: str
) -> None:
    assert preview(message) == expected


def test_every_event_that_matters_is_read() -> None:
    events = [
        event_pb2.Event(
            organization_id="acme",
            recipients=["ann", "ben"],
            message_created=event_pb2.MessageCreated(
                message=MESSAGE, sender_name="Ann", conversation_name="Sales", muted=["cid"]
            ),
        ),
        event_pb2.Event(recipients=["ben"], message_updated=event_pb2.MessageUpdated(message=MESSAGE)),
        event_pb2.Event(recipients=["ben"], message_deleted=event_pb2.MessageDeleted(message=TOMBSTONE)),
        event_pb2.Event(
            receipt_updated=event_pb2.ReceiptUpdated(conversation_id="c", user_id="ben", read_seq=3, delivered_seq=9)
        ),
        event_pb2.Event(
            member_added=event_pb2.MemberAdded(
                conversation_id="c", member=MEMBER, rev=6, actor_id="ann", conversation_name="Sales"
            )
        ),
        event_pb2.Event(
            member_removed=event_pb2.MemberRemoved(conversation_id="c", member=MEMBER, rev=8, actor_id="ann")
        ),
        event_pb2.Event(typing_updated=event_pb2.TypingUpdated(conversation_id="c", user_id="ann", active=True)),
        event_pb2.Event(),
    ]
    assert list(read(_entry(*events))) == [
        MessageSent(
            organization_id="acme",
            conversation_id="c",
            message_id="m",
            seq=3,
            rev=5,
            sender_id="ann",
            sender_name="Ann",
            conversation_name="Sales",
            text="hello",
            time_ms=1_700_000_000_000,
            recipients=("ann", "ben"),
            muted=("cid",),
            mentions=("ben",),
        ),
        MessageRevised("acme", "c", "m", 3, 5, "ann", "hello", ("ben",)),
        MessageRevised("acme", "c", "m", 3, 7, "ann", "Message deleted", ("ben",), deleted=True),
        MessagesRead("acme", "c", "ben", 3),
        MemberJoined("acme", "c", "Sales", "ben", "ann", rev=6, read_seq=2, time_ms=1_700_000_000_123),
        MemberLeft("acme", "c", "ben", 8),
    ]


def test_an_entry_that_is_not_a_batch_of_events_is_malformed() -> None:
    with pytest.raises(MalformedEntryError):
        list(read(Entry(0, "1-1", "acme", b"\xff\xff\xff")))
