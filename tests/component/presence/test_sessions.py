"""Who is online, away and offline, as sessions come and go."""

from __future__ import annotations

import asyncio
import time

import grpc
from parley.presence.v1 import presence_pb2 as pb

from services.presence.settings import Settings
from tests.component.presence.conftest import Attach, NewUser
from tests.component.presence.running import GRACE_SECONDS, User, replica

ONLINE, AWAY, OFFLINE = pb.PRESENCE_STATUS_ONLINE, pb.PRESENCE_STATUS_AWAY, pb.PRESENCE_STATUS_OFFLINE


async def test_a_user_never_seen_is_offline_without_a_last_seen_time(one: grpc.aio.Channel, ann: User) -> None:
    [seen] = await ann.sees(one, "nobody-of-that-name")
    assert seen == pb.Presence(user_id="nobody-of-that-name", status=OFFLINE)


async def test_an_acknowledged_session_is_seen_at_once_through_any_replica(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    await gateway.report(bob.session("tab"))
    for channel in (one, other):
        [seen] = await ann.sees(channel, bob.user_id)
        assert seen == pb.Presence(user_id=bob.user_id, status=ONLINE)


async def test_the_others_are_told_through_whichever_replica_they_hang_on(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    near, far, bobs = await attach(one), await attach(other), await attach(one)
    await near.report(ann.session("tab"))
    await far.report(ann.session("phone"))
    await bobs.report(bob.session("tab"))
    await near.until_told(bob, ONLINE)
    await far.until_told(bob, ONLINE)
    await bobs.report(closed=["tab"])
    await near.until_told(bob, OFFLINE)
    await far.until_told(bob, OFFLINE)


async def test_one_active_session_makes_online_and_none_makes_away(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    anns, tab, phone = await attach(one), await attach(one), await attach(other)
    await anns.report(ann.session("tab"))
    await tab.report(bob.session("tab", idle=True))
    await anns.until_told(bob, AWAY)
    await phone.report(bob.session("phone"))
    await anns.until_told(bob, ONLINE)
    await phone.report(bob.session("phone", idle=True))
    await anns.until_told(bob, AWAY)
    await tab.report(bob.session("tab"))
    await anns.until_told(bob, ONLINE)
    await tab.report(closed=["tab"])
    await anns.until_told(bob, AWAY)


async def test_offline_comes_after_the_grace_with_the_time_of_leaving(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_told(bob, ONLINE)
    before = time.time()
    await gateway.report(closed=["bobs"])
    left = time.time()
    [during] = await ann.sees(one, bob.user_id)
    await gateway.until_told(bob, OFFLINE)
    assert during.status in {ONLINE, OFFLINE} and gateway.statuses(bob) == [ONLINE, OFFLINE]
    assert time.time() - before >= GRACE_SECONDS
    assert before - 1 <= gateway.told(bob)[-1].last_seen_time.ToMilliseconds() / 1_000 <= left + 1
    [seen] = await ann.sees(one, bob.user_id)
    assert seen == gateway.told(bob)[-1]


async def test_the_last_activity_of_idle_sessions_is_when_they_became_idle(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.report(bob.session("bobs", idle=True))
    idle_since = time.time()
    await asyncio.sleep(1.1)
    await gateway.report(closed=["bobs"])
    await gateway.until_told(bob, OFFLINE)
    assert gateway.told(bob)[-1].last_seen_time.ToMilliseconds() / 1_000 <= idle_since + 1


async def test_a_reload_is_not_seen(settings: Settings, attach: Attach, new_user: NewUser, ann: User) -> None:
    reloading, leaving = await new_user(), await new_user()
    async with replica(settings.model_copy(update={"grace_seconds": 4.0})) as patient:
        gateway = await attach(patient)
        await gateway.report(ann.session("anns"), reloading.session("old"), leaving.session("only"))
        await gateway.until(lambda: gateway.latest(reloading) == gateway.latest(leaving) == ONLINE)
        await gateway.report(closed=["old"])
        await gateway.report(reloading.session("new"))
        await gateway.report(closed=["only"])
        await gateway.until_told(leaving, OFFLINE)  # who left after the reload is, so the reload's grace is over
        assert gateway.statuses(reloading) == [ONLINE]


async def test_moving_to_another_gateway_and_replica_is_not_seen(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User
) -> None:
    moving, leaving = await new_user(), await new_user()
    first, second = await attach(one), await attach(other)
    await first.report(ann.session("anns"), moving.session("here"), leaving.session("only"))
    await first.until(lambda: first.latest(moving) == first.latest(leaving) == ONLINE)
    await asyncio.gather(first.report(closed=["here"]), second.report(moving.session("there")))
    await first.report(closed=["only"])
    await first.until_told(leaving, OFFLINE)
    assert first.statuses(moving) == [ONLINE]


async def test_what_passes_within_the_grace_keeps_the_status_of_the_last_session(
    one: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User
) -> None:
    idle, leaving = await new_user(), await new_user()
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), idle.session("tab", idle=True), leaving.session("only"))
    await gateway.until(lambda: gateway.latest(idle) == AWAY and gateway.latest(leaving) == ONLINE)
    await gateway.report(closed=["tab", "only"])
    await gateway.until(lambda: gateway.latest(idle) == gateway.latest(leaving) == OFFLINE)
    assert (gateway.statuses(idle), gateway.statuses(leaving)) == ([AWAY, OFFLINE], [ONLINE, OFFLINE])


async def test_only_changes_are_told(one: grpc.aio.Channel, attach: Attach, ann: User, bob: User) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("tab"))
    await gateway.until_told(bob, ONLINE)
    await gateway.report(bob.session("tab"), bob.session("phone"), bob.session("tablet", idle=True))
    await gateway.report(closed=["tab", "tablet", "never-opened"])
    await gateway.report(bob.session("phone", idle=True))
    await gateway.until_told(bob, AWAY)
    assert gateway.statuses(bob) == [ONLINE, AWAY]


async def test_what_one_observer_saw_all_are_told_however_soon_it_passes(
    settings: Settings, attach: Attach, ann: User, bob: User
) -> None:
    async with replica(settings.model_copy(update={"coalesce_seconds": 0.5})) as slow:
        gateway = await attach(slow)
        await gateway.report(ann.session("anns"), bob.session("bobs"))
        await gateway.until_told(bob, ONLINE)
        await gateway.report(bob.session("bobs", idle=True))
        [observed] = await ann.sees(slow, bob.user_id)
        await gateway.report(bob.session("bobs"))
        assert observed.status == AWAY
        await gateway.until(lambda: gateway.statuses(bob) == [ONLINE, AWAY, ONLINE])


async def test_a_session_reported_twice_is_closed_once(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("tab"))
    await gateway.report(bob.session("tab"), bob.session("tab"))
    await gateway.report(closed=["tab", "tab"])
    await gateway.report(closed=["tab"])
    await gateway.until_told(bob, OFFLINE)


async def test_the_same_session_id_on_two_gateways_is_two_sessions(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    first, second = await attach(one), await attach(one)
    await first.report(ann.session("anns"), bob.session("same"))
    await second.report(bob.session("same", idle=True))
    await first.until_told(bob, ONLINE)
    await first.report(closed=["same"])
    await first.until_told(bob, AWAY)
    assert OFFLINE not in first.statuses(bob)
