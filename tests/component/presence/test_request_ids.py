"""A repeated SetStatus with the same request id sets nothing a second time."""

from __future__ import annotations

import asyncio

import grpc
from parley.presence.v1 import presence_pb2 as pb

from services.presence.domain import Status, UserKey
from services.presence.settings import Settings
from services.presence.store import PresenceStore, open_client
from tests.component.presence.conftest import Attach
from tests.component.presence.harness import User

AWAY, DND, INVISIBLE = pb.PRESENCE_STATUS_AWAY, pb.PRESENCE_STATUS_DND, pb.PRESENCE_STATUS_INVISIBLE


async def test_a_repeat_does_not_undo_a_later_status(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, ann: User, bob: User
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    first = await bob.set_status(replica_a, DND, "busy", request_id="r1")
    assert (first.status, first.text) == (DND, "busy")
    assert await bob.set_status(replica_b, DND, "busy", request_id="r1") == first
    await gateway.until_status(bob, DND)
    later = await bob.set_status(replica_a, AWAY, "later", request_id="r2")
    for replica in (replica_a, replica_b):
        assert await bob.set_status(replica, DND, "busy", request_id="r1") == later
    await gateway.until_status(bob, AWAY)
    assert gateway.statuses(bob)[-2:] == [DND, AWAY]


async def test_concurrent_repeats_at_two_replicas_set_the_status_once(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, bob: User, settings: Settings
) -> None:
    await (await attach(replica_a)).report(bob.session("bobs"))
    replicas = [replica_a, replica_b] * 5
    answers = await asyncio.gather(*(bob.set_status(replica, DND, request_id="r1") for replica in replicas))
    assert {answer.status for answer in answers} == {DND}
    async with open_client(settings.mongodb_uri) as client:
        key = UserKey(bob.organization_id, bob.user_id)
        record = (await PresenceStore(client, settings.mongodb_database).load([key]))[key]
    assert record.setting.version == 1


async def test_a_repeat_completes_a_status_that_a_crash_left_stored_only(
    replica_a: grpc.aio.Channel, attach: Attach, ann: User, bob: User, settings: Settings
) -> None:
    gateway = await attach(replica_a)
    await gateway.report(ann.session("anns"), bob.session("bobs"))
    await bob.set_status(replica_a, AWAY)
    await gateway.until_status(bob, AWAY)
    async with open_client(settings.mongodb_uri) as client:
        store = PresenceStore(client, settings.mongodb_database)
        await store.set_status(UserKey(bob.organization_id, bob.user_id), bob.role, Status.DND, "busy", "r1")
    repeated = await bob.set_status(replica_a, DND, "busy", request_id="r1")
    assert (repeated.status, repeated.text) == (DND, "busy")
    await gateway.until_status(bob, DND)


async def test_a_status_before_the_first_session_is_set_once(
    replica_a: grpc.aio.Channel, replica_b: grpc.aio.Channel, attach: Attach, bob: User
) -> None:
    await bob.set_status(replica_a, DND, request_id="r1")
    await bob.set_status(replica_a, AWAY, request_id="r2")
    await bob.set_status(replica_b, DND, request_id="r1")
    await (await attach(replica_a)).report(bob.session("bobs"))
    assert [presence.status for presence in await bob.sees(replica_b, bob.user_id)] == [AWAY]


async def test_without_a_request_id_every_call_sets_the_status(
    replica_a: grpc.aio.Channel, attach: Attach, bob: User
) -> None:
    await (await attach(replica_a)).report(bob.session("bobs"))
    for status in (DND, INVISIBLE, DND):
        assert (await bob.set_status(replica_a, status)).status == status
