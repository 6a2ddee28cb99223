"""Chat's events give the same notifications in any order, repetition and batching."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain import Notification, NotificationType
from services.notify.folding import ChatEvent, Folded, MemberJoined, MemberLeft, MessageSent, MessagesRead, fold
from tests.unit.notify.conversation import NAME, ORGANIZATION, START_MS, Conversation
from tests.unit.notify.histories import histories

Stored = dict[str, Notification]


def _join(stored: Stored, folded: Folded) -> None:
    for change in folded.changes:
        before = stored.get(change.notification_id)
        state = change.state if before is None else before.state.join(change.state)
        stored[change.notification_id] = replace(change, state=state)


def _apply(batches: Iterable[list[ChatEvent]]) -> Stored:
    stored: Stored = {}
    for batch in batches:
        _join(stored, fold(batch))
    return stored


def _of(stored: Stored, user: str, type_: NotificationType = NotificationType.NEW_MESSAGE) -> list[Notification]:
    return [n for n in stored.values() if n.owner.user_id == user and n.type is type_]


@given(histories(), st.data())
def test_any_order_repetition_and_batching_gives_the_same(history: Conversation, data: st.DataObject) -> None:
    events = history.events
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=10)) if events else []
    shuffled = data.draw(st.permutations([*events, *repeated]))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(shuffled)), max_size=5)))
    batches = [shuffled[i:j] for i, j in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    assert _apply(batches) == _apply([events])


@given(histories(), st.data())
def test_deletions_are_the_same_for_any_batching(history: Conversation, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(history.events)))
    parts = fold(history.events[:cut]).deletions, fold(history.events[cut:]).deletions
    latest = {key: max(part.get(key, 0) for part in parts) for key in {*parts[0], *parts[1]}}
    assert latest == fold(history.events).deletions


@given(histories())
def test_everyone_is_notified_of_exactly_what_they_have_not_read(history: Conversation) -> None:
    stored = _apply([history.events])
    for user, member in history.members.items():
        notifications = _of(stored, user)
        listed = [n for n in notifications if n.state.listed]
        assert len(listed) == member.listed
        if not listed:
            continue
        notification = listed[0]
        assert notification.count == len(member.unread)
        assert notification.state.unread == bool(member.unread)
        if member.unread:
            assert notification.state.text is not None
            assert notification.state.text.body == history.texts[max(member.unread) - 1]


@given(histories())
def test_every_mentioned_recipient_of_a_message_gets_a_mention(history: Conversation) -> None:
    mentions = [n for n in _apply([history.events]).values() if n.type is NotificationType.MENTION]
    mentioned = {(json.loads(n.state.latest.data)["seq"], n.owner.user_id) for n in mentions if n.state.latest}
    assert mentioned == history.mentioned
    assert all(n.state.unread and n.count == 1 for n in mentions)


def test_a_batch_makes_one_change_for_each_member_however_many_messages_it_has() -> None:
    conversation = Conversation([f"user-{number}" for number in range(20)])
    for number in range(50):
        conversation.send(f"user-{number % 3}")
    assert len(fold(conversation.events).changes) == 20


MESSAGE = MessageSent(
    organization_id=ORGANIZATION,
    conversation_id="c",
    message_id="m",
    seq=41,
    rev=77,
    sender_id="ann",
    sender_name="Ann",
    conversation_name=NAME,
    text="hello",
    time_ms=START_MS,
    recipients=("ann", "ben"),
)


def _only(*events: ChatEvent, user: str, type_: NotificationType = NotificationType.NEW_MESSAGE) -> Notification:
    (notification,) = _of(_apply([[event] for event in events]), user, type_)
    return notification


def test_the_first_message_of_a_notification_counts_as_one_whatever_its_seq() -> None:
    assert _only(MESSAGE, user="ben").count == 1


def test_a_notification_says_who_wrote_what_where() -> None:
    state = _only(MESSAGE, user="ben").state
    assert state.latest is not None and state.text is not None
    assert (state.latest.title, state.text.body, state.latest.time_ms) == ("Ann in Sales", "hello", START_MS)
    assert json.loads(state.latest.data) == {"conversationId": "c", "messageId": "m", "senderId": "ann", "seq": 41}


def test_in_a_direct_conversation_the_title_is_the_senders_name() -> None:
    state = _only(replace(MESSAGE, conversation_name=""), user="ben").state
    assert state.latest is not None and state.latest.title == "Ann"


def test_a_long_title_is_cut_to_what_the_contract_allows() -> None:
    state = _only(replace(MESSAGE, conversation_name="x" * 200), user="ben").state
    assert state.latest is not None and len(state.latest.title) == 200


def test_senders_are_not_notified_of_their_own_messages() -> None:
    assert not _only(MESSAGE, user="ann").state.listed


def test_writing_an_answer_reads_what_was_unread() -> None:
    answer = replace(MESSAGE, message_id="m2", seq=42, rev=78, sender_id="ben")
    assert not _only(MESSAGE, answer, user="ben").state.unread


def test_what_comes_while_a_conversation_is_muted_counts_neither_then_nor_later() -> None:
    muted = [replace(MESSAGE, message_id=f"m{seq}", seq=seq, rev=seq, muted=("ben",)) for seq in range(100, 110)]
    later = replace(MESSAGE, message_id="later", seq=110, rev=110)
    assert not _only(*muted, user="ben").state.listed
    assert _only(*muted, later, user="ben").count == 1


def test_a_receipt_that_overtakes_its_message_still_reads_it() -> None:
    assert not _only(MessagesRead(ORGANIZATION, "c", "ben", 41), MESSAGE, user="ben").state.unread


def test_a_removal_that_overtakes_a_message_still_removes_its_notification() -> None:
    assert not _only(MemberLeft(ORGANIZATION, "c", "ben", 78), MESSAGE, user="ben").state.listed


@pytest.mark.parametrize("mentioned", ["ann", "cid"], ids=["the sender", "no member"])
def test_nobody_but_other_members_can_be_mentioned(mentioned: str) -> None:
    stored = _apply([[replace(MESSAGE, mentions=(mentioned,))]])
    assert not [n for n in stored.values() if n.type is NotificationType.MENTION]


def test_a_mention_passes_the_mute_of_its_conversation() -> None:
    stored = _apply([[replace(MESSAGE, mentions=("ben",), muted=("ben",))]])
    assert [n.owner.user_id for n in stored.values() if n.type is NotificationType.MENTION] == ["ben"]


JOINED = MemberJoined(ORGANIZATION, "c", NAME, "ben", "ann", rev=5, read_seq=0, time_ms=START_MS)


def test_being_added_to_a_group_makes_a_notification() -> None:
    state = _only(JOINED, user="ben", type_=NotificationType.MEMBER_ADDED).state
    assert state.unread
    assert state.latest is not None and state.latest.title == "You were added to Sales"


def test_being_added_again_makes_another_notification() -> None:
    assert len(_of(_apply([[JOINED, replace(JOINED, rev=9)]]), "ben", NotificationType.MEMBER_ADDED)) == 2


@pytest.mark.parametrize(
    "joined",
    [replace(JOINED, actor_id="ben"), replace(JOINED, conversation_name="")],
    ids=["by oneself", "to a direct conversation"],
)
def test_some_additions_make_no_notification(joined: MemberJoined) -> None:
    assert _apply([[joined]]) == {}


@pytest.mark.parametrize(
    "other",
    [replace(MESSAGE, organization_id="other"), replace(MESSAGE, conversation_id="other")],
    ids=["organization", "conversation"],
)
def test_notifications_of_another_organization_or_conversation_are_others(other: MessageSent) -> None:
    assert _apply([[MESSAGE]]).keys().isdisjoint(_apply([[other]]).keys())
