"""Hypothesis strategies for users' states."""

from __future__ import annotations

from hypothesis import strategies as st

from services.presence.domain import (
    CHOOSABLE_STATUSES,
    Grace,
    PersistedState,
    Presence,
    Record,
    Sessions,
    Status,
    UserKey,
    UserSetting,
    UserState,
)

TIMES = st.integers(min_value=1, max_value=2**45)
MAYBE_TIMES = st.none() | TIMES
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=140)
ROLES = st.sampled_from(["", "client", "employee", "agent_l1"])
CHOSEN = st.builds(UserSetting, st.sampled_from(sorted(CHOOSABLE_STATUSES)), TEXTS, st.integers(0, 2**40))
SESSIONS = st.integers(0, 20).flatmap(lambda n: st.builds(Sessions, st.just(n), st.integers(0, n)))
RECORDS = st.builds(Record, ROLES, CHOSEN, MAYBE_TIMES, st.booleans())


def _presence(status: Status, text: str, seen: int | None) -> Presence:
    return Presence(status, text, seen if status is Status.OFFLINE else None)


def _persisted(role: str, present: bool, seen: int | None) -> PersistedState:
    return PersistedState(role, present, None if present else seen)


def states(*, with_record: bool | None = None) -> st.SearchStrategy[UserState]:
    """Generates states with (True) or without (False) their record, or both (None)."""
    choices = {True: CHOSEN, False: st.none(), None: st.none() | CHOSEN}[with_record]
    return st.builds(
        UserState,
        key=st.builds(UserKey, st.sampled_from(["org", "a.b"]), st.sampled_from(["ann", "b:c@d"])),
        revision=TIMES,
        role=ROLES,
        sessions=SESSIONS,
        grace=st.none() | st.builds(Grace, TIMES, st.booleans()),
        setting=choices,
        seen_ms=MAYBE_TIMES,
        published=st.none() | st.builds(_presence, st.sampled_from(sorted(Status)), TEXTS, MAYBE_TIMES),
        persisted=st.none() | st.builds(_persisted, ROLES, st.booleans(), MAYBE_TIMES),
    )
