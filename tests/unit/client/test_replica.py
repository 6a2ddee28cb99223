"""The events that the replica emits, and when it needs a sync."""

import pytest
from parley_client.apply_response import apply_response
from parley_client.contract import (
    AddMembersResponse,
    Conversation,
    CreateConversationResponse,
    EditMessageResponse,
    ListMessagesResponse,
    Member,
    Message,
    RemoveMemberResponse,
    SendMessageResponse,
    SyncMessagesResponse,
)
from parley_client.events import (
    ConversationCreated,
    ConversationUpdated,
    Event,
    MemberAdded,
    MemberRemoved,
    MemberUpdated,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    ReceiptUpdated,
    TypingUpdated,
)
from parley_client.replica import Replica

from tests.unit.client.conversation_log import CONVERSATION_ID, ME, ConversationLog


@pytest.fixture
def log() -> ConversationLog:
    """A group of me, ann and bob, with two messages from ann."""
    log = ConversationLog()
    log.create("ann", ME, "bob")
    log.send("ann", "one")
    log.send("ann", "two")
    log.publish()
    return log


@pytest.fixture
def replica(log: ConversationLog) -> Replica:
    """A replica that was loaded with the conversation."""
    replica = Replica()
    replica.set_user(ME)
    replica.apply_snapshot(log.snapshot())
    replica.mark_loaded()
    return replica


def apply(replica: Replica, *events: Event) -> list[Event]:
    return [emitted for event in events for emitted in replica.apply(event).events]


def sync(replica: Replica, log: ConversationLog, page_size: int = 100) -> list[Event]:
    after_rev = replica.conversation(CONVERSATION_ID).applied_rev
    return replica.merge_page(CONVERSATION_ID, after_rev, log.sync(after_rev, page_size))


def texts(replica: Replica) -> list[str]:
    return [message.text for message in replica.conversation(CONVERSATION_ID).messages]


def test_live_events_are_emitted_as_they_come(replica: Replica, log: ConversationLog) -> None:
    log.send("bob", "three")
    events = log.publish()
    log.rename("second")
    events += log.publish()
    log.add("cid")
    log.edit("m3", "three, edited")
    events += log.publish()

    assert apply(replica, *events) == events

    assert not replica.out_of_sync
    assert replica.conversation(CONVERSATION_ID).applied_rev == log.rev


def test_a_gap_asks_for_a_sync_and_holds_back_what_comes_after_it(replica: Replica, log: ConversationLog) -> None:
    log.send("ann", "lost")
    log.send("ann", "next")
    _, following = log.publish()

    outcome = replica.apply(following)

    assert (outcome.events, outcome.needs_sync) == ([], True)
    emitted = sync(replica, log)
    assert [(type(event), event.replayed) for event in emitted] == [(MessageCreated, True), (MessageCreated, True)]
    assert texts(replica) == ["lost", "next"]
    assert not replica.out_of_sync


def test_the_missing_event_may_still_come_by_itself(replica: Replica, log: ConversationLog) -> None:
    log.send("ann", "first")
    log.send("ann", "second")
    first, second = log.publish()

    assert apply(replica, second, first) == [first, second]
    assert not replica.out_of_sync


def test_missed_changes_are_emitted_as_their_sum(replica: Replica, log: ConversationLog) -> None:
    log.send("ann", "new")
    log.send("bob", "gone")
    log.edit("m1", "one, edited")
    log.delete("m4")
    log.delete("m2")
    log.rename("second")
    log.add("cid")
    log.remove("bob")
    log.set_role("cid", "admin")
    log.read("ann", 4)

    replica.apply_snapshot(log.snapshot())
    emitted = sync(replica, log)

    assert all(event.replayed for event in emitted)
    assert [
        (type(event).__name__, event.message.message_id)
        for event in emitted
        if isinstance(event, MessageCreated | MessageUpdated | MessageDeleted)
    ] == [("MessageCreated", "m3"), ("MessageUpdated", "m1"), ("MessageDeleted", "m4"), ("MessageDeleted", "m2")]
    assert [type(event) for event in emitted[4:]] == [ConversationUpdated, MemberAdded, MemberRemoved, ReceiptUpdated]
    added = next(event for event in emitted if isinstance(event, MemberAdded))
    assert (added.member.user_id, added.member.role, added.rev) == ("cid", "admin", log.rev)


def test_a_role_that_changed_meanwhile_is_emitted(replica: Replica, log: ConversationLog) -> None:
    log.set_role("bob", "admin")
    replica.apply_snapshot(log.snapshot())

    assert [type(event) for event in sync(replica, log)] == [MemberUpdated]


def test_a_sync_in_pages_is_complete_only_with_the_last(replica: Replica, log: ConversationLog) -> None:
    for number in range(3):
        log.send("ann", str(number))
    log.add("cid")
    replica.apply_snapshot(log.snapshot())

    first = sync(replica, log, page_size=2)
    assert [type(event) for event in first] == [MessageCreated, MessageCreated]
    assert CONVERSATION_ID in replica.out_of_sync

    second = sync(replica, log, page_size=2)
    assert [type(event) for event in second] == [MessageCreated, MemberAdded]
    assert CONVERSATION_ID not in replica.out_of_sync


def test_a_page_that_begins_beyond_a_gap_accounts_for_nothing(replica: Replica, log: ConversationLog) -> None:
    log.send("ann", "missed")
    log.send("ann", "later")
    rev = replica.conversation(CONVERSATION_ID).applied_rev

    replica.merge_page(CONVERSATION_ID, rev + 1, log.sync(rev + 1, 100))

    assert replica.conversation(CONVERSATION_ID).applied_rev == rev
    assert CONVERSATION_ID in replica.out_of_sync


def test_what_was_there_before_the_client_is_no_news_but_its_changes_are(
    replica: Replica, log: ConversationLog
) -> None:
    state = replica.conversation(CONVERSATION_ID)
    assert (state.messages, state.seq, state.complete) == ([], 2, False)

    log.edit("m1", "one, edited")
    replica.apply_snapshot(log.snapshot())

    assert [type(event) for event in sync(replica, log)] == [MessageUpdated]


def test_loading_the_history_emits_nothing_and_stores_everything(replica: Replica, log: ConversationLog) -> None:
    emitted = replica.merge_page(CONVERSATION_ID, 0, log.sync(0, 100))

    assert emitted == []
    assert texts(replica) == ["one", "two"]
    assert replica.conversation(CONVERSATION_ID).complete


def test_a_page_of_history_is_kept_unless_it_holds_news(replica: Replica, log: ConversationLog) -> None:
    old = list(log.messages.values())
    log.send("bob", "three")
    page = ListMessagesResponse(messages=list(log.messages.values()))

    assert apply_response(replica, ME, "message.list", {"conversationId": CONVERSATION_ID}, page) == []

    assert replica.conversation(CONVERSATION_ID).messages == old
    assert len(apply(replica, *log.publish())) == 1


# Responses to own requests.


def test_an_own_message_is_known_from_its_answer(replica: Replica, log: ConversationLog) -> None:
    body = {"conversationId": CONVERSATION_ID, "clientMessageId": "k", "text": "mine", "mentions": ["bob", "stranger"]}
    sent = log.send(ME, "mine", "k")

    assert apply_response(replica, ME, "message.send", body, sent) == []

    message = replica.conversation(CONVERSATION_ID).messages[0]
    assert (message.text, message.sender_id, message.client_message_id) == ("mine", ME, "k")
    assert (message.seq, message.rev, message.mentions) == (3, log.rev, ["bob"])
    assert apply(replica, *log.publish()) == []


def test_an_own_answer_releases_the_events_that_waited_for_it(replica: Replica, log: ConversationLog) -> None:
    body = {"conversationId": CONVERSATION_ID, "clientMessageId": "k", "text": "mine"}
    sent = log.send(ME, "mine", "k")
    log.publish()
    log.send("ann", "answer")
    (answer,) = log.publish()
    assert apply(replica, answer) == []

    assert apply_response(replica, ME, "message.send", body, sent) == [answer]

    assert not replica.out_of_sync


def test_a_repeated_sends_answer_does_not_undo_a_later_edit(replica: Replica, log: ConversationLog) -> None:
    body = {"conversationId": CONVERSATION_ID, "clientMessageId": "k", "text": "mine"}
    sent = log.send(ME, "mine", "k")
    log.edit(sent.message_id, "edited elsewhere")
    replica.apply_snapshot(log.snapshot())
    sync(replica, log)

    apply_response(replica, ME, "message.send", body, sent)

    assert texts(replica) == ["edited elsewhere"]


def test_an_own_change_of_members_shows_at_once_and_brings_no_event(replica: Replica, log: ConversationLog) -> None:
    log.add("cid")
    reply = CreateConversationResponse(conversation=log.snapshot())

    assert apply_response(replica, ME, "member.add", {}, reply) == []

    assert "cid" in replica.conversation(CONVERSATION_ID).members
    assert sync(replica, log) == []
    assert not replica.out_of_sync


def test_an_own_edit_is_known_from_its_answer(replica: Replica, log: ConversationLog) -> None:
    sent = log.send(ME, "mine", "k")
    apply_response(
        replica, ME, "message.send", {"conversationId": CONVERSATION_ID, "clientMessageId": "k", "text": "mine"}, sent
    )
    edited = log.edit(sent.message_id, "better")

    assert apply_response(replica, ME, "message.edit", {}, EditMessageResponse(message=edited)) == []

    assert texts(replica) == ["better"]
    assert apply(replica, *log.publish()) == []


@pytest.mark.parametrize(("op", "read", "delivered"), [("receipt.read", 2, 2), ("receipt.delivered", 0, 2)])
def test_an_own_receipt_counts_no_further_than_the_last_message(
    replica: Replica, op: str, read: int, delivered: int
) -> None:
    apply_response(replica, ME, op, {"conversationId": CONVERSATION_ID, "seq": 99}, None)

    state = replica.conversation(CONVERSATION_ID)
    assert (state.members[ME].read_seq, state.members[ME].delivered_seq) == (read, delivered)
    assert state.unread_count == 2 - read


def test_an_own_conversation_without_messages_is_complete_at_once(replica: Replica) -> None:
    created = Conversation(conversation_id="new", rev=1, members=[Member(user_id=ME)], member_count=1)

    assert (
        apply_response(replica, ME, "conversation.create", {}, CreateConversationResponse(conversation=created)) == []
    )

    assert replica.conversation("new").info == created
    assert not replica.out_of_sync
    assert apply(replica, ConversationCreated(conversation=created)) == []


def test_a_direct_conversation_that_has_messages_already_is_synced(replica: Replica) -> None:
    created = Conversation(conversation_id="new", seq=3, rev=5, read_seq=0, member_count=2)

    apply_response(replica, ME, "conversation.direct", {}, CreateConversationResponse(conversation=created))

    assert list(replica.out_of_sync) == ["new"]
    assert replica.conversation("new").applied_rev == 0


# New and removed conversations.


def test_a_new_conversation_and_its_first_messages_are_emitted_without_a_sync() -> None:
    replica, log = Replica(), ConversationLog()
    replica.set_user(ME)
    replica.mark_loaded()
    log.create("ann", ME)
    log.send("ann", "hello")
    log.send("ann", "there")
    events = log.publish()

    assert apply(replica, *events) == events

    assert not replica.out_of_sync
    assert texts(replica) == ["hello", "there"]
    assert replica.conversation(CONVERSATION_ID).complete


def test_a_user_who_is_added_to_an_old_group_starts_there(log: ConversationLog) -> None:
    replica = Replica()
    replica.set_user(ME)
    log.remove(ME)
    log.publish()
    replica.mark_loaded()
    log.add("cid", ME, "dan")
    events = log.publish()
    log.send("ann", "welcome")
    events += log.publish()

    assert apply(replica, *events) == events

    assert [event.member.user_id for event in events if isinstance(event, MemberAdded)] == ["cid", ME, "dan"]
    assert not replica.out_of_sync
    assert texts(replica) == ["welcome"]


def test_a_user_whose_join_event_is_lost_gets_the_whole_conversation(log: ConversationLog) -> None:
    replica = Replica()
    replica.set_user(ME)
    log.remove(ME)
    log.publish()
    replica.mark_loaded()
    log.add(ME)
    created, _lost = log.publish()

    assert apply(replica, created) == [created]
    assert list(replica.out_of_sync) == [CONVERSATION_ID]
    sync(replica, log)

    assert not replica.out_of_sync
    assert texts(replica) == ["one", "two"]


def test_a_message_between_the_join_and_its_event_is_not_lost(log: ConversationLog) -> None:
    replica = Replica()
    replica.set_user(ME)
    log.remove(ME)
    log.publish()
    replica.mark_loaded()
    log.add(ME)
    log.send("ann", "welcome")
    created, joined, _lost = log.publish()

    emitted = apply(replica, created, joined)
    assert CONVERSATION_ID in replica.out_of_sync
    emitted += sync(replica, log)

    assert [event.message.text for event in emitted if isinstance(event, MessageCreated)] == ["welcome"]


def test_a_conversation_whose_beginning_was_missed_is_synced_and_presented_first(log: ConversationLog) -> None:
    replica = Replica()
    replica.set_user(ME)
    replica.mark_loaded()
    log.send("bob", "three")
    (event,) = log.publish()

    outcome = replica.apply(event)

    assert (outcome.events, outcome.needs_sync) == ([], True)
    emitted = sync(replica, log)
    assert [type(event) for event in emitted] == [ConversationCreated, *[MessageCreated] * 3]


def test_a_conversation_found_in_a_list_after_an_absence_is_presented_and_synced(log: ConversationLog) -> None:
    replica = Replica()
    replica.set_user(ME)
    replica.mark_loaded()

    emitted = replica.apply_snapshot(log.snapshot())
    emitted += sync(replica, log)

    assert [type(event) for event in emitted] == [ConversationCreated, MessageCreated, MessageCreated]
    assert all(event.replayed for event in emitted)
    assert apply(replica, ConversationCreated(conversation=log.snapshot())) == []


def test_live_events_before_the_first_list_are_emitted_after_it(log: ConversationLog) -> None:
    replica = Replica()
    replica.set_user(ME)
    log.send("bob", "three")
    (early,) = log.publish()
    assert apply(replica, early) == []

    emitted = replica.apply_snapshot(log.snapshot())
    emitted += replica.mark_loaded()

    assert emitted == [early]
    assert not replica.out_of_sync


def test_an_old_message_that_comes_again_after_newer_ones_is_kept_and_no_news(log: ConversationLog) -> None:
    log.send("bob", "three")
    (old,) = log.publish()
    log.send("bob", "four")
    (on_its_way,) = log.publish()
    replica = Replica()
    replica.set_user(ME)
    replica.apply_snapshot(log.snapshot())
    replica.mark_loaded()

    assert apply(replica, on_its_way, old) == [on_its_way]
    assert texts(replica) == ["three", "four"]


def test_a_conversation_that_the_first_list_did_not_show_begins_with_what_came(log: ConversationLog) -> None:
    replica = Replica()
    replica.set_user(ME)
    log.send("bob", "three")
    (early,) = log.publish()
    apply(replica, early)

    assert replica.mark_loaded() == [early]

    assert replica.conversation(CONVERSATION_ID).applied_rev == log.rev
    assert list(replica.out_of_sync) == [CONVERSATION_ID]


def test_being_removed_is_emitted_at_once_and_ends_it(replica: Replica, log: ConversationLog) -> None:
    log.send("ann", "lost")
    log.publish()
    log.remove(ME)
    (removed,) = log.publish()

    assert apply(replica, removed) == [removed]
    assert CONVERSATION_ID not in replica
    assert not replica.out_of_sync

    late = MessageCreated(message=log.messages["m3"])
    assert apply(replica, removed, late) == []
    assert CONVERSATION_ID not in replica


def test_a_list_from_before_the_removal_does_not_bring_it_back(replica: Replica, log: ConversationLog) -> None:
    before = log.snapshot()
    log.remove(ME)
    apply(replica, *log.publish())

    assert replica.apply_snapshot(before) == []

    assert CONVERSATION_ID not in replica


def test_leaving_by_oneself_ends_it_without_an_event(replica: Replica, log: ConversationLog) -> None:
    reply = CreateConversationResponse(conversation=log.snapshot())

    assert apply_response(replica, ME, "member.remove", {"userId": ME}, reply) == []

    assert CONVERSATION_ID not in replica


def test_a_repeat_of_leaving_that_is_answered_after_the_return_changes_nothing(
    replica: Replica, log: ConversationLog
) -> None:
    log.remove(ME)
    left = log.snapshot()
    log.add(ME)
    replica.apply_snapshot(log.snapshot())
    sync(replica, log)
    reply = RemoveMemberResponse(conversation=left)

    assert apply_response(replica, ME, "member.remove", {"userId": ME}, reply) == []

    assert CONVERSATION_ID in replica


def test_a_repeat_that_is_answered_after_the_removal_does_not_bring_the_conversation_back(
    replica: Replica, log: ConversationLog
) -> None:
    reply = AddMembersResponse(conversation=Conversation(conversation_id=CONVERSATION_ID, rev=log.rev))

    assert apply_response(replica, ME, "member.add", {"userIds": ["cat"]}, reply) == []
    assert list(replica.out_of_sync) == [CONVERSATION_ID]
    replica.remove_inaccessible(CONVERSATION_ID)
    assert apply_response(replica, ME, "member.add", {"userIds": ["cat"]}, reply) == []

    assert CONVERSATION_ID not in replica


def test_a_removal_that_comes_after_the_return_is_old_news(replica: Replica, log: ConversationLog) -> None:
    log.remove(ME)
    (removed,) = log.publish()
    log.add(ME)
    replica.apply_snapshot(log.snapshot())
    sync(replica, log)

    assert apply(replica, removed) == []

    assert CONVERSATION_ID in replica


def test_a_conversation_that_turns_out_to_be_closed_to_the_user_is_emitted_as_a_removal(
    replica: Replica, log: ConversationLog
) -> None:
    replica.mark_unverified([CONVERSATION_ID, "unknown"])
    assert list(replica.out_of_sync) == [CONVERSATION_ID]

    (emitted,) = replica.remove_inaccessible(CONVERSATION_ID)

    assert isinstance(emitted, MemberRemoved)
    assert (emitted.member.user_id, emitted.rev, emitted.replayed) == (ME, log.rev, True)
    assert not replica.out_of_sync
    assert replica.remove_inaccessible(CONVERSATION_ID) == []


def test_a_sync_verifies_an_unverified_conversation(replica: Replica, log: ConversationLog) -> None:
    replica.mark_unverified([CONVERSATION_ID])

    assert sync(replica, log) == []

    assert not replica.out_of_sync


# Events without a rev of their own.


def test_a_change_of_settings_needs_no_sync(replica: Replica, log: ConversationLog) -> None:
    log.rename("second")
    (updated,) = log.publish()

    assert apply(replica, updated) == [updated]

    assert not replica.out_of_sync


def test_an_update_of_the_users_own_view_proves_no_change(replica: Replica, log: ConversationLog) -> None:
    log.send("ann", "on its way")
    view = log.snapshot()

    assert apply(replica, ConversationUpdated(conversation=view)) == []

    assert CONVERSATION_ID in replica.out_of_sync
    assert len(apply(replica, *log.publish())) == 1
    assert not replica.out_of_sync


def test_an_update_without_a_change_is_not_emitted(replica: Replica, log: ConversationLog) -> None:
    log.rename("second")
    (updated,) = log.publish()
    apply(replica, updated)

    assert apply(replica, updated) == []


def test_an_update_that_comes_late_does_not_undo_a_newer_one(replica: Replica, log: ConversationLog) -> None:
    log.rename("second")
    (late,) = log.publish()
    log.rename("third")
    replica.apply_snapshot(log.snapshot())
    sync(replica, log)

    assert apply(replica, late) == []

    info = replica.conversation(CONVERSATION_ID).info
    assert info is not None
    assert info.name == "third"


def test_a_receipt_is_emitted_when_it_moves(replica: Replica, log: ConversationLog) -> None:
    receipt = log.read("bob", 2)

    assert apply(replica, receipt, receipt) == [receipt]


def test_the_sender_of_a_message_has_read_up_to_it(replica: Replica, log: ConversationLog) -> None:
    apply_response(
        replica,
        ME,
        "message.send",
        {"conversationId": CONVERSATION_ID, "clientMessageId": "k", "text": "mine"},
        log.send(ME, "mine", "k"),
    )

    state = replica.conversation(CONVERSATION_ID)
    assert (state.read_seq, state.unread_count) == (3, 0)


def test_what_is_not_kept_is_passed_through(replica: Replica) -> None:
    typing = TypingUpdated(conversation_id="c", user_id="ann", active=True)

    assert apply(replica, typing, typing) == [typing, typing]


def test_the_last_message_is_the_latest_that_was_emitted(replica: Replica, log: ConversationLog) -> None:
    emitted = Message(message_id="m2", conversation_id=CONVERSATION_ID, seq=2, rev=3, text="two")
    fresh = Replica()
    fresh.set_user(ME)
    fresh.apply_snapshot(Conversation(conversation_id=CONVERSATION_ID, seq=2, rev=3, last_message=emitted))
    fresh.mark_loaded()
    assert fresh.conversation(CONVERSATION_ID).last_message == emitted

    log.send("bob", "three")
    apply(fresh, *log.publish())

    last = fresh.conversation(CONVERSATION_ID).last_message
    assert last is not None
    assert last.text == "three"


def test_an_answer_of_an_unknown_conversation_is_no_harm(replica: Replica) -> None:
    body = {"conversationId": "elsewhere", "clientMessageId": "k", "text": "x", "seq": 1}

    assert apply_response(replica, ME, "message.send", body, SendMessageResponse(message_id="m", seq=1, rev=1)) == []
    assert apply_response(replica, ME, "receipt.read", body, None) == []
    assert apply_response(replica, ME, "message.list", body, ListMessagesResponse()) == []
    assert (
        replica.merge_page("elsewhere", 0, SyncMessagesResponse(conversation=Conversation(conversation_id="elsewhere")))
        == []
    )
