"""Users are online, away and offline as sessions open and close."""

from __future__ import annotations

import asyncio
import time

import grpc
from parley.presence.v1 import presence_pb2 as pb

from services.presence.settings import Settings
from tests.component.presence.conftest import Attach, CreateUser
from tests.component.presence.harness import GRACE_SECONDS, User, replica

ONLINE, AWAY, OFFLINE = pb.PRESENCE_STATUS_ONLINE, pb.PRESENCE_STATUS_AWAY, pb.PRESENCE_STATUS_OFFLINE


async def test_a_user_never_seen_is_offline_without_a_last_seen_time(replica_a: grpc.aio.Channel, ann: User) -> None:
    [seen] = await ann.sees(replica_a, "nobody-of-that-name")
    assert seen == pb.Presence(user_id="nobody-of-that-name", status=OFFLINE)


async def test_an_acknowledged_session_is_seen_at_once_through_any_replica(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(bob.session("tab"))
    for channel in (replica_a, replica_b):
        [seen] = await ann.sees(channel, bob.user_id)
        assert seen == pb.Presence(user_id=bob.user_id, status=ONLINE)


async def test_events_reach_gateways_through_every_replica(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    near, far, bobs = await attach(replica_a), await attach(replica_b), await attach(replica_a)
    await near.report(ann.session("tab"))
    await far.report(ann.session("phone"))
    await bobs.report(bob.session("tab"))
    await near.until_status(bob, ONLINE)
    await far.until_status(bob, ONLINE)
    await bobs.report(closed=["tab"])
    await near.until_status(bob, OFFLINE)
    await far.until_status(bob, OFFLINE)


async def test_one_active_session_makes_online_and_none_makes_away(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    anns, tab, phone = await attach(replica_a), await attach(replica_a), await attach(replica_b)
    await anns.report(ann.session("tab"))
    await tab.report(bob.session("tab", idle=True))
    await anns.until_status(bob, AWAY)
    await phone.report(bob.session("phone"))
    await anns.until_status(bob, ONLINE)
    await phone.report(bob.session("phone", idle=True))
    await anns.until_status(bob, AWAY)
    await tab.report(bob.session("tab"))
    await anns.until_status(bob, ONLINE)
    await tab.report(closed=["tab"])
    await anns.until_status(bob, AWAY)


async def test_offline_comes_after_the_grace_with_the_time_of_leaving(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_status(bob, ONLINE)
    before = time.time()
    await gateway.report(closed=["bobs"])
    left = time.time()
    [during] = await ann.sees(replica_a, bob.user_id)
    await gateway.until_status(bob, OFFLINE)
    assert during.status in {ONLINE, OFFLINE} and gateway.statuses(bob) == [ONLINE, OFFLINE]
    assert time.time() - before >= GRACE_SECONDS
    assert before - 1 <= gateway.presences_of(bob)[-1].last_seen_time.ToMilliseconds() / 1_000 <= left + 1
    [seen] = await ann.sees(replica_a, bob.user_id)
    assert seen == gateway.presences_of(bob)[-1]


async def test_the_last_activity_of_idle_sessions_is_when_they_became_idle(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.report(bob.session("bobs", idle=True))
    idle_since = time.time()
    await asyncio.sleep(1.1)
    await gateway.report(closed=["bobs"])
    await gateway.until_status(bob, OFFLINE)
    assert gateway.presences_of(bob)[-1].last_seen_time.ToMilliseconds() / 1_000 <= idle_since + 1


async def test_a_reload_is_not_visible(settings: Settings, attach: Attach, create_user: CreateUser, ann: User) -> None:
    reloading, leaving = await create_user(), await create_user()
    async with replica(settings.model_copy(update={"grace_seconds": 4.0})) as patient:
        gateway = await attach(patient)
        await gateway.report(ann.session("anns"), reloading.session("old"), leaving.session("only"))
        await gateway.until(lambda: gateway.latest(reloading) == gateway.latest(leaving) == ONLINE)
        await gateway.report(closed=["old"])
        await gateway.report(reloading.session("new"))
        await gateway.report(closed=["only"])
        await gateway.until_status(leaving, OFFLINE)  # left after the reload, whose grace period is over, too
        assert gateway.statuses(reloading) == [ONLINE]


async def test_moving_to_another_gateway_and_replica_is_not_visible(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User
) -> None:
    moving, leaving = await create_user(), await create_user()
    first, second = await attach(replica_a), await attach(replica_b)
    await first.report(ann.session("anns"), moving.session("here"), leaving.session("only"))
    await first.until(lambda: first.latest(moving) == first.latest(leaving) == ONLINE)
    await asyncio.gather(first.report(closed=["here"]), second.report(moving.session("there")))
    await first.report(closed=["only"])
    await first.until_status(leaving, OFFLINE)
    assert first.statuses(moving) == [ONLINE]


async def test_the_grace_period_keeps_the_status_of_the_last_session(
    replica_a: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User
) -> None:
    idle, leaving = await create_user(), await create_user()
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), idle.session("tab", idle=True), leaving.session("only"))
    await gateway.until(lambda: gateway.latest(idle) == AWAY and gateway.latest(leaving) == ONLINE)
    await gateway.report(closed=["tab", "only"])
    await gateway.until(lambda: gateway.latest(idle) == gateway.latest(leaving) == OFFLINE)
    assert (gateway.statuses(idle), gateway.statuses(leaving)) == ([AWAY, OFFLINE], [ONLINE, OFFLINE])


async def test_only_changes_are_published(replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("tab"))
    await gateway.until_status(bob, ONLINE)
    await gateway.report(bob.session("tab"), bob.session("phone"), bob.session("tablet", idle=True))
    await gateway.report(closed=["tab", "tablet", "never-opened"])
    await gateway.report(bob.session("phone", idle=True))
    await gateway.until_status(bob, AWAY)
    assert gateway.statuses(bob) == [ONLINE, AWAY]


async def test_an_observed_state_is_published_however_soon_it_ends(
    settings: Settings, attach: Attach, ann: User, bob: User
) -> None:
    async with replica(settings.model_copy(update={"coalesce_seconds": 0.5})) as slow:
        gateway = await attach(slow)
        await gateway.report(ann.session("anns"), bob.session("bobs"))
        await gateway.until_status(bob, ONLINE)
        await gateway.report(bob.session("bobs", idle=True))
        [observed] = await ann.sees(slow, bob.user_id)
        await gateway.report(bob.session("bobs"))
        assert observed.status == AWAY
        await gateway.until(lambda: gateway.statuses(bob) == [ONLINE, AWAY, ONLINE])


async def test_a_session_reported_twice_is_closed_once(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("tab"))
    await gateway.report(bob.session("tab"), bob.session("tab"))
    await gateway.report(closed=["tab", "tab"])
    await gateway.report(closed=["tab"])
    await gateway.until_status(bob, OFFLINE)


async def test_the_same_session_id_on_two_gateways_is_two_sessions(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    first, second = await attach(replica_a), await attach(replica_a)
    await first.report(ann.session("anns"), bob.session("same"))
    await second.report(bob.session("same", idle=True))
    await first.until_status(bob, ONLINE)
    await first.report(closed=["same"])
    await first.until_status(bob, AWAY)
    assert OFFLINE not in first.statuses(bob)
