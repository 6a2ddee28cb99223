"""Chat's events create and change notifications of the conversation's members."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import MessageToDict
from parley.chat.v1 import chat_pb2
from parley.notify.v1 import notification_pb2

from tests.component.notify.chat_log import START_MS
from tests.component.notify.harness import Harness
from tests.component.notify.user import User

NEW_MESSAGE = notification_pb2.NOTIFICATION_TYPE_NEW_MESSAGE
MENTION = notification_pb2.NOTIFICATION_TYPE_MENTION
MEMBER_ADDED = notification_pb2.NOTIFICATION_TYPE_MEMBER_ADDED


async def test_the_unread_messages_of_a_conversation_make_one_notification(
    harness: Harness, ann: User, ben: User
) -> None:
    conversation = harness.conversation("ann", "ben")
    for number in range(3):
        message = await conversation.send("ann", f"hello {number}")
    await harness.chat.drained()
    notification = await ben.only()
    assert len(notification.notification_id) == 22
    assert (notification.type, notification.count, notification.read) == (NEW_MESSAGE, 3, False)
    assert (notification.title, notification.body) == ("Name of ann in Sales", "hello 2")
    assert MessageToDict(notification.data) == {
        "conversationId": conversation.conversation_id,
        "messageId": message.message_id,
        "senderId": "ann",
        "seq": 3,
    }
    assert notification.update_time.ToMilliseconds() == START_MS + 3
    assert await ben.unread() == 1
    assert await ann.notifications() == []


async def test_each_conversation_has_its_own_notification(harness: Harness, ben: User) -> None:
    await harness.conversation("ann", "ben").send("ann", "one")
    await harness.conversation("cid", "ben", name="").send("cid", "two")
    await harness.chat.drained()
    assert {n.title for n in await ben.notifications()} == {"Name of ann in Sales", "Name of cid"}
    assert await ben.unread() == 2


@pytest.mark.parametrize("text", ["$last_seq", "$$ROOT", "$", '{"$gt": 1}', "\x00", "a" * 139 + "𝄞"])
async def test_text_is_never_interpreted_as_an_expression(harness: Harness, ben: User, text: str) -> None:
    conversation = harness.conversation("ann", "ben", name=text)
    await conversation.send("ann", text)
    await harness.chat.drained()
    notification = await ben.only()
    assert (notification.title, notification.body) == (f"Name of ann in {text}", text)


async def test_only_the_beginning_of_a_long_text_is_kept(harness: Harness, ben: User) -> None:
    await harness.conversation("ann", "ben").send("ann", "é" * 141)
    await harness.chat.drained()
    assert (await ben.only()).body == "é" * 140


async def test_reading_the_conversation_reads_the_notification(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await conversation.send("ann", "two")
    await conversation.publish(conversation.read("ben", 1))
    await harness.chat.drained()
    assert (await ben.only()).count == 1
    await conversation.publish(conversation.read("ben", 2))
    await harness.chat.drained()
    notification = await ben.only()
    assert (notification.count, notification.read, await ben.unread()) == (0, True, 0)


async def test_a_new_message_after_reading_makes_it_unread_again(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await conversation.publish(conversation.read("ben", 1))
    await conversation.send("ann", "two")
    await harness.chat.drained()
    notification = await ben.only()
    assert (notification.count, notification.read, notification.body) == (1, False, "two")


async def test_a_receipt_in_an_earlier_entry_than_its_message_still_reads_it(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    message = conversation.sent("ann", "one")
    await conversation.publish(conversation.read("ben", 1))
    await harness.chat.drained()
    await conversation.publish(message)
    await harness.chat.drained()
    assert (await ben.only()).read


async def test_a_mention_passes_the_mute_of_a_conversation(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one", muted=["ben"], mentions=["ben"])
    await harness.chat.drained()
    assert (await ben.only()).type == MENTION


async def test_what_comes_while_a_conversation_is_muted_makes_no_notification(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one", muted=["ben"])
    await harness.chat.drained()
    assert await ben.notifications() == []
    await conversation.send("ann", "two")
    await harness.chat.drained()
    assert (await ben.only()).count == 1


async def test_muted_types_make_no_notification_then_or_later(harness: Harness, ben: User) -> None:
    await ben.mute(NEW_MESSAGE, MENTION, MEMBER_ADDED)
    conversation = harness.conversation("ann")
    await conversation.publish(conversation.added("ben", "ann"))
    await conversation.send("ann", "one", mentions=["ben"])
    await harness.chat.drained()
    assert await ben.notifications() == []
    await ben.mute()
    await conversation.send("ann", "two")
    await harness.chat.drained()
    assert (await ben.only()).count == 1


async def test_an_edit_of_the_latest_message_changes_what_the_notification_says(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    first = await conversation.send("ann", "one")
    second = await conversation.send("ann", "two")
    await conversation.publish(conversation.edited(first, "ONE"))
    await harness.chat.drained()
    assert (await ben.only()).body == "two"
    await conversation.publish(conversation.edited(second, "TWO"))
    await harness.chat.drained()
    notification = await ben.only()
    assert (notification.body, notification.count) == ("TWO", 2)


async def test_a_deleted_message_is_still_counted_but_its_text_is_nowhere(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    message = await conversation.send("ann", "a secret", mentions=["ben"])
    await harness.chat.drained()
    await conversation.publish(conversation.deleted(message))
    await harness.chat.drained()
    assert [(n.body, n.count) for n in await ben.notifications()] == [("Message deleted", 1)] * 2
    assert "a secret" not in str([document async for document in harness.database.notifications.find()])


@pytest.mark.parametrize("together", [True, False], ids=["in one entry", "in entries apart"])
async def test_a_message_published_after_its_deletion_does_not_restore_its_text(
    harness: Harness, ben: User, together: bool
) -> None:
    conversation = harness.conversation("ann", "ben")
    sent = conversation.sent("ann", "a secret", mentions=["ben"])
    deleted = conversation.deleted(sent.message_created.message)
    if together:
        await conversation.publish(deleted, sent)
    else:
        await conversation.publish(deleted)
        await harness.chat.drained()
        await conversation.publish(sent)
    await harness.chat.drained()
    assert [n.body for n in await ben.notifications()] == ["Message deleted"] * 2


@pytest.mark.parametrize(
    ("kind", "body"),
    [(chat_pb2.MESSAGE_KIND_IMAGE, "Photo"), (chat_pb2.MESSAGE_KIND_FILE, "File")],
)
async def test_a_message_without_text_says_what_it_is(
    harness: Harness, ben: User, kind: chat_pb2.MessageKind.ValueType, body: str
) -> None:
    await harness.conversation("ann", "ben").send("ann", "", kind=kind)
    await harness.chat.drained()
    assert (await ben.only()).body == body


async def test_a_mention_makes_a_notification_of_its_own_for_members_alone(
    harness: Harness, ann: User, ben: User
) -> None:
    cid = await harness.create_user("cid")
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "look @ben @cid @ann", mentions=["ben", "cid", "ann"])
    await harness.chat.drained()
    mention = await ben.only(type=MENTION)
    assert (mention.title, mention.body, mention.count) == (
        "Name of ann mentioned you in Sales",
        "look @ben @cid @ann",
        1,
    )
    assert await ben.unread() == 2
    assert await ann.notifications() == await cid.notifications() == []


async def test_being_added_to_a_group_makes_a_notification(harness: Harness, ann: User, ben: User) -> None:
    conversation = harness.conversation()
    await conversation.publish(conversation.added("ann", "ann"), conversation.added("ben", "ann"))
    direct = harness.conversation(name="")
    await direct.publish(direct.added("ben", "ann"))
    await harness.chat.drained()
    notification = await ben.only(type=MEMBER_ADDED)
    assert notification.title == "You were added to Sales"
    assert MessageToDict(notification.data) == {"conversationId": conversation.conversation_id, "actorId": "ann"}
    assert await ann.notifications() == []


async def test_who_leaves_loses_the_notification_and_who_returns_starts_afresh(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "before")
    await conversation.publish(conversation.removed("ben"))
    await harness.chat.drained()
    assert (await ben.notifications(), await ben.unread()) == ([], 0)
    for number in range(5):
        await conversation.send("ann", f"meanwhile {number}")
    await conversation.publish(conversation.added("ben", "ann"))
    await harness.chat.drained()
    assert await ben.notifications(type=NEW_MESSAGE) == []
    await conversation.send("ann", "after")
    await harness.chat.drained()
    notification = await ben.only(type=NEW_MESSAGE)
    assert (notification.body, notification.count) == ("after", 1)


async def test_a_repeated_log_changes_nothing(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    events = [conversation.sent("ann", f"text {number}", mentions=["ben"]) for number in range(3)]
    events += [conversation.read("ben", 2), conversation.edited(events[2].message_created.message, "edited")]
    await conversation.publish(*events)
    await harness.chat.drained()
    before = await ben.notifications()
    for event in reversed(events):
        await conversation.publish(event)
    await harness.chat.drained()
    assert await ben.notifications() == before
    assert [n.count for n in before if n.type == NEW_MESSAGE] == [1]


async def test_a_busy_conversation_of_many_members_reaches_all_of_them(harness: Harness) -> None:
    users = [await harness.create_user(f"user-{number}") for number in range(5)]
    crowd = [user.user_id for user in users] + [f"more-{number}" for number in range(2_500)]
    conversation = harness.conversation("ann", *crowd)
    for _ in range(4):
        await conversation.publish(*(conversation.sent("ann", "hello all") for _ in range(5)))
    await harness.chat.drained()
    assert [(await user.only()).count for user in users] == [20] * 5
