"""Tests of the table of contact permissions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.contacts import ALWAYS, WITHIN_TEAM, may_see, may_write, reach_of
from services.auth.domain import AGENTS, Role, User

TEAMS = ["east", "west", "north"]
STAFF = [Role.LEAD, Role.SALES, Role.EMPLOYEE]


def user(role: Role, user_id: str, *teams: str, disabled: bool = False, organization_id: str = "acme") -> User:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    return User(organization_id, user_id, user_id, "", role, teams, "", disabled, time, time, 1)


users = st.builds(
    lambda role, user_id, teams, disabled, organization_id: user(
        role, user_id, *teams, disabled=disabled, organization_id=organization_id
    ),
    st.sampled_from(Role),
    st.sampled_from(["a", "b", "c"]),
    st.lists(st.sampled_from(TEAMS), unique=True),
    st.booleans(),
    st.sampled_from(["acme", "other"]),
)


@given(users, users)
def test_whoever_may_be_written_to_may_answer(one: User, other: User) -> None:
    assert may_write(one, other) == may_write(other, one)


@given(users, users)
def test_disabled_users_foreign_users_and_oneself_are_out_of_reach(one: User, other: User) -> None:
    if one.disabled or other.disabled or one.user_id == other.user_id or one.organization_id != other.organization_id:
        assert not may_write(one, other)


@given(users, users)
def test_a_shared_team_only_ever_adds_contacts(one: User, other: User) -> None:
    if may_write(one, other):
        assert may_write(replace(one, teams=(*one.teams, "extra")), replace(other, teams=(*other.teams, "extra")))


@given(users, users)
def test_whoever_may_write_may_see(one: User, other: User) -> None:
    if may_write(one, other):
        assert may_see(one, other)


def test_a_pair_is_allowed_always_or_within_a_team_but_not_both() -> None:
    assert not ALWAYS & WITHIN_TEAM


def allowed_pairs(*, same_team: bool) -> set[tuple[Role, Role]]:
    teams = ("east", "east") if same_team else ("east", "west")
    return {
        (one, other)
        for one in Role
        for other in Role
        if may_write(user(one, "a", teams[0]), user(other, "b", teams[1]))
    }


@pytest.mark.parametrize("ruling", [Role.ADMIN, Role.MANAGER])
def test_admins_and_managers_write_to_everyone(ruling: Role) -> None:
    assert reach_of(ruling).always == frozenset(Role)


@pytest.mark.parametrize("role", STAFF)
def test_staff_write_to_admins_and_managers_anywhere_and_to_members_of_their_teams(role: Role) -> None:
    anywhere = {other for one, other in allowed_pairs(same_team=False) if one is role}
    in_team = {other for one, other in allowed_pairs(same_team=True) if one is role}
    assert anywhere == {Role.ADMIN, Role.MANAGER}
    assert in_team == set(Role) - {Role.CLIENT}


@pytest.mark.parametrize("agent", sorted(AGENTS))
def test_agents_write_to_each_other_to_clients_and_to_managers_and_admins(agent: Role) -> None:
    anywhere = {other for one, other in allowed_pairs(same_team=False) if one is agent}
    assert anywhere == {*AGENTS, Role.CLIENT, Role.ADMIN, Role.MANAGER}


@pytest.mark.parametrize("same_team", [False, True])
def test_a_client_writes_to_agents_managers_and_admins_and_a_team_changes_nothing(same_team: bool) -> None:
    reached = {other for one, other in allowed_pairs(same_team=same_team) if one is Role.CLIENT}
    assert reached == {*AGENTS, Role.MANAGER, Role.ADMIN}


def test_a_bot_writes_to_admins_and_managers_and_to_staff_of_its_teams_but_never_to_a_bot() -> None:
    anywhere = {other for one, other in allowed_pairs(same_team=False) if one is Role.BOT}
    in_team = {other for one, other in allowed_pairs(same_team=True) if one is Role.BOT}
    assert anywhere == {Role.ADMIN, Role.MANAGER}
    assert in_team == {Role.ADMIN, Role.MANAGER, *STAFF, *AGENTS}


def test_clients_see_all_but_other_clients_and_themselves_too() -> None:
    client = user(Role.CLIENT, "a")
    assert not may_see(client, user(Role.CLIENT, "b"))
    assert may_see(client, client)
    assert may_see(client, user(Role.SALES, "b"))
    assert may_see(user(Role.SALES, "b"), client)
    assert not may_see(user(Role.ADMIN, "b", organization_id="other"), client)
