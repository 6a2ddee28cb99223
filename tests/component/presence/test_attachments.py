"""Gateways' streams: how they begin, come back, and end."""

from __future__ import annotations

import asyncio
import secrets

import grpc
import pytest
from parley.auth.v1.user_pb2 import ROLE_EMPLOYEE
from parley.presence.v1 import presence_pb2 as pb

from chassis.errors import InvalidArgumentError, UnavailableError
from services.presence.settings import Settings
from tests.component.presence.conftest import Attach, NewUser
from tests.component.presence.running import Gateway, User, replica

ONLINE, AWAY, OFFLINE = pb.PRESENCE_STATUS_ONLINE, pb.PRESENCE_STATUS_AWAY, pb.PRESENCE_STATUS_OFFLINE


async def test_a_gateway_is_told_who_is_present_and_who_left_lately(
    *, one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User, bob: User
) -> None:
    gone, never = await new_user(), await new_user()
    first = await attach(one)
    await first.report(bob.session("bobs", idle=True), gone.session("gones"))
    await first.until_told(gone, ONLINE)
    await first.report(closed=["gones"])
    await first.until_told(gone, OFFLINE)
    late = await attach(other)
    await late.report(ann.session("anns"))
    await late.until(lambda: late.latest(bob) == AWAY and late.latest(gone) == OFFLINE and late.latest(ann) == ONLINE)
    assert late.told(gone)[-1] == first.told(gone)[-1]
    assert not late.told(never)


async def test_a_large_organization_is_told_in_full(
    one: grpc.aio.Channel, attach: Attach, ann: User, organization_id: str
) -> None:
    names = {f"colleague-{number}" for number in range(1_700)}
    crowd = [
        pb.Session(session_id=name, organization_id=organization_id, user_id=name, role=ROLE_EMPLOYEE) for name in names
    ]
    first = await attach(one)
    await first.report(*crowd)
    await first.until(lambda: {event.presence.user_id for event in first.events} == names)
    late = await attach(one)
    await late.report(ann.session("anns"))
    await late.until(lambda: names <= {event.presence.user_id for event in late.events})


async def test_a_gateway_that_comes_back_elsewhere_keeps_what_it_reports_again(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User
) -> None:
    staying, closed_meanwhile, late = await new_user(), await new_user(), await new_user()
    watching = await attach(one)
    await watching.report(ann.session("anns"))
    before = await attach(one, "coming-back")
    await before.report(staying.session("stays"), closed_meanwhile.session("closes"))
    await watching.until(lambda: watching.latest(staying) == watching.latest(closed_meanwhile) == ONLINE)
    await before.break_off()
    after = await attach(other, "coming-back")
    await after.report(staying.session("stays"), more=True)
    assert (await ann.sees(one, closed_meanwhile.user_id))[0].status == ONLINE
    await after.report(late.session("lates"))
    await watching.until_told(closed_meanwhile, OFFLINE)
    await watching.until_told(late, ONLINE)
    assert watching.statuses(staying) == [ONLINE]
    await after.report(closed=["stays"])
    await watching.until_told(staying, OFFLINE)


async def test_a_gateway_that_comes_back_learns_who_left_meanwhile(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    bobs = await attach(one)
    await bobs.report(bob.session("bobs"))
    before = await attach(one, "coming-back")
    await before.report(ann.session("anns"))
    await before.until_told(bob, ONLINE)
    await before.break_off()
    await bobs.report(closed=["bobs"])
    await ann.sees_until(one, bob.user_id, lambda seen: seen.status == OFFLINE)
    after = await attach(other, "coming-back")
    await after.report(ann.session("anns"))
    await after.until_told(bob, OFFLINE)


async def test_the_stream_that_a_gateway_left_has_no_say_any_more(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    old = await attach(one, "twice")
    await old.report(bob.session("bobs"))
    new = await attach(other, "twice")
    await new.report(bob.session("bobs"), ann.session("anns"))
    with pytest.raises(UnavailableError, match="SESSIONS_UNKNOWN"):
        await old.report(closed=["bobs"])
    await new.until_told(bob, ONLINE)
    assert (await ann.sees(one, bob.user_id))[0].status == ONLINE


async def test_a_replica_that_stops_sends_its_gateways_elsewhere_and_nobody_flickers(
    *, settings: Settings, other: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User, bob: User
) -> None:
    watching = await attach(other)
    await watching.report(ann.session("anns"))
    async with replica(settings.model_copy(update={"lease_seconds": 20.0})) as stopping:
        moving = await attach(stopping, "moving")
        await moving.report(bob.session("bobs"))
        await watching.until_told(bob, ONLINE)
    error = await moving.until_ended()
    assert isinstance(error, UnavailableError) and error.reason == "SHUTTING_DOWN"
    moved = await attach(other, "moving")
    await moved.report(bob.session("bobs"))
    leaving = await new_user()
    await watching.report(leaving.session("only"))
    await watching.until_told(leaving, ONLINE)
    await watching.report(closed=["only"])
    await watching.until_told(leaving, OFFLINE)
    assert watching.statuses(bob) == [ONLINE]


async def test_a_silent_stream_ends(one: grpc.aio.Channel, attach: Attach, bob: User) -> None:
    gateway = await attach(one)
    await gateway.report(bob.session("bobs"))
    gateway.beating = False
    error = await gateway.until_ended()
    assert isinstance(error, UnavailableError) and error.reason == "HEARTBEATS_MISSED"


async def test_heartbeats_keep_sessions_beyond_the_lease(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    beating, silent = await attach(one), await attach(one)
    await beating.report(ann.session("anns"))
    await silent.report(bob.session("bobs"))
    await beating.until_told(bob, ONLINE)
    silent.beating = False
    await beating.until_told(bob, OFFLINE)  # so a whole lease has passed
    assert beating.statuses(ann) == [ONLINE]


def _session(**fields: object) -> pb.Session:
    good = {"session_id": "s", "organization_id": "o", "user_id": "u", "role": ROLE_EMPLOYEE}
    return pb.Session(**(good | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.AttachRequest(upsert=[_session(session_id="")]), "upsert.sessionId"),
        (pb.AttachRequest(upsert=[_session(session_id="x" * 129)]), "upsert.sessionId"),
        (pb.AttachRequest(upsert=[_session(organization_id="")]), "upsert.organizationId"),
        (pb.AttachRequest(upsert=[_session(organization_id="o/u")]), "upsert.organizationId"),
        (pb.AttachRequest(upsert=[_session(user_id="u/s")]), "upsert.userId"),
        (pb.AttachRequest(upsert=[_session(role=0)]), "upsert.role"),
        (pb.AttachRequest(upsert=[_session(), _session(user_id="another")]), "upsert"),
        (pb.AttachRequest(upsert=[_session(session_id=f"s{n}") for n in range(5_000)], closed=["s"]), "upsert"),
        (pb.AttachRequest(closed=[f"s{n}" for n in range(5_001)]), "upsert"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_bad_report_ends_the_stream_with_the_field_named(
    *, one: grpc.aio.Channel, attach: Attach, ann: User, bob: User, request_: pb.AttachRequest, field: str
) -> None:
    watching, gateway = await attach(one), await attach(one)
    await watching.report(ann.session("anns"))
    await gateway.report(bob.session("bobs"))
    await gateway.send(request_)
    error = await gateway.until_ended()
    assert isinstance(error, InvalidArgumentError) and set(error.fields) == {field}
    await watching.until_told(bob, ONLINE)  # what was reported before holds for as long as the lease does


@pytest.mark.parametrize("gateway_id", ["x" * 129, "with space", "naïve", "with\x00null"])
async def test_a_bad_gateway_id_is_refused(one: grpc.aio.Channel, attach: Attach, gateway_id: str) -> None:
    gateway = await attach(one, gateway_id)
    await gateway.send(pb.AttachRequest())
    error = await gateway.until_ended()
    assert isinstance(error, InvalidArgumentError) and set(error.fields) == {"gatewayId"}


async def test_a_first_request_without_a_gateway_id_is_refused(
    one: grpc.aio.Channel, gateway_metadata: tuple[tuple[str, str], ...]
) -> None:
    async with Gateway(one, gateway_metadata, "") as gateway:
        await gateway.send(pb.AttachRequest())
        error = await gateway.until_ended()
    assert isinstance(error, InvalidArgumentError) and set(error.fields) == {"gatewayId"}


async def test_odd_session_ids_are_taken_as_they_are(
    one: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(one)
    odd = ["a/b/c", "ü🌴", " ", "x" * 128, "{tag}:*"]
    await gateway.report(ann.session("anns"), *(bob.session(name) for name in odd))
    await gateway.until_told(bob, ONLINE)
    await gateway.report(closed=odd[1:])
    assert (await ann.sees(one, bob.user_id))[0].status == ONLINE
    await gateway.report(closed=odd[:1])
    await gateway.until_told(bob, OFFLINE)


async def test_what_is_reported_at_random_over_replicas_and_gateways_comes_out_true(
    one: grpc.aio.Channel, other: grpc.aio.Channel, attach: Attach, new_user: NewUser, ann: User
) -> None:
    """Sessions come, go and idle on three gateways that now and then attach elsewhere; all agree in the end."""
    dice = secrets.SystemRandom()
    users = [await new_user() for _ in range(4)]
    watching = await attach(other)
    await watching.report(ann.session("anns"))
    held: list[dict[str, tuple[User, bool]]] = [{}, {}, {}]
    gateways = [await attach(one, f"random-{number}") for number in range(3)]

    async def act(number: int) -> None:
        for step in range(40):
            mine, roll = held[number], dice.random()
            if roll < 0.1:
                await gateways[number].break_off()
                gateways[number] = await attach(dice.choice([one, other]), f"random-{number}")
                await gateways[number].report(*(user.session(name, idle=idle) for name, (user, idle) in mine.items()))
            elif roll < 0.5 and mine:
                closing = dice.choice(sorted(mine))
                del mine[closing]
                await gateways[number].report(closed=[closing])
            else:
                name = dice.choice([*sorted(mine), f"session-{step}"])
                user, idle = mine[name][0] if name in mine else dice.choice(users), dice.random() < 0.5
                mine[name] = (user, idle)
                await gateways[number].report(user.session(name, idle=idle))

    await asyncio.gather(*(act(number) for number in range(3)))
    for user in users:
        sessions = [idle for mine in held for owner, idle in mine.values() if owner == user]
        truth = OFFLINE if not sessions else AWAY if all(sessions) else ONLINE
        await ann.sees_until(one, user.user_id, lambda seen, truth=truth: seen.status == truth)  # type: ignore[misc]
        [told] = await ann.sees(other, user.user_id)
        await watching.until(lambda user=user, told=told: watching.told(user)[-1:] == [told])  # type: ignore[misc]
