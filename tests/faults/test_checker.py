"""The checker finds no violation in a correct history, and the right one in each manipulated history."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.check_views import states_of
from tests.faults.checker import check
from tests.faults.history import (
    Acknowledgement,
    Entries,
    Entry,
    History,
    Kind,
    MemberChange,
    MembersAck,
    NotificationSeen,
    PresenceSample,
    Reading,
    RevisionAck,
    Seen,
    Send,
    State,
    States,
    Stored,
    UserKey,
    View,
    digest,
)

ANN, BOB, CAT, EVE = UserKey("acme", "ann"), UserKey("acme", "bob"), UserKey("acme", "cat"), UserKey("acme", "eve")
MESSAGES = 6
# The log: created with ann, bob and cat; ann sends six messages; message 2 edited, 3 deleted; cat removed.
EDIT_REV, DELETE_REV, REMOVAL_REV = MESSAGES + 2, MESSAGES + 3, MESSAGES + 4


def correct_history() -> History:
    """Returns the history of a conversation: ann writes, bob is connected, cat is removed, eve was never a member."""
    history = History()
    c = history.conversations.number("conversation")
    stored = history.stored[c] = Stored("acme", revs=list(range(1, REMOVAL_REV + 1)))
    stored.changes = [
        MemberChange(1, 0, frozenset({"ann", "bob", "cat"}), frozenset()),
        MemberChange(REMOVAL_REV, MESSAGES, frozenset(), frozenset({"cat"})),
    ]
    stored.read_seqs = {"ann": MESSAGES, "bob": 2}
    views = {user: View(user.user_id, user, stayed=user in {ANN, BOB}) for user in (ANN, BOB, CAT, EVE)}
    history.views.extend(views.values())
    for seq in range(1, MESSAGES + 1):
        _write(history, stored, seq)
        for user in (BOB, CAT):
            views[user].seen.add(Seen(Kind.CREATED, 0, c, seq - 1, seq, seq + 1, digest(f"text {seq}")))
    for user in (BOB, CAT):
        views[user].seen.add(Seen(Kind.UPDATED, 0, c, 1, 2, EDIT_REV, digest("edited")))
        views[user].seen.add(Seen(Kind.DELETED, 0, c, 2, 3, DELETE_REV, 0))
    history.revisions = [RevisionAck(c, 1, EDIT_REV, digest("edited"), False), RevisionAck(c, 2, DELETE_REV, 0, True)]
    history.member_changes = [MembersAck(c, "cat", False, REMOVAL_REV)]
    history.reads[c, BOB] = history.read_attempts[c, BOB] = 2
    for user, unread in ((ANN, 0), (BOB, 4)):
        states = states_of(State(e.message, e.seq, e.rev, e.digest, e.create_ms) for e in stored.messages.messages())
        members = frozenset({"ann", "bob"})
        history.readings[c, user] = Reading(states, states, MESSAGES, REMOVAL_REV, MESSAGES - unread, unread, members)
        views[user].held[c] = states
        views[user].unread[c] = unread
        views[user].members[c] = members
    history.notifications = {ANN: {}, BOB: {c: NotificationSeen(4, False)}}
    history.presences = [
        PresenceSample(ANN, "bob", "online", "online"),
        PresenceSample(ANN, "cat", "offline", "offline"),
    ]
    history.problems.errors["message.send", "UNAVAILABLE", "STORE_UNAVAILABLE"] = 3
    history.problems.closes[1012] = 2
    return history


def _write(history: History, stored: Stored, seq: int) -> None:
    message = history.messages.number(f"message {seq}")
    rev, text = {2: (EDIT_REV, "edited"), 3: (DELETE_REV, "")}.get(seq, (seq + 1, f"text {seq}"))
    stored.messages.add(Entry(message, seq, seq + 1, rev, digest(text), 1_000 + seq, int(seq == 3)))
    stored.posted.append(("ann", f"ann.{seq}"))
    acknowledgement = Acknowledgement(message, seq, seq + 1, 1_000 + seq)
    send = Send(0, ANN, digest(f"text {seq}"), attempts=2, acknowledgements=[acknowledgement] * 2)
    history.sends[f"ann.{seq}"] = send


def test_a_correct_history_has_no_violations() -> None:
    assert check(correct_history()) == []


# Manipulations


def entries_with(history: History, change: Callable[[list[Entry]], list[Entry]]) -> None:
    entries = Entries()
    for entry in change(list(history.stored[0].messages.messages())):
        entries.add(entry)
    history.stored[0].messages = entries


def states_with(states: States, change: Callable[[list[State]], list[State]]) -> States:
    changed = States()
    for state in change(list(states.messages())):
        changed.add(state)
    return changed


def lose_the_last_message(history: History) -> None:
    entries_with(history, lambda entries: entries[:-1])
    history.stored[0].posted.pop()


def lose_a_message_in_the_middle(history: History) -> None:
    entries_with(history, lambda entries: [*entries[:3], *entries[4:]])
    history.stored[0].posted.pop(3)


def never_answer(history: History) -> None:
    history.sends["ann.7"] = Send(0, ANN, 0, attempts=9)


def renumber_after_acknowledging(history: History) -> None:
    entries_with(history, lambda e: [*e[:4], e[4]._replace(message=5), e[5]._replace(message=4)])


def retime_after_acknowledging(history: History) -> None:
    entries_with(history, lambda entries: [*entries[:-1], entries[-1]._replace(create_ms=9_999)])


def answer_a_repeat_otherwise(history: History) -> None:
    history.sends["ann.1"].acknowledgements = [Acknowledgement(0, 1, 2, 1_001), Acknowledgement(0, 1, 2, 1_002)]


def store_another_text(history: History) -> None:
    entries_with(history, lambda entries: [*entries[:-1], entries[-1]._replace(digest=digest("other"))])


def post_twice(history: History) -> None:
    history.stored[0].posted[5] = ("ann", "ann.5")


def post_an_unsent_message(history: History) -> None:
    history.stored[0].posted[5] = ("ann", "ann.77")


def leave_a_gap_in_revs(history: History) -> None:
    history.stored[0].revs.remove(4)


def run_time_backwards(history: History) -> None:
    entries_with(history, lambda entries: [entries[0]._replace(create_ms=5_000), *entries[1:]])


def lose_an_edit(history: History) -> None:
    entries_with(history, lambda e: [e[0], e[1]._replace(rev=3, digest=digest("text 2")), *e[2:]])


def edit_otherwise(history: History) -> None:
    entries_with(history, lambda e: [e[0], e[1]._replace(digest=digest("other")), *e[2:]])


def bring_back_a_deleted_message(history: History) -> None:
    entries_with(history, lambda e: [*e[:2], e[2]._replace(rev=99, deleted=0), *e[3:]])


def lose_a_removal(history: History) -> None:
    history.stored[0].changes.pop()


def keep_a_removed_members_place(history: History) -> None:
    history.stored[0].read_seqs["cat"] = 0


def sync_too_little(history: History) -> None:
    reading = history.readings[0, BOB]
    reading.synced = states_with(reading.synced, lambda states: states[:-1])


def list_too_little(history: History) -> None:
    reading = history.readings[0, BOB]
    reading.listed = states_with(reading.listed, lambda states: states[1:])


def report_an_old_head(history: History) -> None:
    history.readings[0, BOB].rev -= 1


def report_other_members(history: History) -> None:
    history.readings[0, BOB].members = frozenset({"ann", "bob", "cat"})


def list_no_conversation(history: History) -> None:
    del history.readings[0, BOB]
    del history.views[1].held[0]


def view_of(history: History, user: UserKey) -> View:
    return next(view for view in history.views if view.user == user)


def miss_a_message_in_a_view(history: History) -> None:
    view = view_of(history, BOB)
    view.held[0] = states_with(view.held[0], lambda states: [*states[:3], *states[4:]])


def miss_an_edit_in_a_view(history: History) -> None:
    view = view_of(history, BOB)
    view.held[0] = states_with(view.held[0], lambda s: [s[0], s[1]._replace(rev=3, digest=digest("text 2")), *s[2:]])


def miss_a_conversation_in_a_view(history: History) -> None:
    view_of(history, BOB).held.clear()


def miss_a_removal_in_a_view(history: History) -> None:
    view_of(history, BOB).members[0] = frozenset({"ann", "bob", "cat"})


def count_unread_wrong_in_a_view(history: History) -> None:
    view_of(history, BOB).unread[0] = 5


def keep_a_conversation_after_leaving(history: History) -> None:
    view = view_of(history, CAT)
    view.stayed = True
    view.held[0] = view_of(history, BOB).held[0]


def show_another_order(history: History) -> None:
    view_of(history, ANN).seen.add(Seen(Kind.CREATED, 1, 0, 4, 6, 7, digest("text 5")))


def show_another_text(history: History) -> None:
    view_of(history, BOB).seen.add(Seen(Kind.UPDATED, 1, 0, 2, 3, DELETE_REV + 90, digest("one")))
    view_of(history, ANN).seen.add(Seen(Kind.UPDATED, 1, 0, 2, 3, DELETE_REV + 90, digest("two")))


def swap_live_messages(history: History) -> None:
    view = view_of(history, ANN)
    view.seen.add(Seen(Kind.CREATED, 0, 0, 4, 5, 6, digest("text 5")))
    view.seen.add(Seen(Kind.CREATED, 0, 0, 3, 4, 5, digest("text 4")))


def deliver_twice(history: History) -> None:
    view_of(history, BOB).seen.add(Seen(Kind.CREATED, 1, 0, 5, 6, 7, digest("text 6")))


def deliver_to_a_stranger(history: History) -> None:
    view_of(history, EVE).seen.add(Seen(Kind.CREATED, 0, 0, 5, 6, 7, digest("text 6")))


def deliver_to_a_removed_member(history: History) -> None:
    view_of(history, CAT).seen.add(Seen(Kind.UPDATED, 0, 0, 5, 6, REMOVAL_REV + 1, digest("later")))


def deliver_a_signal_to_a_stranger(history: History) -> None:
    view_of(history, EVE).signals.add(0)


def let_a_stranger_read(history: History) -> None:
    history.problems.intrusions["eve reads conversation"] += 1


def count_unread_wrong(history: History) -> None:
    history.readings[0, BOB].unread = 3
    view_of(history, BOB).unread[0] = 3
    history.notifications[BOB][0] = NotificationSeen(3, False)


def lose_a_read_mark(history: History) -> None:
    history.readings[0, BOB].read_seq, history.readings[0, BOB].unread = 1, 5
    view_of(history, BOB).unread[0] = 5
    history.notifications[BOB][0] = NotificationSeen(5, False)


def advance_a_read_mark(history: History) -> None:
    history.readings[0, BOB].read_seq, history.readings[0, BOB].unread = 4, 2
    view_of(history, BOB).unread[0] = 2
    history.notifications[BOB][0] = NotificationSeen(2, False)


def omit_a_notification(history: History) -> None:
    history.notifications[BOB].clear()


def count_too_few_in_a_notification(history: History) -> None:
    history.notifications[BOB][0] = NotificationSeen(3, False)


def count_read_messages_in_a_notification(history: History) -> None:
    history.notifications[ANN][0] = NotificationSeen(1, False)


def show_an_absent_user_as_online(history: History) -> None:
    history.presences.append(PresenceSample(BOB, "eve", "offline", "online"))


def fail_without_a_reason(history: History) -> None:
    history.problems.errors["message.send", "INTERNAL", "INTERNAL"] += 1


def close_without_a_reason(history: History) -> None:
    history.problems.closes[1011] += 1


def refuse_for_good(history: History) -> None:
    history.problems.refused_upgrades[403] += 1


def stop_a_client(history: History) -> None:
    history.problems.failures["UnauthenticatedError"] += 1


@pytest.mark.parametrize(
    ("manipulate", "rule"),
    [
        (lose_the_last_message, "acknowledged and lost"),
        (lose_a_message_in_the_middle, "acknowledged and lost"),
        (lose_a_message_in_the_middle, "seq has a gap or a duplicate"),
        (never_answer, "never acknowledged"),
        (renumber_after_acknowledging, "stored message differs from the acknowledged one"),
        (renumber_after_acknowledging, "seq is two messages"),
        (retime_after_acknowledging, "stored message differs from the acknowledged one"),
        (answer_a_repeat_otherwise, "acknowledged differently"),
        (store_another_text, "stored with another text"),
        (post_twice, "posted twice"),
        (post_an_unsent_message, "never sent"),
        (leave_a_gap_in_revs, "rev has a gap or a duplicate"),
        (run_time_backwards, "time or rev decreases"),
        (lose_an_edit, "acknowledged change is lost"),
        (edit_otherwise, "stored change differs from the acknowledged one"),
        (bring_back_a_deleted_message, "deleted message was restored"),
        (lose_a_removal, "acknowledged change of members is lost"),
        (keep_a_removed_members_place, "members differ from the log"),
        (sync_too_little, "sync differs from the store"),
        (list_too_little, "history differs from the store"),
        (report_an_old_head, "head differs from the log"),
        (report_other_members, "members differ for a reader"),
        (list_no_conversation, "not listed"),
        (miss_a_message_in_a_view, "missing in a view"),
        (miss_an_edit_in_a_view, "differs in a view"),
        (miss_a_conversation_in_a_view, "conversation is missing in a view"),
        (miss_a_removal_in_a_view, "members differ in a view"),
        (count_unread_wrong_in_a_view, "unread count differs in a view"),
        (keep_a_conversation_after_leaving, "held after leaving"),
        (show_another_order, "seq is two messages"),
        (show_another_text, "rev is two texts"),
        (swap_live_messages, "live messages out of order"),
        (deliver_twice, "change received twice"),
        (deliver_to_a_stranger, "leaked"),
        (deliver_to_a_removed_member, "leaked"),
        (deliver_a_signal_to_a_stranger, "leaked a typing or read event"),
        (let_a_stranger_read, "read another user's data"),
        (count_unread_wrong, "unread count is wrong"),
        (lose_a_read_mark, "read mark is wrong"),
        (advance_a_read_mark, "read mark is wrong"),
        (omit_a_notification, "notification is missing"),
        (count_too_few_in_a_notification, "notification counts wrong"),
        (count_read_messages_in_a_notification, "notification counts wrong"),
        (show_an_absent_user_as_online, "presence is wrong"),
        (fail_without_a_reason, "error is not documented"),
        (close_without_a_reason, "close code is not documented"),
        (refuse_for_good, "upgrade was refused"),
        (stop_a_client, "client failed"),
    ],
)
def test_a_manipulated_history_violates_the_right_rule(manipulate: Callable[[History], None], rule: str) -> None:
    history = correct_history()
    manipulate(history)
    assert rule in {violation.rule for violation in check(history)}


def test_a_change_that_is_published_late_may_come_with_the_text_of_a_later_one() -> None:
    history = correct_history()
    view_of(history, ANN).seen.add(Seen(Kind.CREATED, 0, 0, 1, 2, 3, digest("edited")))
    assert check(history) == []


def test_a_user_who_joins_late_need_not_hold_earlier_messages_and_may_read_them() -> None:
    history = correct_history()
    stored = history.stored[0]
    stored.changes.append(MemberChange(REMOVAL_REV + 1, MESSAGES, frozenset({"eve"}), frozenset()))
    stored.revs.append(REMOVAL_REV + 1)
    stored.read_seqs["eve"] = MESSAGES
    members = frozenset({"ann", "bob", "eve"})
    for user in (ANN, BOB):
        history.readings[0, user].rev, history.readings[0, user].members = REMOVAL_REV + 1, members
        view_of(history, user).members[0] = members
    states = history.readings[0, ANN].synced
    history.readings[0, EVE] = Reading(states, states, MESSAGES, REMOVAL_REV + 1, MESSAGES, 0, members)
    view = view_of(history, EVE)
    view.stayed, view.held[0], view.unread[0], view.members[0] = True, States(), 0, members
    view.seen.add(Seen(Kind.UPDATED, 1, 0, 1, 2, EDIT_REV, digest("edited")))
    assert check(history) == []


def test_messages_from_a_reconnect_may_come_before_older_live_ones() -> None:
    history = correct_history()
    view = view_of(history, ANN)
    view.seen.add(Seen(Kind.CREATED, 0, 0, 4, 5, 6, digest("text 5")))
    view.seen.add(Seen(Kind.CREATED, 1, 0, 5, 6, 7, digest("text 6")))
    view.seen.add(Seen(Kind.CREATED, 0, 0, 3, 4, 5, digest("text 4")))
    assert check(history) == []
