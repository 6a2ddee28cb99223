"""Gateways' streams: start, resumption and end."""

from __future__ import annotations

import asyncio
import secrets

import grpc
import pytest
from parley.auth.v1.user_pb2 import ROLE_EMPLOYEE
from parley.presence.v1 import presence_pb2 as pb

from chassis.errors import InvalidArgumentError, UnavailableError
from services.presence.settings import Settings
from tests.component.presence.conftest import Attach, CreateUser
from tests.component.presence.harness import Gateway, User, replica

ONLINE, AWAY, OFFLINE = pb.PRESENCE_STATUS_ONLINE, pb.PRESENCE_STATUS_AWAY, pb.PRESENCE_STATUS_OFFLINE


async def test_a_gateway_receives_present_and_recently_present_users(
    *,
    replica_a: grpc.aio.Channel,
    replica_b: grpc.aio.Channel,
    attach: Attach,
    create_user: CreateUser,
    ann: User,
    bob: User,
) -> None:
    gone, never = await create_user(), await create_user()
    first = await attach(replica_a)
    await first.report(bob.session("bobs", idle=True), gone.session("gones"))
    await first.until_status(gone, ONLINE)
    await first.report(closed=["gones"])
    await first.until_status(gone, OFFLINE)
    late = await attach(replica_b)
    await late.report(ann.session("anns"))
    await late.until(lambda: late.latest(bob) == AWAY and late.latest(gone) == OFFLINE and late.latest(ann) == ONLINE)
    assert late.presences_of(gone)[-1] == first.presences_of(gone)[-1]
    assert not late.presences_of(never)


async def test_a_large_organizations_snapshot_is_complete(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, organization_id: str
) -> None:
    names = {f"colleague-{number}" for number in range(1_700)}
    crowd = [
        pb.Session(session_id=name, organization_id=organization_id, user_id=name, role=ROLE_EMPLOYEE) for name in names
    ]
    first = await attach(replica_a)
    await first.report(*crowd)
    await first.until(lambda: {event.presence.user_id for event in first.events} == names)
    late = await attach(replica_a)
    await late.report(ann.session("anns"))
    await late.until(lambda: names <= {event.presence.user_id for event in late.events})


async def test_a_gateway_that_reattaches_elsewhere_keeps_what_it_reports_again(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User
) -> None:
    staying, closed_meanwhile, late = await create_user(), await create_user(), await create_user()
    watching = await attach(replica_a)
    await watching.report(ann.session("anns"))
    before = await attach(replica_a, "coming-back")
    await before.report(staying.session("stays"), closed_meanwhile.session("closes"))
    await watching.until(lambda: watching.latest(staying) == watching.latest(closed_meanwhile) == ONLINE)
    await before.disconnect()
    after = await attach(replica_b, "coming-back")
    await after.report(staying.session("stays"), has_more=True)
    assert (await ann.sees(replica_a, closed_meanwhile.user_id))[0].status == ONLINE
    await after.report(late.session("lates"))
    await watching.until_status(closed_meanwhile, OFFLINE)
    await watching.until_status(late, ONLINE)
    assert watching.statuses(staying) == [ONLINE]
    await after.report(closed=["stays"])
    await watching.until_status(staying, OFFLINE)


async def test_a_gateway_that_reattaches_learns_who_left_meanwhile(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    bobs = await attach(replica_a)
    await bobs.report(bob.session("bobs"))
    before = await attach(replica_a, "coming-back")
    await before.report(ann.session("anns"))
    await before.until_status(bob, ONLINE)
    await before.disconnect()
    await bobs.report(closed=["bobs"])
    await ann.sees_until(replica_a, bob.user_id, lambda seen: seen.status == OFFLINE)
    after = await attach(replica_b, "coming-back")
    await after.report(ann.session("anns"))
    await after.until_status(bob, OFFLINE)


async def test_a_gateways_earlier_stream_can_no_longer_report(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    old = await attach(replica_a, "twice")
    await old.report(bob.session("bobs"))
    new = await attach(replica_b, "twice")
    await new.report(bob.session("bobs"), ann.session("anns"))
    with pytest.raises(UnavailableError, match="SESSIONS_UNKNOWN"):
        await old.report(closed=["bobs"])
    await new.until_status(bob, ONLINE)
    assert (await ann.sees(replica_a, bob.user_id))[0].status == ONLINE


async def test_a_replica_that_stops_sends_its_gateways_elsewhere_and_no_presence_flickers(
    *, settings: Settings, replica_b: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User, bob: User
) -> None:
    watching = await attach(replica_b)
    await watching.report(ann.session("anns"))
    async with replica(settings.model_copy(update={"lease_seconds": 20.0})) as stopping:
        moving = await attach(stopping, "moving")
        await moving.report(bob.session("bobs"))
        await watching.until_status(bob, ONLINE)
    error = await moving.until_ended()
    assert isinstance(error, UnavailableError) and error.reason == "SHUTTING_DOWN"
    moved = await attach(replica_b, "moving")
    await moved.report(bob.session("bobs"))
    leaving = await create_user()
    await watching.report(leaving.session("only"))
    await watching.until_status(leaving, ONLINE)
    await watching.report(closed=["only"])
    await watching.until_status(leaving, OFFLINE)
    assert watching.statuses(bob) == [ONLINE]


async def test_a_silent_stream_ends(replica_a: grpc.aio.Channel, attach: Attach, bob: User) -> None:
    gateway = await attach(replica_a)
    await gateway.report(bob.session("bobs"))
    gateway.sends_heartbeats = False
    error = await gateway.until_ended()
    assert isinstance(error, UnavailableError) and error.reason == "HEARTBEATS_MISSED"


async def test_heartbeats_keep_sessions_beyond_the_lease(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    sends_heartbeats, silent = await attach(replica_a), await attach(replica_a)
    await sends_heartbeats.report(ann.session("anns"))
    await silent.report(bob.session("bobs"))
    await sends_heartbeats.until_status(bob, ONLINE)
    silent.sends_heartbeats = False
    await sends_heartbeats.until_status(bob, OFFLINE)  # so a whole lease has passed
    assert sends_heartbeats.statuses(ann) == [ONLINE]


def _session(**fields: object) -> pb.Session:
    good = {"session_id": "s", "organization_id": "o", "user_id": "u", "role": ROLE_EMPLOYEE}
    return pb.Session(**(good | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.AttachRequest(upsert=[_session(session_id="")]), "upsert[0].sessionId"),
        (pb.AttachRequest(upsert=[_session(session_id="x" * 129)]), "upsert[0].sessionId"),
        (pb.AttachRequest(upsert=[_session(organization_id="")]), "upsert[0].organizationId"),
        (pb.AttachRequest(upsert=[_session(organization_id="o/u")]), "upsert[0].organizationId"),
        (pb.AttachRequest(upsert=[_session(user_id="u/s")]), "upsert[0].userId"),
        (pb.AttachRequest(upsert=[_session(role=0)]), "upsert[0].role"),
        (pb.AttachRequest(upsert=[_session(), _session(user_id="another")]), "upsert"),
        (pb.AttachRequest(upsert=[_session(session_id=f"s{n}") for n in range(5_000)], closed=["s"]), "upsert"),
        (pb.AttachRequest(closed=[f"s{n}" for n in range(5_001)]), "upsert"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_bad_report_ends_the_stream_with_the_field_named(
    *, replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User, request_: pb.AttachRequest, field: str
) -> None:
    watching, gateway = await attach(replica_a), await attach(replica_a)
    await watching.report(ann.session("anns"))
    await gateway.report(bob.session("bobs"))
    await gateway.send(request_)
    error = await gateway.until_ended()
    assert isinstance(error, InvalidArgumentError) and set(error.fields) == {field}
    await watching.until_status(bob, ONLINE)  # earlier reports stay valid until the lease expires


@pytest.mark.parametrize("gateway_id", ["x" * 129, "with space", "naïve", "with\x00null"])
async def test_a_bad_gateway_id_is_refused(replica_a: grpc.aio.Channel, attach: Attach, gateway_id: str) -> None:
    gateway = await attach(replica_a, gateway_id)
    await gateway.send(pb.AttachRequest())
    error = await gateway.until_ended()
    assert isinstance(error, InvalidArgumentError) and set(error.fields) == {"gatewayId"}


async def test_a_first_request_without_a_gateway_id_is_refused(
    replica_a: grpc.aio.Channel, gateway_metadata: tuple[tuple[str, str], ...]
) -> None:
    async with Gateway(replica_a, gateway_metadata, "") as gateway:
        await gateway.send(pb.AttachRequest())
        error = await gateway.until_ended()
    assert isinstance(error, InvalidArgumentError) and set(error.fields) == {"gatewayId"}


async def test_unusual_session_ids_are_accepted(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(replica_a)
    odd = ["a/b/c", "ü🌴", " ", "x" * 128, "{tag}:*"]
    await gateway.report(ann.session("anns"), *(bob.session(name) for name in odd))
    await gateway.until_status(bob, ONLINE)
    await gateway.report(closed=odd[1:])
    assert (await ann.sees(replica_a, bob.user_id))[0].status == ONLINE
    await gateway.report(closed=odd[:1])
    await gateway.until_status(bob, OFFLINE)


async def test_random_reports_over_replicas_and_gateways_converge_to_the_truth(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User
) -> None:
    """Sessions open, close and idle on three gateways that sometimes attach elsewhere; all agree in the end."""
    dice = secrets.SystemRandom()
    users = [await create_user() for _ in range(4)]
    watching = await attach(replica_b)
    await watching.report(ann.session("anns"))
    held: list[dict[str, tuple[User, bool]]] = [{}, {}, {}]
    gateways = [await attach(replica_a, f"random-{number}") for number in range(3)]

    async def act(number: int) -> None:
        for step in range(40):
            mine, roll = held[number], dice.random()
            if roll < 0.1:
                await gateways[number].disconnect()
                gateways[number] = await attach(dice.choice([replica_a, replica_b]), f"random-{number}")
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
        await ann.sees_until(replica_a, user.user_id, lambda seen, truth=truth: seen.status == truth)  # type: ignore[misc]
        [seen] = await ann.sees(replica_b, user.user_id)
        await watching.until(lambda user=user, seen=seen: watching.presences_of(user)[-1:] == [seen])  # type: ignore[misc]
