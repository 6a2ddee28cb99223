"""What chat tells of becomes notifications of those who are to hear of it."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import MessageToDict
from parley.chat.v1 import chat_pb2
from parley.notify.v1 import notification_pb2

from tests.component.notify.chat_log import START_MS
from tests.component.notify.person import Person
from tests.component.notify.running import Stage

NEW_MESSAGE = notification_pb2.NOTIFICATION_TYPE_NEW_MESSAGE
MENTION = notification_pb2.NOTIFICATION_TYPE_MENTION
MEMBER_ADDED = notification_pb2.NOTIFICATION_TYPE_MEMBER_ADDED


async def test_the_unread_messages_of_a_conversation_make_one_notification(
    stage: Stage, ann: Person, ben: Person
) -> None:
    conversation = stage.conversation("ann", "ben")
    for number in range(3):
        message = await conversation.say("ann", f"hello {number}")
    await stage.chat.settled()
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


async def test_each_conversation_has_its_own_notification(stage: Stage, ben: Person) -> None:
    await stage.conversation("ann", "ben").say("ann", "one")
    await stage.conversation("cid", "ben", name="").say("cid", "two")
    await stage.chat.settled()
    assert {n.title for n in await ben.notifications()} == {"Name of ann in Sales", "Name of cid"}
    assert await ben.unread() == 2


@pytest.mark.parametrize("text", ["$last_seq", "$$ROOT", "$", '{"$gt": 1}', "\x00", "a" * 139 + "𝄞"])
async def test_a_text_is_never_taken_for_anything_else(stage: Stage, ben: Person, text: str) -> None:
    conversation = stage.conversation("ann", "ben", name=text)
    await conversation.say("ann", text)
    await stage.chat.settled()
    notification = await ben.only()
    assert (notification.title, notification.body) == (f"Name of ann in {text}", text)


async def test_only_the_beginning_of_a_long_text_is_kept(stage: Stage, ben: Person) -> None:
    await stage.conversation("ann", "ben").say("ann", "é" * 141)
    await stage.chat.settled()
    assert (await ben.only()).body == "é" * 140


async def test_reading_the_conversation_reads_the_notification(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    await conversation.say("ann", "one")
    await conversation.say("ann", "two")
    await conversation.tell(conversation.read("ben", 1))
    await stage.chat.settled()
    assert (await ben.only()).count == 1
    await conversation.tell(conversation.read("ben", 2))
    await stage.chat.settled()
    notification = await ben.only()
    assert (notification.count, notification.read, await ben.unread()) == (0, True, 0)


async def test_a_new_message_after_reading_makes_it_unread_again(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    await conversation.say("ann", "one")
    await conversation.tell(conversation.read("ben", 1))
    await conversation.say("ann", "two")
    await stage.chat.settled()
    notification = await ben.only()
    assert (notification.count, notification.read, notification.body) == (1, False, "two")


async def test_a_receipt_in_an_earlier_entry_than_its_message_still_reads_it(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    message = conversation.sent("ann", "one")
    await conversation.tell(conversation.read("ben", 1))
    await stage.chat.settled()
    await conversation.tell(message)
    await stage.chat.settled()
    assert (await ben.only()).read


async def test_what_comes_while_a_conversation_is_muted_makes_no_notification(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    await conversation.say("ann", "one", muted=["ben"], mentions=["ben"])
    await stage.chat.settled()
    assert await ben.notifications() == []
    await conversation.say("ann", "two")
    await stage.chat.settled()
    assert (await ben.only()).count == 1


async def test_muted_types_make_no_notification_then_or_later(stage: Stage, ben: Person) -> None:
    await ben.mute(NEW_MESSAGE, MENTION, MEMBER_ADDED)
    conversation = stage.conversation("ann")
    await conversation.tell(conversation.added("ben", "ann"))
    await conversation.say("ann", "one", mentions=["ben"])
    await stage.chat.settled()
    assert await ben.notifications() == []
    await ben.mute()
    await conversation.say("ann", "two")
    await stage.chat.settled()
    assert (await ben.only()).count == 1


async def test_an_edit_of_the_latest_message_changes_what_the_notification_says(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    first = await conversation.say("ann", "one")
    second = await conversation.say("ann", "two")
    await conversation.tell(conversation.edited(first, "ONE"))
    await stage.chat.settled()
    assert (await ben.only()).body == "two"
    await conversation.tell(conversation.edited(second, "TWO"))
    await stage.chat.settled()
    notification = await ben.only()
    assert (notification.body, notification.count) == ("TWO", 2)


async def test_a_deleted_message_is_still_counted_but_its_text_is_nowhere(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    message = await conversation.say("ann", "a secret", mentions=["ben"])
    await stage.chat.settled()
    await conversation.tell(conversation.deleted(message))
    await stage.chat.settled()
    assert [(n.body, n.count) for n in await ben.notifications()] == [("Message deleted", 1)] * 2
    assert "a secret" not in str([document async for document in stage.database.notifications.find()])


@pytest.mark.parametrize("together", [True, False], ids=["in one entry", "in entries apart"])
async def test_a_message_told_of_after_its_deletion_does_not_bring_its_text_back(
    stage: Stage, ben: Person, together: bool
) -> None:
    conversation = stage.conversation("ann", "ben")
    sent = conversation.sent("ann", "a secret", mentions=["ben"])
    deleted = conversation.deleted(sent.message_created.message)
    if together:
        await conversation.tell(deleted, sent)
    else:
        await conversation.tell(deleted)
        await stage.chat.settled()
        await conversation.tell(sent)
    await stage.chat.settled()
    assert [n.body for n in await ben.notifications()] == ["Message deleted"] * 2


@pytest.mark.parametrize(
    ("kind", "body"),
    [(chat_pb2.MESSAGE_KIND_IMAGE, "Photo"), (chat_pb2.MESSAGE_KIND_FILE, "File")],
)
async def test_a_message_without_text_says_what_it_is(
    stage: Stage, ben: Person, kind: chat_pb2.MessageKind.ValueType, body: str
) -> None:
    await stage.conversation("ann", "ben").say("ann", "", kind=kind)
    await stage.chat.settled()
    assert (await ben.only()).body == body


async def test_a_mention_makes_a_notification_of_its_own_for_members_alone(
    stage: Stage, ann: Person, ben: Person
) -> None:
    cid = await stage.person("cid")
    conversation = stage.conversation("ann", "ben")
    await conversation.say("ann", "look @ben @cid @ann", mentions=["ben", "cid", "ann"])
    await stage.chat.settled()
    mention = await ben.only(type=MENTION)
    assert (mention.title, mention.body, mention.count) == (
        "Name of ann mentioned you in Sales",
        "look @ben @cid @ann",
        1,
    )
    assert await ben.unread() == 2
    assert await ann.notifications() == await cid.notifications() == []


async def test_being_added_to_a_group_makes_a_notification(stage: Stage, ann: Person, ben: Person) -> None:
    conversation = stage.conversation()
    await conversation.tell(conversation.added("ann", "ann"), conversation.added("ben", "ann"))
    direct = stage.conversation(name="")
    await direct.tell(direct.added("ben", "ann"))
    await stage.chat.settled()
    notification = await ben.only(type=MEMBER_ADDED)
    assert notification.title == "You were added to Sales"
    assert MessageToDict(notification.data) == {"conversationId": conversation.conversation_id, "actorId": "ann"}
    assert await ann.notifications() == []


async def test_who_leaves_loses_the_notification_and_who_returns_starts_afresh(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    await conversation.say("ann", "before")
    await conversation.tell(conversation.removed("ben"))
    await stage.chat.settled()
    assert (await ben.notifications(), await ben.unread()) == ([], 0)
    for number in range(5):
        await conversation.say("ann", f"meanwhile {number}")
    await conversation.tell(conversation.added("ben", "ann"))
    await stage.chat.settled()
    assert await ben.notifications(type=NEW_MESSAGE) == []
    await conversation.say("ann", "after")
    await stage.chat.settled()
    notification = await ben.only(type=NEW_MESSAGE)
    assert (notification.body, notification.count) == ("after", 1)


async def test_a_repeated_log_changes_nothing(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    events = [conversation.sent("ann", f"text {number}", mentions=["ben"]) for number in range(3)]
    events += [conversation.read("ben", 2), conversation.edited(events[2].message_created.message, "edited")]
    await conversation.tell(*events)
    await stage.chat.settled()
    before = await ben.notifications()
    for event in reversed(events):
        await conversation.tell(event)
    await stage.chat.settled()
    assert await ben.notifications() == before
    assert [n.count for n in before if n.type == NEW_MESSAGE] == [1]


async def test_a_busy_conversation_of_many_members_reaches_all_of_them(stage: Stage) -> None:
    people = [await stage.person(f"user-{number}") for number in range(5)]
    crowd = [person.user_id for person in people] + [f"more-{number}" for number in range(2_500)]
    conversation = stage.conversation("ann", *crowd)
    for _ in range(4):
        await conversation.tell(*(conversation.sent("ann", "hello all") for _ in range(5)))
    await stage.chat.settled()
    assert [(await person.only()).count for person in people] == [20] * 5
