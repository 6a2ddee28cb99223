"""The rules of presence, for any sessions and settings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley.presence.v1 import presence_pb2

from services.presence.domain import (
    CHOOSABLE_STATUSES,
    Grace,
    Presence,
    Record,
    Sessions,
    Status,
    UserKey,
    UserSetting,
    UserState,
    can_see,
    effective_status,
)
from tests.unit.presence.strategies import CHOSEN, RECORDS, SESSIONS, TIMES, states

KEY = UserKey("org", "ann")
STATUSES = st.sampled_from(sorted(CHOOSABLE_STATUSES))


def test_the_numbers_are_those_of_the_protos() -> None:
    observed = {f"PRESENCE_STATUS_{status.name}": int(status) for status in Status}
    assert observed | {"PRESENCE_STATUS_UNSPECIFIED": 0} == dict(presence_pb2.PresenceStatus.items())
    chosen = {f"CHOSEN_STATUS_{status.name}": int(status) for status in CHOOSABLE_STATUSES}
    assert chosen | {"CHOSEN_STATUS_UNSPECIFIED": 0} == dict(presence_pb2.ChosenStatus.items())


@given(SESSIONS, STATUSES)
def test_a_user_is_offline_exactly_without_sessions(sessions: Sessions, chosen: Status) -> None:
    assert (effective_status(sessions, chosen) is Status.OFFLINE) == (sessions.open == 0)


@given(SESSIONS.filter(lambda sessions: sessions.open > 0), STATUSES)
def test_with_a_session_the_chosen_status_applies_or_the_sessions_activity(sessions: Sessions, chosen: Status) -> None:
    from_sessions = Status.ONLINE if sessions.active else Status.AWAY
    assert effective_status(sessions, chosen) is (from_sessions if chosen is Status.ONLINE else chosen)


@given(states(with_record=True), TIMES)
def test_others_never_see_invisible_and_see_a_last_seen_time_only_with_offline(state: UserState, now: int) -> None:
    published = state.settled(now).published
    assert published is not None and published.status is not Status.INVISIBLE
    assert published.last_seen_ms is None or published.status is Status.OFFLINE


@given(states(with_record=True), TIMES, SESSIONS, TIMES)
def test_an_invisible_users_sessions_do_not_change_what_others_see(
    state: UserState, now: int, sessions: Sessions, later: int
) -> None:
    hidden = replace(state, setting=state.chosen._replace(status=Status.INVISIBLE)).settled(now)
    assert replace(hidden, sessions=sessions).settled(later).published == hidden.published


@given(states(with_record=True), TIMES)
def test_settling_is_idempotent(state: UserState, now: int) -> None:
    assert state.settled(now).settled(now) == state.settled(now)


@given(states(with_record=True).filter(lambda state: not state.sessions.open), TIMES, st.booleans())
def test_a_grace_period_counts_as_the_last_session_until_it_ends(state: UserState, until: int, active: bool) -> None:
    state = replace(state, grace=Grace(until, active), setting=UserSetting())
    assert state.settled(until - 1).seen_by_others.status is (Status.ONLINE if active else Status.AWAY)
    assert state.settled(until).seen_by_others.status is Status.OFFLINE


@given(states(with_record=False), RECORDS)
def test_a_record_is_added_once(state: UserState, record: Record) -> None:
    complete = state.with_record(record)
    assert complete.setting == record.setting
    assert complete.with_record(Record(setting=UserSetting(Status.DND, "another", 9))) == complete


@given(st.none() | RECORDS.filter(lambda record: not record.present), TIMES)
def test_a_user_without_session_who_was_not_present_causes_no_event(record: Record | None, now: int) -> None:
    complete = UserState(KEY).with_record(record)
    assert complete.settled(now).published == complete.published


@given(RECORDS.filter(lambda record: record.present), TIMES)
def test_a_user_whose_record_says_present_has_to_be_published(record: Record, now: int) -> None:
    complete = UserState(KEY).with_record(record)
    assert complete.published is None and complete.settled(now).published is not None


@given(states(with_record=False), RECORDS)
def test_activity_before_the_record_is_read_does_not_reveal_an_invisible_user(state: UserState, record: Record) -> None:
    record = record._replace(setting=record.setting._replace(status=Status.INVISIBLE))
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
def test_becoming_invisible_while_active_sets_the_last_seen_time(sessions: Sessions, chosen: Status, seen: int) -> None:
    before = UserState(KEY, sessions=sessions, setting=UserSetting(chosen), seen_ms=7)
    hidden = before.with_setting(UserSetting(Status.INVISIBLE, "", 1), "employee", 50)
    assert hidden.seen_by_others == Presence(Status.OFFLINE, "", seen)


@given(states(with_record=True), CHOSEN, TIMES)
def test_becoming_visible_does_not_change_the_last_seen_time(state: UserState, setting: UserSetting, now: int) -> None:
    hidden = replace(state, setting=UserSetting(Status.INVISIBLE))
    assert hidden.with_setting(setting, "employee", now).seen_ms == state.seen_ms


@given(states(with_record=True), TIMES)
def test_only_a_persisted_user_without_sessions_and_grace_rests(state: UserState, now: int) -> None:
    settled = state.settled(now)
    stored = replace(settled, persisted=settled.due_persisted)
    assert stored.resting == (not settled.sessions.open and settled.grace is None)
    assert not replace(settled, persisted=None).resting


@pytest.mark.parametrize(
    ("viewer", "viewer_role", "subject", "subject_role", "visible"),
    [
        ("ann", "employee", "kim", "client", True),
        ("kim", "client", "ann", "employee", True),
        ("kim", "client", "kim", "client", True),
        ("kim", "client", "lou", "client", False),
        ("ann", "admin", "bob", "agent_l1", True),
    ],
)
def test_clients_see_nothing_of_other_clients(
    *, viewer: str, viewer_role: str, subject: str, subject_role: str, visible: bool
) -> None:
    assert can_see(viewer, viewer_role, subject, subject_role) is visible
