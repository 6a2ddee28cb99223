"""Whatever dies, presence becomes true again: gateways, replicas, and Redis with all that it held."""

from __future__ import annotations

import asyncio
import time

import grpc
from parley.presence.v1 import presence_pb2 as pb
from pymongo.uri_parser import parse_uri
from redis.asyncio import Redis

from chassis.errors import UnavailableError
from deploy.local.process import ManagedProcess
from services.presence.settings import Settings
from tests.component.presence.conftest import Attach, NewUser
from tests.component.presence.running import LEASE_SECONDS, User, replica, until_stored
from tests.component.presence.servers import Wire, presence_process

ONLINE, AWAY, OFFLINE = pb.PRESENCE_STATUS_ONLINE, pb.PRESENCE_STATUS_AWAY, pb.PRESENCE_STATUS_OFFLINE


async def test_the_sessions_of_a_dead_gateway_are_closed_with_the_time_it_was_last_heard(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    watching, dying = await attach(other), await attach(one)
    await watching.report(ann.session("anns"))
    await dying.report(bob.session("bobs"))
    await watching.until_told(bob, ONLINE)
    await dying.break_off()
    died = time.time()
    await watching.until_told(bob, OFFLINE)
    assert watching.statuses(bob) == [ONLINE, OFFLINE]
    assert watching.told(bob)[-1].last_seen_time.ToMilliseconds() / 1_000 <= died + LEASE_SECONDS / 2


async def test_a_user_with_a_session_elsewhere_outlives_a_dead_gateway(
    *, one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User, bob: User
) -> None:
    only_there = await new_user()
    living, dying = await attach(other), await attach(one)
    await living.report(ann.session("anns"), bob.session("phone", idle=True))
    await dying.report(bob.session("tab"), only_there.session("only"))
    await living.until_told(bob, ONLINE)
    await dying.break_off()
    await living.until_told(only_there, OFFLINE)
    await living.until_told(bob, AWAY)
    assert OFFLINE not in living.statuses(bob)


async def test_a_replica_killed_during_the_grace_leaves_it_to_another(
    *, settings: Settings, other: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User, bob: User
) -> None:
    reloading = await new_user()
    watching = await attach(other)
    await watching.report(ann.session("anns"))
    async with presence_process(settings.model_copy(update={"grace_seconds": 5.0})) as (process, channel):
        gateway = await attach(channel)
        await gateway.report(bob.session("bobs"), reloading.session("old"))
        await watching.until(lambda: watching.latest(bob) == watching.latest(reloading) == ONLINE)
        await gateway.report(closed=["bobs", "old"])
        process.kill()
        await watching.report(reloading.session("new"))
        assert isinstance(await gateway.until_ended(), UnavailableError)
    await watching.until_told(bob, OFFLINE)
    assert watching.statuses(reloading) == [ONLINE]


async def test_a_gateway_whose_replica_is_killed_comes_back_to_another_unseen(
    *, settings: Settings, other: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User, bob: User
) -> None:
    leaving = await new_user()
    watching = await attach(other)
    await watching.report(ann.session("anns"), leaving.session("only"))
    async with presence_process(settings.model_copy(update={"lease_seconds": 20.0})) as (process, channel):
        gateway = await attach(channel, "coming-back")
        await gateway.report(bob.session("bobs"))
        await watching.until_told(bob, ONLINE)
        process.kill()
        await gateway.until_ended()
    back = await attach(other, "coming-back")
    await back.report(bob.session("bobs"))
    await watching.report(closed=["only"])
    await watching.until_told(leaving, OFFLINE)
    assert watching.statuses(bob) == [ONLINE]


async def test_a_gateway_that_dies_with_its_replica_is_noticed_by_another(
    settings: Settings, other: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    watching = await attach(other)
    await watching.report(ann.session("anns"))
    async with presence_process(settings) as (process, channel):
        gateway = await attach(channel)
        await gateway.report(bob.session("bobs"))
        await watching.until_told(bob, ONLINE)
        await gateway.break_off()
        process.kill()
    await watching.until_told(bob, OFFLINE)


async def test_a_process_that_is_told_to_stop_ends_its_streams_and_then_itself(
    settings: Settings, attach: Attach, bob: User
) -> None:
    async with presence_process(settings) as (process, channel):
        gateway = await attach(channel)
        await gateway.report(bob.session("bobs"))
        process.terminate()
        error = await gateway.until_ended()
        assert await process.wait() == 0
    assert isinstance(error, UnavailableError) and error.reason == "SHUTTING_DOWN"


async def test_after_redis_lost_everything_gateways_report_again_and_the_truth_returns(
    *, one: grpc.aio.Channel, other: grpc.aio.Channel, valkey: Redis, attach: Attach, new_user: NewUser, ann: User
) -> None:
    staying, closed_meanwhile, on_dead_gateway, choosy = [await new_user() for _ in range(4)]
    watching, dying = await attach(one, "watching"), await attach(other)
    await watching.report(ann.session("anns"), staying.session("stays"), closed_meanwhile.session("closes"))
    await watching.report(choosy.session("choosys"))
    await choosy.choose(one, pb.PRESENCE_STATUS_DND, "as I said")
    await dying.report(on_dead_gateway.session("dies"))
    present = (staying, closed_meanwhile, on_dead_gateway)
    await watching.until(lambda: all(watching.latest(user) == ONLINE for user in present))
    await watching.until_told(choosy, pb.PRESENCE_STATUS_DND)
    await until_stored(valkey)
    await dying.break_off()
    await valkey.flushall()
    error = await watching.until_ended()
    assert isinstance(error, UnavailableError) and error.reason == "SESSIONS_UNKNOWN"
    back = await attach(other, "watching")
    await back.report(ann.session("anns"), staying.session("stays"), choosy.session("choosys"))
    await back.until(lambda: back.latest(closed_meanwhile) == back.latest(on_dead_gateway) == OFFLINE)
    await back.until_told(staying, ONLINE)
    await back.until(
        lambda: [(told.status, told.text) for told in back.told(choosy)][-1:] == [(pb.PRESENCE_STATUS_DND, "as I said")]
    )
    seen = await ann.sees(one, staying.user_id, choosy.user_id, closed_meanwhile.user_id, on_dead_gateway.user_id)
    assert [each.status for each in seen] == [ONLINE, pb.PRESENCE_STATUS_DND, OFFLINE, OFFLINE]
    assert OFFLINE not in back.statuses(staying)
    assert all(each.HasField("last_seen_time") for each in seen[2:])


async def test_when_redis_returns_after_more_than_a_lease_gateways_have_time_to_come_back(
    *,
    one: grpc.aio.Channel,
    own_valkey: tuple[ManagedProcess, str],
    attach: Attach,
    new_user: NewUser,
    ann: User,
    bob: User,
) -> None:
    newcomer = await new_user()
    gateway, watching = await attach(one, "enduring"), await attach(one)
    await watching.report(ann.session("anns"))
    await gateway.report(bob.session("bobs"))
    await watching.until_told(bob, ONLINE)
    server, _ = own_valkey
    await server.stop()
    error = await gateway.until_ended()
    assert isinstance(error, UnavailableError) and error.reason == "STORE_UNAVAILABLE"
    await asyncio.sleep(LEASE_SECONDS)
    await server.start()
    await server.wait_healthy()
    again = await attach(one)
    await again.report(ann.session("anns"), newcomer.session("news"))
    await asyncio.sleep(0.3)  # some sweeps
    back = await attach(one, "enduring")
    await back.report(bob.session("bobs"))
    await again.until_told(newcomer, ONLINE)
    await back.until_told(bob, ONLINE)
    assert {*again.statuses(bob), *back.statuses(bob)} == {ONLINE}


async def test_while_mongodb_is_away_presence_goes_on_and_is_stored_when_it_returns(
    *, settings: Settings, valkey: Redis, attach: Attach, new_user: NewUser, ann: User, bob: User
) -> None:
    newcomer = await new_user()
    wire = Wire(*parse_uri(settings.mongodb_uri)["nodelist"][0])
    async with wire.laid() as port:
        cut_off = settings.model_copy(update={"mongodb_uri": f"mongodb://127.0.0.1:{port}/?directConnection=true"})
        async with replica(cut_off) as channel:
            gateway = await attach(channel)
            await gateway.report(ann.session("anns"), bob.session("bobs"))
            await gateway.until(lambda: gateway.latest(ann) == gateway.latest(bob) == ONLINE)
            wire.cut()
            await gateway.report(newcomer.session("news"), ann.session("anns", idle=True), closed=["bobs"])
            await gateway.until_told(ann, AWAY)
            await gateway.until_told(bob, OFFLINE)
            wire.mend()
            await gateway.until_told(newcomer, ONLINE)
            await until_stored(valkey)
    async with replica(settings.model_copy(update={"redis_url": f"{settings.redis_url[:-1]}3"})) as elsewhere:
        assert await ann.sees(elsewhere, bob.user_id) == gateway.told(bob)[-1:]
