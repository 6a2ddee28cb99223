"""Who is here, against a plain model: sets of users."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley.auth.v1.user_pb2 import Role
from parley.presence.v1 import presence_pb2 as presence

from gateway.upstream import presence_cache as rosters
from gateway.upstream.presence_cache import PresenceCache, is_here
from tests.unit.gateway.fixtures import identity

HERE = [presence.PRESENCE_STATUS_ONLINE, presence.PRESENCE_STATUS_AWAY, presence.PRESENCE_STATUS_DND]
ROLES = {"ann": "sales", "bob": "sales", "cleo": "client", "carl": "client"}
ORGANIZATIONS = st.sampled_from(["acme", "other"])


def event(organization_id: str, user_id: str, status: presence.PresenceStatus.ValueType) -> presence.Event:
    seen = presence.Presence(user_id=user_id, status=status)
    return presence.Event(
        organization_id=organization_id, presence=seen, role=Role.Value(f"ROLE_{ROLES[user_id].upper()}")
    )


def seen_by(roster: PresenceCache, organization_id: str, user_id: str) -> set[str]:
    who = identity(user_id, organization_id=organization_id, role=ROLES[user_id])
    return {found.presence.user_id for found in roster.here(who)}


@given(
    st.lists(
        st.tuples(
            ORGANIZATIONS, st.sampled_from(sorted(ROLES)), st.sampled_from([*HERE, presence.PRESENCE_STATUS_OFFLINE])
        )
        | st.tuples(ORGANIZATIONS, st.none(), st.none()),
        max_size=50,
    )
)
def test_who_comes_and_goes_is_noticed_once(
    steps: list[tuple[str, str | None, presence.PresenceStatus.ValueType | None]],
) -> None:
    roster = PresenceCache()
    roster.complete(["acme", "other"])
    here: dict[str, set[str]] = {"acme": set(), "other": set()}
    for organization_id, user_id, status in steps:
        if user_id is None or status is None:
            roster.forget(organization_id)
            roster.complete([organization_id])
            here[organization_id].clear()
            continue
        was = user_id in here[organization_id]
        (here[organization_id].discard if status == presence.PRESENCE_STATUS_OFFLINE else here[organization_id].add)(
            user_id
        )
        assert roster.note(event(organization_id, user_id, status)) == (was != (user_id in here[organization_id]))
        for organization, users in here.items():
            assert seen_by(roster, organization, "ann") == users
            assert seen_by(roster, organization, "cleo") == users - {"carl"}  # clients know of no other client
            assert seen_by(roster, organization, "carl") == users - {"cleo"}


def test_who_was_here_before_does_not_come_but_goes() -> None:
    """Presence tells of those first, and then says that these were all."""
    roster = PresenceCache()
    assert not roster.note(event("acme", "bob", presence.PRESENCE_STATUS_ONLINE))
    roster.complete(["acme"])
    assert not roster.note(event("acme", "bob", presence.PRESENCE_STATUS_AWAY))
    assert roster.note(event("acme", "bob", presence.PRESENCE_STATUS_OFFLINE))
    assert roster.note(event("acme", "bob", presence.PRESENCE_STATUS_ONLINE))


def test_the_latest_is_what_is_known() -> None:
    roster = PresenceCache()
    for status in HERE:
        roster.note(event("acme", "bob", status))
        (found,) = roster.here(identity())
        assert found.presence.status == status


@pytest.mark.parametrize("status", HERE)
def test_who_is_online_in_any_way_is_here(status: presence.PresenceStatus.ValueType) -> None:
    assert is_here(presence.Presence(status=status))
    assert not is_here(presence.Presence(status=presence.PRESENCE_STATUS_OFFLINE))


async def test_it_is_waited_for_until_everybody_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "PATIENCE_SECONDS", 1_000.0)
    roster = PresenceCache()
    waiting = [asyncio.ensure_future(roster.known(one)) for one in ("acme", "acme", "other")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    roster.complete(["acme"])
    async with asyncio.timeout(20):
        await asyncio.gather(*waiting[:2])
        await roster.known("acme")
    assert not waiting[2].done()
    roster.complete(["other"])
    async with asyncio.timeout(20):
        await waiting[2]


def test_who_waits_is_called_once_everybody_is_known_and_not_after_the_organization_is_left() -> None:
    roster = PresenceCache()
    called: list[str] = []
    roster.when_known("acme", lambda: called.append("acme"))
    roster.when_known("other", lambda: called.append("other"))
    given_up = partial(called.append, "given up")
    roster.when_known("acme", given_up)
    roster.wait_no_longer("acme", given_up)
    roster.wait_no_longer("acme", given_up)
    roster.forget("other")
    assert called == []
    roster.complete(["acme", "other"])
    assert called == ["acme"]
    roster.when_known("acme", lambda: called.append("at once"))
    assert called == ["acme", "at once"]


async def test_it_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "PATIENCE_SECONDS", 0.01)
    roster = PresenceCache()
    async with asyncio.timeout(20):
        await roster.known("acme")
        roster.complete(["acme"])
        roster.forget("acme")
        await roster.known("acme")
