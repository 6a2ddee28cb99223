"""The presence cache, against a plain model: sets of online users."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parley.auth.v1.user_pb2 import Role
from parley.presence.v1 import presence_pb2 as presence

from gateway.upstream import presence_cache as presence_cache_module
from gateway.upstream.presence_cache import PresenceCache, is_online
from tests.unit.gateway.fixtures import identity

HERE = [presence.PRESENCE_STATUS_ONLINE, presence.PRESENCE_STATUS_AWAY, presence.PRESENCE_STATUS_DND]
ROLES = {"ann": "sales", "bob": "sales", "cleo": "client", "carl": "client"}
ORGANIZATIONS = st.sampled_from(["acme", "other"])


def tracking(*organization_ids: str) -> PresenceCache:
    presence_cache = PresenceCache()
    for organization_id in organization_ids:
        presence_cache.track(organization_id)
    return presence_cache


def event(organization_id: str, user_id: str, status: presence.PresenceStatus.ValueType) -> presence.Event:
    seen = presence.Presence(user_id=user_id, status=status)
    return presence.Event(
        organization_id=organization_id, presence=seen, role=Role.Value(f"ROLE_{ROLES[user_id].upper()}")
    )


def seen_by(presence_cache: PresenceCache, organization_id: str, user_id: str) -> set[str]:
    who = identity(user_id, organization_id=organization_id, role=ROLES[user_id])
    return {found.presence.user_id for found in presence_cache.online(who)}


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
    presence_cache = tracking("acme", "other")
    presence_cache.mark_synced(["acme", "other"])
    online: dict[str, set[str]] = {"acme": set(), "other": set()}
    for organization_id, user_id, status in steps:
        if user_id is None or status is None:
            presence_cache.forget(organization_id)
            presence_cache.track(organization_id)
            presence_cache.mark_synced([organization_id])
            online[organization_id].clear()
            continue
        was = user_id in online[organization_id]
        (
            online[organization_id].discard
            if status == presence.PRESENCE_STATUS_OFFLINE
            else online[organization_id].add
        )(user_id)
        assert presence_cache.apply(event(organization_id, user_id, status)) == (
            was != (user_id in online[organization_id])
        )
        for organization, users in online.items():
            assert seen_by(presence_cache, organization, "ann") == users
            assert seen_by(presence_cache, organization, "cleo") == users - {"carl"}  # clients know of no other client
            assert seen_by(presence_cache, organization, "carl") == users - {"cleo"}


def test_who_was_here_before_does_not_come_but_goes() -> None:
    """Presence reports those users before it marks the organization as synced."""
    presence_cache = tracking("acme", "other")
    assert not presence_cache.apply(event("acme", "bob", presence.PRESENCE_STATUS_ONLINE))
    presence_cache.mark_synced(["acme"])
    assert not presence_cache.apply(event("acme", "bob", presence.PRESENCE_STATUS_AWAY))
    assert presence_cache.apply(event("acme", "bob", presence.PRESENCE_STATUS_OFFLINE))
    assert presence_cache.apply(event("acme", "bob", presence.PRESENCE_STATUS_ONLINE))


def test_the_latest_is_what_is_known() -> None:
    presence_cache = tracking("acme", "other")
    for status in HERE:
        presence_cache.apply(event("acme", "bob", status))
        (found,) = presence_cache.online(identity())
        assert found.presence.status == status


@pytest.mark.parametrize("status", HERE)
def test_who_is_online_in_any_way_is_here(status: presence.PresenceStatus.ValueType) -> None:
    assert is_online(presence.Presence(status=status))
    assert not is_online(presence.Presence(status=presence.PRESENCE_STATUS_OFFLINE))


async def test_it_is_waited_for_until_everybody_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_cache_module, "SYNC_TIMEOUT_SECONDS", 1_000.0)
    presence_cache = tracking("acme", "other")
    waiting = [asyncio.ensure_future(presence_cache.wait_synced(one)) for one in ("acme", "acme", "other")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    presence_cache.mark_synced(["acme"])
    async with asyncio.timeout(20):
        await asyncio.gather(*waiting[:2])
        await presence_cache.wait_synced("acme")
    assert not waiting[2].done()
    presence_cache.mark_synced(["other"])
    async with asyncio.timeout(20):
        await waiting[2]


def test_who_waits_is_called_once_everybody_is_known_and_not_after_the_organization_is_left() -> None:
    presence_cache = tracking("acme", "other")
    called: list[str] = []
    presence_cache.when_synced("acme", lambda: called.append("acme"))
    presence_cache.when_synced("other", lambda: called.append("other"))
    given_up = partial(called.append, "given up")
    presence_cache.when_synced("acme", given_up)
    presence_cache.cancel_wait("acme", given_up)
    presence_cache.cancel_wait("acme", given_up)
    presence_cache.forget("other")
    assert called == []
    presence_cache.mark_synced(["acme", "other"])
    assert called == ["acme"]
    presence_cache.when_synced("acme", lambda: called.append("at once"))
    assert called == ["acme", "at once"]


async def test_it_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_cache_module, "SYNC_TIMEOUT_SECONDS", 0.01)
    presence_cache = tracking("acme", "other")
    async with asyncio.timeout(20):
        await presence_cache.wait_synced("acme")
        presence_cache.mark_synced(["acme"])
        presence_cache.forget("acme")
        await presence_cache.wait_synced("acme")
