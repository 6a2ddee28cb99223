"""Statuses that users set, and what others see of them."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from parley.presence.v1 import presence_pb2 as pb
from parley.presence.v1 import presence_pb2_grpc
from redis.asyncio import Redis

from chassis.errors import InvalidArgumentError
from chassis.rpc.status import from_rpc_error
from services.presence.settings import Settings
from tests.component.presence.conftest import Attach, CreateUser
from tests.component.presence.harness import TIMEOUT, User, replica, until_stored

ONLINE, AWAY, OFFLINE = pb.PRESENCE_STATUS_ONLINE, pb.PRESENCE_STATUS_AWAY, pb.PRESENCE_STATUS_OFFLINE
DND, INVISIBLE = pb.PRESENCE_STATUS_DND, pb.PRESENCE_STATUS_INVISIBLE


@pytest.mark.parametrize("status", [AWAY, DND])
async def test_a_status_applies_while_a_session_is_open(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User, status: pb.PresenceStatus.ValueType
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    assert (await bob.set_status(replica_a, status)).status == status
    await gateway.until_status(bob, status)
    await gateway.report(closed=["bobs"])
    await gateway.until_status(bob, OFFLINE)
    await gateway.report(bob.session("again"))
    await gateway.until_status(bob, status)


async def test_a_status_set_before_the_first_session_is_hidden_and_applies_later(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    assert (await bob.set_status(replica_a, DND)).status == OFFLINE
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_status(bob, DND)
    assert gateway.statuses(bob) == [DND]


async def test_online_as_a_status_follows_the_sessions(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs", idle=True))
    await bob.set_status(replica_a, DND)
    await gateway.until_status(bob, DND)
    assert (await bob.set_status(replica_a, ONLINE)).status == AWAY
    await gateway.until_status(bob, AWAY)


async def test_invisible_looks_offline_to_others_but_not_to_oneself(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_status(bob, ONLINE)
    assert (await bob.set_status(replica_b, INVISIBLE)).status == INVISIBLE
    await gateway.until_status(bob, OFFLINE)
    [hidden], [own] = await ann.sees(replica_a, bob.user_id), await bob.sees(replica_a, bob.user_id)
    assert own == pb.Presence(user_id=bob.user_id, status=INVISIBLE)
    assert hidden.status == OFFLINE and hidden == gateway.presences_of(bob)[-1]


async def test_an_invisible_users_activity_is_not_visible(
    *,
    replica_a: grpc.aio.Channel,
    replica_b: grpc.aio.Channel,
    attach: Attach,
    create_user: CreateUser,
    ann: User,
    bob: User,
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_status(bob, ONLINE)
    await bob.set_status(replica_a, INVISIBLE)
    await gateway.until_status(bob, OFFLINE)
    went = gateway.presences_of(bob)[-1]
    assert went.HasField("last_seen_time")
    await asyncio.sleep(0.05)  # so that activity from here on would show as a later time
    await gateway.report(bob.session("bobs", idle=True), bob.session("phone"))
    await gateway.report(closed=["bobs", "phone"])
    await gateway.report(bob.session("tab"))
    leaving = await create_user()
    await gateway.report(leaving.session("only"))
    await gateway.until_status(leaving, ONLINE)
    await gateway.report(closed=["only", "tab"])
    await gateway.until_status(leaving, OFFLINE)
    late = await attach(replica_b)
    await late.report(ann.session("late"))
    await late.until_status(ann, ONLINE)
    assert gateway.statuses(bob) == [ONLINE, OFFLINE]
    assert await ann.sees(replica_a, bob.user_id) == [went]
    assert all(presences_of == went for presences_of in late.presences_of(bob))


async def test_becoming_visible_again_is_published(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    await bob.set_status(replica_a, INVISIBLE)
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_status(ann, ONLINE)
    await bob.set_status(replica_a, ONLINE)
    await gateway.until_status(bob, ONLINE)
    assert gateway.statuses(bob) == [ONLINE]


async def test_a_text_is_published_kept_replaced_and_removed(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    assert (await bob.set_status(replica_a, ONLINE, "in/out 🌴")).text == "in/out 🌴"
    await gateway.until(lambda: [presences_of.text for presences_of in gateway.presences_of(bob)][-1:] == ["in/out 🌴"])
    assert (await bob.set_status(replica_a, DND)).text == "in/out 🌴"
    await gateway.until_status(bob, DND)
    assert gateway.presences_of(bob)[-1].text == "in/out 🌴"
    await bob.set_status(replica_a, DND, "")
    await gateway.until(lambda: gateway.presences_of(bob)[-1].text == "")


async def test_a_setting_outlives_sessions_replicas_and_redis(
    settings: Settings, valkey: Redis, ann: User, bob: User, attach: Attach
) -> None:
    async with replica(settings) as channel:
        gateway = await attach(channel)
        await gateway.report(ann.session("anns"), bob.session("bobs"))
        await bob.set_status(channel, DND, "back at four")
        await gateway.until_status(bob, DND)
        await gateway.report(closed=["bobs"])
        await gateway.until_status(bob, OFFLINE)
        gone = gateway.presences_of(bob)[-1]
        assert gone.HasField("last_seen_time")
        await until_stored(valkey)
    async with replica(settings.model_copy(update={"redis_url": f"{settings.redis_url[:-1]}1"})) as elsewhere:
        assert await ann.sees(elsewhere, bob.user_id) == [gone]
        gateway = await attach(elsewhere)
        await gateway.report(ann.session("anns"), bob.session("bobs"))
        await gateway.until_status(bob, DND)
        assert gateway.presences_of(bob)[-1].text == "back at four"


async def test_of_concurrent_settings_the_same_one_wins_everywhere(
    *,
    replica_a: grpc.aio.Channel,
    replica_b: grpc.aio.Channel,
    settings: Settings,
    attach: Attach,
    ann: User,
    bob: User,
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    choices = [
        bob.set_status(channel, status, f"choice {number}")
        for number, (channel, status) in enumerate(
            zip([replica_a, replica_b] * 4, [DND, AWAY, ONLINE, DND] * 2, strict=True)
        )
    ]
    await asyncio.gather(*choices)
    [now] = await ann.sees(replica_a, bob.user_id)
    await gateway.until(lambda: gateway.presences_of(bob)[-1:] == [now])
    async with replica(settings.model_copy(update={"redis_url": f"{settings.redis_url[:-1]}2"})) as elsewhere:
        await (await attach(elsewhere)).report(bob.session("bobs"))
        [stored] = await ann.sees(elsewhere, bob.user_id)
    assert stored == now


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.SetStatusRequest(), "status"),
        (pb.SetStatusRequest(status=5), "status"),  # type: ignore[arg-type]  # offline is not a choice
        (pb.SetStatusRequest(status=99), "status"),  # type: ignore[arg-type]  # a number that the contract lacks
        (pb.SetStatusRequest(status=pb.CHOSEN_STATUS_DND, text="x" * 141), "text"),
    ],
)
async def test_an_invalid_status_is_refused_with_the_field_named(
    replica_a: grpc.aio.Channel, ann: User, request_: pb.SetStatusRequest, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await presence_pb2_grpc.PresenceServiceStub(replica_a).SetStatus(
            request_, metadata=ann.metadata, timeout=TIMEOUT
        )
    error = from_rpc_error(caught.value)
    assert isinstance(error, InvalidArgumentError) and set(error.fields) == {field}


async def test_the_longest_text_is_taken(replica_a: grpc.aio.Channel, ann: User) -> None:
    assert (await ann.set_status(replica_a, ONLINE, "ü" * 140)).text == "ü" * 140
