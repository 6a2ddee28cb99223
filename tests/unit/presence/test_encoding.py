"""States and names survive encoding and decoding."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.presence.domain import UserKey, UserState
from services.presence.encoding import fields_of, key_of, member_of, session_field, session_of, state_of
from tests.unit.presence.strategies import states

IDS = st.from_regex(r"[A-Za-z0-9_.:@-]{1,64}", fullmatch=True)
KEYS = st.builds(UserKey, IDS, IDS)


@given(states())
def test_a_state_survives_encoding(state: UserState) -> None:
    assert state_of(state.key, fields_of(state) | {"rev": str(state.revision)}) == state


@given(KEYS)
def test_no_fields_decode_to_an_unknown_user(key: UserKey) -> None:
    assert state_of(key, {}) == UserState(key)


@given(KEYS, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128))
def test_names_of_users_and_sessions_survive_encoding(key: UserKey, session_id: str) -> None:
    assert key_of(member_of(key)) == key
    assert session_of(session_field(key, session_id)) == (key, session_id)
