"""The bus's guarantees to concurrent replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from chassis.events.log import EventLog
from deploy.local.process import ManagedProcess
from services.presence.bus import PresenceBus, SessionChange, StateChange, open_bus
from services.presence.convert import encoded_event, events_of
from services.presence.domain import Presence, Status, UserKey, UserSetting

KEY = UserKey("org", "ann")
LEASE_MS = 60_000
HOUR_MS = 3_600_000


@pytest.fixture
async def opened(own_valkey: tuple[ManagedProcess, str], valkey: Redis) -> AsyncIterator[tuple[PresenceBus, EventLog]]:
    """A bus and its event log."""
    async with open_bus(own_valkey[1], shards=4, retention_seconds=600, recent_ms=HOUR_MS) as opened:
        yield opened


async def _with_a_session(bus: PresenceBus, kind: str = "a") -> None:
    await bus.attach("gateway", "attachment", lease_ms=LEASE_MS)
    change = SessionChange("a" if kind == "a" else "i", KEY, "session", "employee")
    await bus.report("gateway", "attachment", [change], lease_ms=LEASE_MS, grace_ms=0)


async def test_of_changes_based_on_one_state_one_is_made_and_published(opened: tuple[PresenceBus, EventLog]) -> None:
    bus, log = opened
    await _with_a_session(bus)
    start = await log.end()
    _, [state] = await bus.read([KEY])

    def publishing(status: Status) -> StateChange:
        published = Presence(status)
        return StateChange(state, replace(state, published=published), event=encoded_event(KEY, "employee", published))

    revisions = await asyncio.gather(
        *(bus.compare_and_set([publishing(status)]) for status in (Status.ONLINE, Status.AWAY, Status.DND))
    )
    made_revisions = [revision for [revision] in revisions if revision is not None]
    assert len(made_revisions) == 1 and made_revisions[0] > state.revision
    _, [now] = await bus.read([KEY])
    statuses = [Status(event.presence.status) for entry in await log.after(start) for event in events_of(entry.payload)]
    assert now.published is not None and statuses == [now.published.status]
    assert now.revision == made_revisions[0]


async def test_a_change_of_sessions_makes_what_was_read_before_it_stale(opened: tuple[PresenceBus, EventLog]) -> None:
    bus, _ = opened
    await _with_a_session(bus)
    _, [state] = await bus.read([KEY])
    await _with_a_session(bus, "i")
    assert await bus.compare_and_set([StateChange(state, replace(state, setting=UserSetting(Status.DND, "", 1)))]) == [
        None
    ]
    _, [now] = await bus.read([KEY])
    assert now.setting is None


async def test_results_are_in_the_order_of_the_changes_of_several_organizations(
    opened: tuple[PresenceBus, EventLog],
) -> None:
    bus, _ = opened
    keys = [UserKey("b", "1"), UserKey("a", "1"), UserKey("b", "2"), UserKey("c", "1")]
    _, states = await bus.read(keys)
    stale = [replace(state, revision=7) if state.key == keys[2] else state for state in states]
    revisions = await bus.compare_and_set([StateChange(state, replace(state, seen_ms=1)) for state in stale])
    assert [revision is None for revision in revisions] == [False, False, True, False]


async def test_a_due_user_is_taken_by_one_replica(opened: tuple[PresenceBus, EventLog]) -> None:
    bus, _ = opened
    await _with_a_session(bus)
    shard = bus.shard_of(KEY.organization_id)
    taken = await asyncio.gather(*(bus.take_due("work_queue", shard, 10, takeover_ms=LEASE_MS) for _ in range(5)))
    assert sorted(taken, key=len) == [[], [], [], [], [KEY]]


async def test_a_user_taken_and_not_finished_is_due_again(opened: tuple[PresenceBus, EventLog]) -> None:
    bus, _ = opened
    await _with_a_session(bus)
    shard = bus.shard_of(KEY.organization_id)
    assert await bus.take_due("work_queue", shard, 10, takeover_ms=0) == [KEY]
    assert await bus.take_due("work_queue", shard, 10, takeover_ms=0) == [KEY]
    _, [state] = await bus.read([KEY])
    await bus.compare_and_set([StateChange(state, state, next_check="")])
    assert await bus.take_due("work_queue", shard, 10, takeover_ms=0) == []


async def test_a_silent_gateway_is_taken_over_by_one_replica_and_a_living_one_by_none(
    opened: tuple[PresenceBus, EventLog],
) -> None:
    bus, _ = opened
    await bus.attach("living", "attachment", lease_ms=LEASE_MS)
    await bus.attach("silent", "attachment", lease_ms=0)
    assert await bus.expired(0) == ["silent"]
    won = await asyncio.gather(*(bus.take_over(0, "silent", f"swept-{n}", lease_ms=LEASE_MS) for n in range(5)))
    assert len([until for until in won if until is not None]) == 1
    assert await bus.take_over(0, "living", "swept", lease_ms=LEASE_MS) is None


async def test_a_session_reported_again_meanwhile_is_not_closed_as_stale(opened: tuple[PresenceBus, EventLog]) -> None:
    bus, _ = opened
    await _with_a_session(bus)
    shard = bus.shard_of(KEY.organization_id)
    await bus.attach("gateway", "next", lease_ms=LEASE_MS)
    [stale] = [part async for part in bus.stale_sessions(shard, "gateway", "next")]
    durations = {"lease_ms": LEASE_MS, "grace_ms": 0}
    await bus.report("gateway", "next", [SessionChange("i", KEY, "session", "employee")], **durations)
    await bus.report("gateway", "next", [SessionChange("s", key, name) for key, name in stale], **durations)
    _, [state] = await bus.read([KEY])
    assert (state.sessions.open, state.sessions.active) == (1, 0)
