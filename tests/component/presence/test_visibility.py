"""Which users may see whose presence."""

from __future__ import annotations

import time

import grpc
import pytest
from parley.auth.v1.user_pb2 import ROLE_CLIENT, ROLE_EMPLOYEE
from parley.presence.v1 import presence_pb2 as pb
from parley.presence.v1 import presence_pb2_grpc

from chassis.errors import InvalidArgumentError, PermissionDeniedError, UnauthenticatedError, UnavailableError
from chassis.rpc.channel import Metadata, bearer
from chassis.rpc.status import from_rpc_error
from services.presence.settings import Settings
from tests.component.auth_service import RunningAuth, auth_settings, running_auth
from tests.component.presence.conftest import Attach, CreateUser
from tests.component.presence.harness import TIMEOUT, User, Watch, replica

ONLINE, AWAY, OFFLINE, DND = (
    pb.PRESENCE_STATUS_ONLINE,
    pb.PRESENCE_STATUS_AWAY,
    pb.PRESENCE_STATUS_OFFLINE,
    pb.PRESENCE_STATUS_DND,
)


async def test_a_client_sees_staff_and_itself_but_no_other_client(
    replica_a: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User
) -> None:
    client, other_client, left_client = (
        await create_user("client"),
        await create_user("client"),
        await create_user("client"),
    )
    gateway = await attach(replica_a)
    users = [ann, client, other_client, left_client]
    await gateway.report(*(user.session(user.user_id) for user in users))
    await other_client.set_status(replica_a, DND, "a text of mine")
    await gateway.report(closed=[left_client.user_id])
    await gateway.until_status(left_client, OFFLINE)
    seen = await client.sees(replica_a, *(user.user_id for user in users))
    assert seen == [
        pb.Presence(user_id=ann.user_id, status=ONLINE),
        pb.Presence(user_id=client.user_id, status=ONLINE),
        pb.Presence(user_id=other_client.user_id, status=OFFLINE),
        pb.Presence(user_id=left_client.user_id, status=OFFLINE),
    ]
    by_staff = await ann.sees(replica_a, other_client.user_id, left_client.user_id)
    assert (by_staff[0].status, by_staff[0].text) == (DND, "a text of mine")
    assert by_staff[1].HasField("last_seen_time")


async def test_events_name_the_role_by_which_a_gateway_filters(
    replica_a: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User
) -> None:
    client = await create_user("client")
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), client.session("clients"))
    await gateway.until(lambda: gateway.latest(ann) == gateway.latest(client) == ONLINE)
    roles = {event.presence.user_id: event.role for event in gateway.events}
    assert roles == {ann.user_id: ROLE_EMPLOYEE, client.user_id: ROLE_CLIENT}


async def test_a_client_that_only_set_a_status_is_hidden_from_other_clients(
    replica_a: grpc.aio.Channel, create_user: CreateUser
) -> None:
    client, other_client = await create_user("client"), await create_user("client")
    await client.set_status(replica_a, DND, "a text of mine")
    assert await other_client.sees(replica_a, client.user_id) == [pb.Presence(user_id=client.user_id, status=OFFLINE)]


async def test_organizations_see_nothing_of_each_other(
    *,
    replica_a: grpc.aio.Channel,
    auth: RunningAuth,
    attach: Attach,
    create_user: CreateUser,
    ann: User,
    organization_id: str,
) -> None:
    elsewhere = f"{organization_id}-elsewhere"
    await auth.create_organization(elsewhere)
    stranger = await create_user("admin", elsewhere)
    here, there = await attach(replica_a), await attach(replica_a)
    await here.report(ann.session("anns"))
    await there.report(stranger.session("strangers"))
    await here.until_status(ann, ONLINE)
    await there.until_status(stranger, ONLINE)
    assert {event.organization_id for event in here.events} == {organization_id}
    assert {event.organization_id for event in there.events} == {elsewhere}
    assert await stranger.sees(replica_a, ann.user_id) == [pb.Presence(user_id=ann.user_id, status=OFFLINE)]


async def test_a_gateway_receives_an_organizations_events_only_while_it_has_sessions_of_it(
    *,
    replica_a: grpc.aio.Channel,
    auth: RunningAuth,
    attach: Attach,
    create_user: CreateUser,
    ann: User,
    organization_id: str,
) -> None:
    elsewhere = f"{organization_id}-elsewhere"
    await auth.create_organization(elsewhere)
    staying, stranger = await create_user("admin", elsewhere), await create_user("admin", elsewhere)
    both, there = await attach(replica_a), await attach(replica_a)
    await both.report(ann.session("anns"), staying.session("stayings"))
    await both.until_status(staying, ONLINE)
    await both.report(closed=["stayings"])
    await there.report(stranger.session("strangers"))
    await there.until_status(staying, OFFLINE)
    await both.report(ann.session("anns", idle=True))
    await both.until_status(ann, AWAY)
    assert both.statuses(staying) == [ONLINE] and not both.presences_of(stranger)


async def test_presences_come_in_the_order_of_the_request_with_repetitions(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    await (await attach(replica_a)).report(bob.session("bobs"))
    asked = [bob.user_id, "unknown", ann.user_id, bob.user_id, "other:unknown@x"]
    seen = await ann.sees(replica_a, *asked)
    assert [(each.user_id, each.status) for each in seen] == list(
        zip(asked, [ONLINE, OFFLINE, OFFLINE, ONLINE, OFFLINE], strict=True)
    )
    assert await ann.sees(replica_a) == []
    assert len(await ann.sees(replica_a, *(f"user-{number}" for number in range(200)))) == 200


@pytest.mark.parametrize(
    "user_ids", [[f"user-{number}" for number in range(201)], ["fine", ""], ["a b"], ["x" * 65], ["org/user"]]
)
async def test_too_many_users_and_invalid_ids_are_refused(
    replica_a: grpc.aio.Channel, ann: User, user_ids: list[str]
) -> None:
    stub = presence_pb2_grpc.PresenceServiceStub(replica_a)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.BatchGetPresence(
            pb.BatchGetPresenceRequest(user_ids=user_ids), metadata=ann.metadata, timeout=TIMEOUT
        )
    error = from_rpc_error(caught.value)
    assert isinstance(error, InvalidArgumentError) and set(error.fields) == {"userIds"}
    async with Watch(replica_a, ann, user_ids) as watch:
        await watch.until(lambda: watch.error is not None)
        assert isinstance(watch.error, InvalidArgumentError)


async def test_a_watch_sends_everyone_and_then_changes(
    *,
    replica_a: grpc.aio.Channel,
    replica_b: grpc.aio.Channel,
    attach: Attach,
    create_user: CreateUser,
    ann: User,
    bob: User,
) -> None:
    unwatched = await create_user()
    gateway = await attach(replica_b)
    await gateway.report(bob.session("bobs"))
    async with Watch(replica_a, ann, [bob.user_id, "unknown", ann.user_id]) as watch:
        await watch.until(lambda: bool(watch.responses))
        assert [(each.user_id, each.status) for each in watch.responses[0]] == [
            (bob.user_id, ONLINE),
            ("unknown", OFFLINE),
            (ann.user_id, OFFLINE),
        ]
        await gateway.report(unwatched.session("unwatched"), bob.session("bobs", idle=True))
        await watch.until(lambda: watch.statuses(bob.user_id)[-1] == AWAY)
        await gateway.report(ann.session("anns"))
        await watch.until(lambda: watch.statuses(ann.user_id)[-1] == ONLINE)
        await ann.set_status(replica_a, pb.PRESENCE_STATUS_INVISIBLE)
        await watch.until(lambda: watch.statuses(ann.user_id)[-1] == pb.PRESENCE_STATUS_INVISIBLE)
        assert not watch.statuses(unwatched.user_id)


async def test_a_clients_watch_sends_nothing_of_another_client(
    replica_a: grpc.aio.Channel, attach: Attach, create_user: CreateUser, ann: User
) -> None:
    client, other_client = await create_user("client"), await create_user("client")
    gateway = await attach(replica_a)
    async with Watch(replica_a, client, [other_client.user_id, ann.user_id]) as watch:
        await watch.until(lambda: bool(watch.responses))
        await gateway.report(other_client.session("clients"))
        await gateway.until_status(other_client, ONLINE)
        await gateway.report(ann.session("anns"))
        await watch.until(lambda: watch.statuses(ann.user_id)[-1] == ONLINE)
        assert watch.statuses(other_client.user_id) == [OFFLINE]


async def test_a_watch_ends_when_the_replica_stops(settings: Settings, ann: User) -> None:
    async with replica(settings) as channel:
        watch = Watch(channel, ann, [ann.user_id])
        await watch.until(lambda: bool(watch.responses))
    async with watch:
        await watch.until(lambda: watch.error is not None)
    assert isinstance(watch.error, UnavailableError) and watch.error.reason == "SHUTTING_DOWN"


async def test_a_watch_ends_with_the_token_that_it_was_opened_with(
    mongodb_uri: str, redis_url: str, settings: Settings, organization_id: str
) -> None:
    behind = auth_settings(mongodb_uri, redis_url)

    def slow_clock() -> float:
        return time.time() - behind.access_token_seconds + 8

    async with running_auth(mongodb_uri, redis_url, unix_time=slow_clock) as auth:
        await auth.create_organization(organization_id)
        async with replica(settings.model_copy(update={"auth_target": auth.target})) as channel:
            viewer = User(await auth.sign_in_new(organization_id, "employee"), organization_id, "employee")
            async with Watch(channel, viewer, [viewer.user_id]) as watch:
                await watch.until(lambda: watch.error is not None)
    assert isinstance(watch.error, UnauthenticatedError) and watch.error.reason == "TOKEN_EXPIRED"
    assert watch.statuses(viewer.user_id) == [OFFLINE]


async def test_every_method_requires_a_token_of_the_right_kind(
    replica_a: grpc.aio.Channel, ann: User, gateway_metadata: Metadata
) -> None:
    stub = presence_pb2_grpc.PresenceServiceStub(replica_a)
    unary = [
        (stub.BatchGetPresence, pb.BatchGetPresenceRequest()),
        (stub.SetStatus, pb.SetStatusRequest(status=pb.CHOSEN_STATUS_ONLINE)),
    ]
    for method, request in unary:
        for metadata, expected in (
            ((), UnauthenticatedError),
            (bearer("not.a.token"), UnauthenticatedError),
            (gateway_metadata, PermissionDeniedError),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await method(request, metadata=metadata, timeout=TIMEOUT)  # type: ignore[operator]
            assert isinstance(from_rpc_error(caught.value), expected)
    for metadata, expected in (((), UnauthenticatedError), (ann.metadata, PermissionDeniedError)):
        attaching = stub.Attach(metadata=metadata, timeout=TIMEOUT)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await attaching.read()
            raise AssertionError(await attaching.code())
        assert isinstance(from_rpc_error(caught.value), expected)
