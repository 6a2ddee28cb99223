"""Presence recovers from the death of gateways and replicas, and from the loss of Redis's data."""

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
from tests.component.presence.conftest import Attach, CreateUser
from tests.component.presence.harness import LEASE_SECONDS, User, replica, until_stored
from tests.component.presence.servers import presence_process
from tests.component.tcp_proxy import tcp_proxy

ONLINE, AWAY, OFFLINE = pb.PRESENCE_STATUS_ONLINE, pb.PRESENCE_STATUS_AWAY, pb.PRESENCE_STATUS_OFFLINE


async def test_a_dead_gateways_sessions_close_with_the_time_of_its_last_heartbeat(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    watching, dying = await attach(replica_b), await attach(replica_a)
    await watching.report(ann.session("anns"))
    await dying.report(bob.session("bobs"))
    await watching.until_status(bob, ONLINE)
    await dying.disconnect()
    died = time.time()
    await watching.until_status(bob, OFFLINE)
    assert watching.statuses(bob) == [ONLINE, OFFLINE]
    assert watching.presences_of(bob)[-1].last_seen_time.ToMilliseconds() / 1_000 <= died + LEASE_SECONDS / 2


async def test_a_user_with_a_session_elsewhere_outlives_a_dead_gateway(
    *,
    replica_a: grpc.aio.Channel,
    replica_b: grpc.aio.Channel,
    attach: Attach,
    create_user: CreateUser,
    ann: User,
    bob: User,
) -> None:
    only_there = await create_user()
    living, dying = await attach(replica_b), await attach(replica_a)
    await living.report(ann.session("anns"), bob.session("phone", idle=True))
    await dying.report(bob.session("tab"), only_there.session("only"))
    await living.until_status(bob, ONLINE)
    await dying.disconnect()
    await living.until_status(only_there, OFFLINE)
    await living.until_status(bob, AWAY)
    assert OFFLINE not in living.statuses(bob)


async def test_another_replica_ends_the_grace_period_of_a_killed_replica(
    *, settings: Settings, replica_b: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User, bob: User
) -> None:
    reloading = await create_user()
    watching = await attach(replica_b)
    await watching.report(ann.session("anns"))
    async with presence_process(settings.model_copy(update={"grace_seconds": 5.0})) as (process, channel):
        gateway = await attach(channel)
        await gateway.report(bob.session("bobs"), reloading.session("old"))
        await watching.until(lambda: watching.latest(bob) == watching.latest(reloading) == ONLINE)
        await gateway.report(closed=["bobs", "old"])
        process.kill()
        await watching.report(reloading.session("new"))
        assert isinstance(await gateway.until_ended(), UnavailableError)
    await watching.until_status(bob, OFFLINE)
    assert watching.statuses(reloading) == [ONLINE]


async def test_a_gateway_whose_replica_is_killed_reattaches_without_a_visible_change(
    *, settings: Settings, replica_b: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User, bob: User
) -> None:
    leaving = await create_user()
    watching = await attach(replica_b)
    await watching.report(ann.session("anns"), leaving.session("only"))
    async with presence_process(settings.model_copy(update={"lease_seconds": 20.0})) as (process, channel):
        gateway = await attach(channel, "coming-back")
        await gateway.report(bob.session("bobs"))
        await watching.until_status(bob, ONLINE)
        process.kill()
        await gateway.until_ended()
    back = await attach(replica_b, "coming-back")
    await back.report(bob.session("bobs"))
    await watching.report(closed=["only"])
    await watching.until_status(leaving, OFFLINE)
    assert watching.statuses(bob) == [ONLINE]


async def test_a_gateway_that_dies_with_its_replica_is_noticed_by_another(
    settings: Settings, replica_b: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    watching = await attach(replica_b)
    await watching.report(ann.session("anns"))
    async with presence_process(settings) as (process, channel):
        gateway = await attach(channel)
        await gateway.report(bob.session("bobs"))
        await watching.until_status(bob, ONLINE)
        await gateway.disconnect()
        process.kill()
    await watching.until_status(bob, OFFLINE)


async def test_a_terminated_process_ends_its_streams_and_then_itself(
    settings: Settings, attach: Attach, bob: User
) -> None:
    async with presence_process(settings) as (process, channel):
        gateway = await attach(channel)
        await gateway.report(bob.session("bobs"))
        process.terminate()
        error = await gateway.until_ended()
        assert await process.wait() == 0
    assert isinstance(error, UnavailableError) and error.reason == "SHUTTING_DOWN"


async def test_after_redis_lost_its_data_gateways_report_again_and_presence_recovers(
    *,
    replica_a: grpc.aio.Channel,
    replica_b: grpc.aio.Channel,
    valkey: Redis,
    attach: Attach,
    create_user: CreateUser,
    ann: User,
) -> None:
    staying, closed_meanwhile, on_dead_gateway, choosy = [await create_user() for _ in range(4)]
    watching, dying = await attach(replica_a, "watching"), await attach(replica_b)
    await watching.report(ann.session("anns"), staying.session("stays"), closed_meanwhile.session("closes"))
    await watching.report(choosy.session("choosys"))
    await choosy.set_status(replica_a, pb.PRESENCE_STATUS_DND, "as I said")
    await dying.report(on_dead_gateway.session("dies"))
    present = (staying, closed_meanwhile, on_dead_gateway)
    await watching.until(lambda: all(watching.latest(user) == ONLINE for user in present))
    await watching.until_status(choosy, pb.PRESENCE_STATUS_DND)
    await until_stored(valkey)
    await dying.disconnect()
    await valkey.flushall()
    error = await watching.until_ended()
    assert isinstance(error, UnavailableError) and error.reason == "SESSIONS_UNKNOWN"
    back = await attach(replica_b, "watching")
    await back.report(ann.session("anns"), staying.session("stays"), choosy.session("choosys"))
    await back.until(lambda: back.latest(closed_meanwhile) == back.latest(on_dead_gateway) == OFFLINE)
    await back.until_status(staying, ONLINE)
    await back.until(
        lambda: (
            [(presences_of.status, presences_of.text) for presences_of in back.presences_of(choosy)][-1:]
            == [(pb.PRESENCE_STATUS_DND, "as I said")]
        )
    )
    seen = await ann.sees(replica_a, staying.user_id, choosy.user_id, closed_meanwhile.user_id, on_dead_gateway.user_id)
    assert [each.status for each in seen] == [ONLINE, pb.PRESENCE_STATUS_DND, OFFLINE, OFFLINE]
    assert OFFLINE not in back.statuses(staying)
    assert all(each.HasField("last_seen_time") for each in seen[2:])


async def test_after_an_outage_of_redis_longer_than_a_lease_gateways_have_time_to_reattach(
    *,
    replica_a: grpc.aio.Channel,
    own_valkey: tuple[ManagedProcess, str],
    attach: Attach,
    create_user: CreateUser,
    ann: User,
    bob: User,
) -> None:
    newcomer = await create_user()
    gateway, watching = await attach(replica_a, "enduring"), await attach(replica_a)
    await watching.report(ann.session("anns"))
    await gateway.report(bob.session("bobs"))
    await watching.until_status(bob, ONLINE)
    server, _ = own_valkey
    await server.stop()
    error = await gateway.until_ended()
    assert isinstance(error, UnavailableError) and error.reason == "STORE_UNAVAILABLE"
    await asyncio.sleep(LEASE_SECONDS)
    await server.start()
    await server.wait_healthy()
    again = await attach(replica_a)
    await again.report(ann.session("anns"), newcomer.session("news"))
    await asyncio.sleep(0.3)  # some sweeps
    back = await attach(replica_a, "enduring")
    await back.report(bob.session("bobs"))
    await again.until_status(newcomer, ONLINE)
    await back.until_status(bob, ONLINE)
    assert {*again.statuses(bob), *back.statuses(bob)} == {ONLINE}


async def test_while_mongodb_is_away_presence_continues_and_is_stored_when_it_returns(
    *, settings: Settings, valkey: Redis, attach: Attach, create_user: CreateUser, ann: User, bob: User
) -> None:
    newcomer = await create_user()
    async with tcp_proxy(*parse_uri(settings.mongodb_uri)["nodelist"][0]) as (proxy, port):
        cut_off = settings.model_copy(update={"mongodb_uri": f"mongodb://127.0.0.1:{port}/?directConnection=true"})
        async with replica(cut_off) as channel:
            gateway = await attach(channel)
            await gateway.report(ann.session("anns"), bob.session("bobs"))
            await gateway.until(lambda: gateway.latest(ann) == gateway.latest(bob) == ONLINE)
            proxy.cut()
            await gateway.report(newcomer.session("news"), ann.session("anns", idle=True), closed=["bobs"])
            await gateway.until_status(ann, AWAY)
            await gateway.until_status(bob, OFFLINE)
            proxy.restore()
            await gateway.until_status(newcomer, ONLINE)
            await until_stored(valkey)
    async with replica(settings.model_copy(update={"redis_url": f"{settings.redis_url[:-1]}3"})) as elsewhere:
        assert await ann.sees(elsewhere, bob.user_id) == gateway.presences_of(bob)[-1:]
