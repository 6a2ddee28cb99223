"""What presence is, whatever the sessions and choices."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley.presence.v1 import presence_pb2

from services.presence.domain import (
    CHOICES,
    Grace,
    Presence,
    Record,
    Sessions,
    Status,
    UserKey,
    UserSetting,
    UserState,
    effective_status,
    may_know,
)
from tests.unit.presence.strategies import CHOSEN, RECORDS, SESSIONS, TIMES, states

KEY = UserKey("org", "ann")
CHOICE_STATUSES = st.sampled_from(sorted(CHOICES))


def test_the_numbers_are_the_contracts() -> None:
    observed = {f"PRESENCE_STATUS_{status.name}": int(status) for status in Status}
    assert observed | {"PRESENCE_STATUS_UNSPECIFIED": 0} == dict(presence_pb2.PresenceStatus.items())
    chosen = {f"CHOSEN_STATUS_{status.name}": int(status) for status in CHOICES}
    assert chosen | {"CHOSEN_STATUS_UNSPECIFIED": 0} == dict(presence_pb2.ChosenStatus.items())


@given(SESSIONS, CHOICE_STATUSES)
def test_offline_is_to_have_no_session_and_nothing_else(sessions: Sessions, chosen: Status) -> None:
    assert (effective_status(sessions, chosen) is Status.OFFLINE) == (sessions.open == 0)


@given(SESSIONS.filter(lambda sessions: sessions.open > 0), CHOICE_STATUSES)
def test_with_a_session_a_choice_counts_or_else_whether_one_is_active(sessions: Sessions, chosen: Status) -> None:
    followed = Status.ONLINE if sessions.active else Status.AWAY
    assert effective_status(sessions, chosen) is (followed if chosen is Status.ONLINE else chosen)


@given(states(known=True), TIMES)
def test_others_are_never_told_of_invisible_and_know_a_last_seen_time_only_of_the_offline(
    state: UserState, now: int
) -> None:
    shown = state.settled(now).shown
    assert shown is not None and shown.status is not Status.INVISIBLE
    assert shown.last_seen_ms is None or shown.status is Status.OFFLINE


@given(states(known=True), TIMES, SESSIONS, TIMES)
def test_nothing_that_an_invisible_user_does_changes_what_others_see(
    state: UserState, now: int, sessions: Sessions, later: int
) -> None:
    hidden = replace(state, choice=state.chosen._replace(status=Status.INVISIBLE)).settled(now)
    assert replace(hidden, sessions=sessions).settled(later).shown == hidden.shown


@given(states(known=True), TIMES)
def test_settling_twice_is_settling_once(state: UserState, now: int) -> None:
    assert state.settled(now).settled(now) == state.settled(now)


@given(states(known=True).filter(lambda state: not state.sessions.open), TIMES, st.booleans())
def test_a_grace_counts_as_the_last_session_until_it_is_over(state: UserState, until: int, active: bool) -> None:
    state = replace(state, grace=Grace(until, active), choice=UserSetting())
    assert state.settled(until - 1).seen_by_others.status is (Status.ONLINE if active else Status.AWAY)
    assert state.settled(until).seen_by_others.status is Status.OFFLINE


@given(states(known=False), RECORDS)
def test_a_record_is_taken_in_once(state: UserState, record: Record) -> None:
    known = state.with_record(record)
    assert known.choice == record.choice
    assert known.with_record(Record(choice=UserSetting(Status.DND, "another", 9))) == known


@given(st.none() | RECORDS.filter(lambda record: not record.present), TIMES)
def test_who_has_no_session_and_was_not_there_gives_no_news(record: Record | None, now: int) -> None:
    known = UserState(KEY).with_record(record)
    assert known.settled(now).shown == known.shown


@given(RECORDS.filter(lambda record: record.present), TIMES)
def test_who_was_there_as_far_as_the_record_knows_has_to_be_told_of(record: Record, now: int) -> None:
    known = UserState(KEY).with_record(record)
    assert known.shown is None and known.settled(now).shown is not None


@given(states(known=False), RECORDS)
def test_activity_noted_before_the_record_was_read_does_not_give_an_invisible_user_away(
    state: UserState, record: Record
) -> None:
    record = record._replace(choice=record.choice._replace(status=Status.INVISIBLE))
    assert state.with_record(record).seen_ms == record.seen_ms


@pytest.mark.parametrize(
    ("sessions", "chosen", "seen"),
    [
        (Sessions(2, 1), Status.ONLINE, 50),
        (Sessions(2, 0), Status.ONLINE, 7),
        (Sessions(0, 0), Status.ONLINE, 7),
        (Sessions(2, 1), Status.INVISIBLE, 7),
    ],
)
def test_who_goes_invisible_was_seen_then_if_active(sessions: Sessions, chosen: Status, seen: int) -> None:
    before = UserState(KEY, sessions=sessions, choice=UserSetting(chosen), seen_ms=7)
    hidden = before.choosing(UserSetting(Status.INVISIBLE, "", 1), "employee", 50)
    assert hidden.seen_by_others == Presence(Status.OFFLINE, "", seen)


@given(states(known=True), CHOSEN, TIMES)
def test_showing_oneself_again_does_not_move_the_last_seen_time(
    state: UserState, choice: UserSetting, now: int
) -> None:
    hidden = replace(state, choice=UserSetting(Status.INVISIBLE))
    assert hidden.choosing(choice, "employee", now).seen_ms == state.seen_ms


@given(states(known=True), TIMES)
def test_only_a_user_who_left_for_good_and_is_stored_rests(state: UserState, now: int) -> None:
    settled = state.settled(now)
    stored = replace(settled, footprint=settled.due_footprint)
    assert stored.resting == (not settled.sessions.open and settled.grace is None)
    assert not replace(settled, footprint=None).resting


@pytest.mark.parametrize(
    ("viewer", "viewer_role", "subject", "subject_role", "may"),
    [
        ("ann", "employee", "kim", "client", True),
        ("kim", "client", "ann", "employee", True),
        ("kim", "client", "kim", "client", True),
        ("kim", "client", "lou", "client", False),
        ("ann", "admin", "bob", "agent_l1", True),
    ],
)
def test_clients_know_nothing_of_other_clients(
    *, viewer: str, viewer_role: str, subject: str, subject_role: str, may: bool
) -> None:
    assert may_know(viewer, viewer_role, subject, subject_role) is may
