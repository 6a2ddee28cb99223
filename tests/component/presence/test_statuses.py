"""What users choose to be, and what the others see of it."""

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
from tests.component.presence.conftest import Attach, NewUser
from tests.component.presence.running import TIMEOUT, User, replica, until_stored

ONLINE, AWAY, OFFLINE = pb.PRESENCE_STATUS_ONLINE, pb.PRESENCE_STATUS_AWAY, pb.PRESENCE_STATUS_OFFLINE
DND, INVISIBLE = pb.PRESENCE_STATUS_DND, pb.PRESENCE_STATUS_INVISIBLE


@pytest.mark.parametrize("status", [AWAY, DND])
async def test_a_choice_counts_while_a_session_is_open(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User, status: pb.PresenceStatus.ValueType
) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    assert (await bob.choose(one, status)).status == status
    await gateway.until_told(bob, status)
    await gateway.report(closed=["bobs"])
    await gateway.until_told(bob, OFFLINE)
    await gateway.report(bob.session("again"))
    await gateway.until_told(bob, status)


async def test_a_choice_before_the_first_session_shows_nothing_and_counts_later(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    assert (await bob.choose(one, DND)).status == OFFLINE
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_told(bob, DND)
    assert gateway.statuses(bob) == [DND]


async def test_online_as_a_choice_follows_the_sessions(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs", idle=True))
    await bob.choose(one, DND)
    await gateway.until_told(bob, DND)
    assert (await bob.choose(one, ONLINE)).status == AWAY
    await gateway.until_told(bob, AWAY)


async def test_invisible_looks_offline_to_the_others_but_not_to_oneself(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_told(bob, ONLINE)
    assert (await bob.choose(other, INVISIBLE)).status == INVISIBLE
    await gateway.until_told(bob, OFFLINE)
    [hidden], [own] = await ann.sees(one, bob.user_id), await bob.sees(one, bob.user_id)
    assert own == pb.Presence(user_id=bob.user_id, status=INVISIBLE)
    assert hidden.status == OFFLINE and hidden == gateway.told(bob)[-1]


async def test_what_an_invisible_user_does_shows_nowhere(
    *, one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_told(bob, ONLINE)
    await bob.choose(one, INVISIBLE)
    await gateway.until_told(bob, OFFLINE)
    went = gateway.told(bob)[-1]
    assert went.HasField("last_seen_time")
    await asyncio.sleep(0.05)  # so that activity from here on would show as a later time
    await gateway.report(bob.session("bobs", idle=True), bob.session("phone"))
    await gateway.report(closed=["bobs", "phone"])
    await gateway.report(bob.session("tab"))
    leaving = await new_user()
    await gateway.report(leaving.session("only"))
    await gateway.until_told(leaving, ONLINE)
    await gateway.report(closed=["only", "tab"])
    await gateway.until_told(leaving, OFFLINE)
    late = await attach(other)
    await late.report(ann.session("late"))
    await late.until_told(ann, ONLINE)
    assert gateway.statuses(bob) == [ONLINE, OFFLINE]
    assert await ann.sees(one, bob.user_id) == [went]
    assert all(told == went for told in late.told(bob))


async def test_showing_oneself_again_is_told(one: grpc.aio.Channel, attach: Attach, ann: User, bob: User) -> None:
    await bob.choose(one, INVISIBLE)
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await gateway.until_told(ann, ONLINE)
    await bob.choose(one, ONLINE)
    await gateway.until_told(bob, ONLINE)
    assert gateway.statuses(bob) == [ONLINE]


async def test_a_text_is_told_kept_replaced_and_removed(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    assert (await bob.choose(one, ONLINE, "in/out 🌴")).text == "in/out 🌴"
    await gateway.until(lambda: [told.text for told in gateway.told(bob)][-1:] == ["in/out 🌴"])
    assert (await bob.choose(one, DND)).text == "in/out 🌴"
    await gateway.until_told(bob, DND)
    assert gateway.told(bob)[-1].text == "in/out 🌴"
    await bob.choose(one, DND, "")
    await gateway.until(lambda: gateway.told(bob)[-1].text == "")


async def test_a_choice_outlives_sessions_replicas_and_redis(
    settings: Settings, valkey: Redis, ann: User, bob: User, attach: Attach
) -> None:
    async with replica(settings) as channel:
        gateway = await attach(channel)
        await gateway.report(ann.session("anns"), bob.session("bobs"))
        await bob.choose(channel, DND, "back at four")
        await gateway.until_told(bob, DND)
        await gateway.report(closed=["bobs"])
        await gateway.until_told(bob, OFFLINE)
        gone = gateway.told(bob)[-1]
        assert gone.HasField("last_seen_time")
        await until_stored(valkey)
    async with replica(settings.model_copy(update={"redis_url": f"{settings.redis_url[:-1]}1"})) as elsewhere:
        assert await ann.sees(elsewhere, bob.user_id) == [gone]
        gateway = await attach(elsewhere)
        await gateway.report(ann.session("anns"), bob.session("bobs"))
        await gateway.until_told(bob, DND)
        assert gateway.told(bob)[-1].text == "back at four"


async def test_of_choices_made_at_once_one_stays_everywhere(
    *, one: grpc.aio.Channel, other: grpc.aio.Channel, settings: Settings, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    choices = [
        bob.choose(channel, status, f"choice {number}")
        for number, (channel, status) in enumerate(zip([one, other] * 4, [DND, AWAY, ONLINE, DND] * 2, strict=True))
    ]
    await asyncio.gather(*choices)
    [now] = await ann.sees(one, bob.user_id)
    await gateway.until(lambda: gateway.told(bob)[-1:] == [now])
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
async def test_a_bad_choice_is_refused_with_the_field_named(
    one: grpc.aio.Channel, ann: User, request_: pb.SetStatusRequest, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await presence_pb2_grpc.PresenceServiceStub(one).SetStatus(request_, metadata=ann.metadata, timeout=TIMEOUT)
    error = from_rpc_error(caught.value)
    assert isinstance(error, InvalidArgumentError) and set(error.fields) == {field}


async def test_the_longest_text_is_taken(one: grpc.aio.Channel, ann: User) -> None:
    assert (await ann.choose(one, ONLINE, "ü" * 140)).text == "ü" * 140
