"""What is known of a notification only ever grows, so that it may be joined in any order; and who is told of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from services.notify.domain import (
    EMPTY,
    Announcement,
    Latest,
    Notification,
    NotificationType,
    Owner,
    State,
    Text,
    announce,
    digest_id,
    joined,
    source_event,
)
from tests.unit.notify.states import states


@given(states(), states(), states())
def test_states_join_in_any_order_and_any_number_of_times(one: State, two: State, three: State) -> None:
    assert one.join(two) == two.join(one)
    assert one.join(two).join(three) == one.join(two.join(three))
    assert one.join(one) == one
    assert one.join(EMPTY) == one
    assert joined([three, one, two, one]) == one.join(two).join(three)


@given(states(), states())
def test_what_a_state_has_taken_in_it_never_takes_in_again(one: State, two: State) -> None:
    both = one.join(two)
    assert both.join(one) == both


@given(states())
def test_nothing_that_is_silenced_is_unread(state: State) -> None:
    assert not state.silenced().unread
    assert not state.join(state.silenced()).unread


@given(states())
def test_only_what_is_listed_is_unread_and_counts(state: State) -> None:
    if state.unread:
        assert state.listed
        assert state.unread_things > 0


OWNER = Owner("acme", "ann")
UNREAD = source_event(7, 7, 1_000, title="Ben", body="hello", data="{}")
READ = UNREAD.join(State(read_seq=7))
HIDDEN = READ.join(State(hidden_seq=7))
NEWER = UNREAD.join(source_event(8, 9, 2_000, title="Ben", body="again", data="{}"))
BARE = State(read_seq=7)


def test_something_newer_brings_a_deleted_notification_back() -> None:
    assert not HIDDEN.listed
    assert HIDDEN.join(NEWER).unread
    assert HIDDEN.join(NEWER).unread_things == 1


def test_an_edit_of_an_earlier_thing_leaves_the_text_alone() -> None:
    assert NEWER.join(State(text=Text(7, 99, "edited"))).text == NEWER.text


def test_an_edit_of_the_latest_thing_replaces_the_text() -> None:
    assert NEWER.join(State(text=Text(8, 99, "edited"))).text == Text(8, 99, "edited")


def test_the_latest_thing_is_that_of_the_highest_seq() -> None:
    assert NEWER.latest == Latest(8, 2_000, "Ben", "{}")


def _notification(state: State, type_: NotificationType = NotificationType.NEW_MESSAGE) -> Notification:
    return Notification("id", OWNER, type_, state)


def _announced(before: State | None, after: State, *, repeated: bool = False) -> Announcement | None:
    return announce(None if before is None else _notification(before), _notification(after), repeated=repeated)


@pytest.mark.parametrize("before", [None, BARE, READ, HIDDEN], ids=["absent", "bare marks", "read", "deleted"])
def test_what_becomes_unread_is_announced_as_new(before: State | None) -> None:
    assert _announced(before, NEWER) == (OWNER, _notification(NEWER), True)


@pytest.mark.parametrize("after", [NEWER, READ], ids=["grew", "read"])
def test_what_changes_while_or_until_unread_is_announced_as_updated(after: State) -> None:
    assert _announced(UNREAD, after) == (OWNER, _notification(after), False)


def test_what_is_gone_is_announced_without_the_notification() -> None:
    assert _announced(UNREAD, HIDDEN) == (OWNER, None, False)


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, BARE), (BARE, READ), (READ, READ.join(BARE)), (UNREAD, UNREAD)],
    ids=["bare marks", "read before it came", "still read", "unchanged"],
)
def test_what_changes_nothing_for_the_owner_is_not_announced(before: State | None, after: State) -> None:
    assert _announced(before, after) is None


@pytest.mark.parametrize("state", [UNREAD, READ, NEWER])
def test_a_repeated_change_is_announced_again_as_an_update(state: State) -> None:
    assert _announced(state, state, repeated=True) == (OWNER, _notification(state), False)


def test_repeated_bare_marks_are_not_announced() -> None:
    assert _announced(BARE, BARE, repeated=True) is None


def test_a_notification_of_one_thing_counts_as_one_read_or_not() -> None:
    state = source_event(1, 1, 1_000, title="Task", body="", data="{}")
    read = state.join(State(read_seq=1))
    assert _notification(state, NotificationType.TASK_ASSIGNED).count == 1
    assert _notification(read, NotificationType.TASK_ASSIGNED).count == 1
    assert _notification(replace(read, read_seq=1)).count == 0


def test_ids_have_22_characters_and_do_not_collide_where_concatenation_would() -> None:
    assert len(digest_id("a", "bc")) == 22
    assert digest_id("a", "bc") != digest_id("ab", "c")
    assert digest_id("a", "bc") == digest_id("a", "bc")
