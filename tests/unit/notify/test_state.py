"""States join in any order, and changes of states cause events for the owner."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from services.notify.domain import (
    EMPTY,
    InboxEvent,
    Latest,
    Notification,
    NotificationType,
    Owner,
    State,
    Text,
    digest_id,
    inbox_event,
    joined,
    source_event,
)
from tests.unit.notify.states import states


@given(states(), states(), states())
def test_states_join_in_any_order_and_any_number_of_times(a: State, b: State, c: State) -> None:
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(a) == a
    assert a.join(EMPTY) == a
    assert joined([c, a, b, a]) == a.join(b).join(c)


@given(states(), states())
def test_joining_a_state_again_changes_nothing(a: State, b: State) -> None:
    both = a.join(b)
    assert both.join(a) == both


@given(states())
def test_no_silenced_state_is_unread(state: State) -> None:
    assert not state.silenced().unread
    assert not state.join(state.silenced()).unread


@given(states())
def test_only_listed_notifications_are_unread_and_count(state: State) -> None:
    if state.unread:
        assert state.listed
        assert state.unread_count > 0


OWNER = Owner("acme", "ann")
UNREAD = source_event(7, 7, 1_000, title="Ben", body="hello", data="{}")
READ = UNREAD.join(State(read_seq=7))
DELETED = READ.join(State(hidden_seq=7))
NEWER = UNREAD.join(source_event(8, 9, 2_000, title="Ben", body="again", data="{}"))
MARKS_ONLY = State(read_seq=7)


def test_a_newer_event_revives_a_deleted_notification() -> None:
    assert not DELETED.listed
    assert DELETED.join(NEWER).unread
    assert DELETED.join(NEWER).unread_count == 1


def test_an_edit_of_an_earlier_event_leaves_the_text_alone() -> None:
    assert NEWER.join(State(text=Text(7, 99, "edited"))).text == NEWER.text


def test_an_edit_of_the_latest_event_replaces_the_text() -> None:
    assert NEWER.join(State(text=Text(8, 99, "edited"))).text == Text(8, 99, "edited")


def test_the_latest_event_is_that_of_the_highest_seq() -> None:
    assert NEWER.latest == Latest(8, 2_000, "Ben", "{}")


def _notification(state: State, type_: NotificationType = NotificationType.NEW_MESSAGE) -> Notification:
    return Notification("id", OWNER, type_, state)


def _event(before: State | None, after: State, *, repeated: bool = False) -> InboxEvent | None:
    return inbox_event(None if before is None else _notification(before), _notification(after), repeated=repeated)


@pytest.mark.parametrize("before", [None, MARKS_ONLY, READ, DELETED], ids=["absent", "marks only", "read", "deleted"])
def test_a_notification_that_becomes_unread_is_published_as_created(before: State | None) -> None:
    assert _event(before, NEWER) == (OWNER, _notification(NEWER), True)


@pytest.mark.parametrize("after", [NEWER, READ], ids=["grew", "read"])
def test_a_change_of_an_unread_notification_is_published_as_an_update(after: State) -> None:
    assert _event(UNREAD, after) == (OWNER, _notification(after), False)


def test_a_deletion_is_published_without_the_notification() -> None:
    assert _event(UNREAD, DELETED) == (OWNER, None, False)


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, MARKS_ONLY), (MARKS_ONLY, READ), (READ, READ.join(MARKS_ONLY)), (UNREAD, UNREAD)],
    ids=["marks only", "read before it came", "still read", "unchanged"],
)
def test_a_change_without_effect_for_the_owner_is_not_published(before: State | None, after: State) -> None:
    assert _event(before, after) is None


@pytest.mark.parametrize("state", [UNREAD, READ, NEWER])
def test_a_repeated_change_is_published_again_as_an_update(state: State) -> None:
    assert _event(state, state, repeated=True) == (OWNER, _notification(state), False)


def test_repeated_marks_without_an_event_are_not_published() -> None:
    assert _event(MARKS_ONLY, MARKS_ONLY, repeated=True) is None


def test_a_notification_of_one_event_counts_as_one_read_or_not() -> None:
    state = source_event(1, 1, 1_000, title="Task", body="", data="{}")
    read = state.join(State(read_seq=1))
    assert _notification(state, NotificationType.TASK_ASSIGNED).count == 1
    assert _notification(read, NotificationType.TASK_ASSIGNED).count == 1
    assert _notification(replace(read, read_seq=1)).count == 0


def test_ids_have_22_characters_and_do_not_collide_where_concatenation_would() -> None:
    assert len(digest_id("a", "bc")) == 22
    assert digest_id("a", "bc") != digest_id("ab", "c")
    assert digest_id("a", "bc") == digest_id("a", "bc")
