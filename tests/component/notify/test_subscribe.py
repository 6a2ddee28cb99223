"""Subscribers receive the events of their users' notifications."""

from __future__ import annotations

from contextlib import AsyncExitStack

import grpc
import pytest
from parley.notify.v1 import notification_pb2, notification_pb2_grpc

from chassis.rpc.channel import open_channel
from chassis.rpc.server import serving
from chassis.rpc.status import from_rpc_error
from services.notify.wiring import wire
from tests.component.notify.creation import create, make_item
from tests.component.notify.harness import Harness, another_replica, running_notify
from tests.component.notify.subscription import subscribed
from tests.component.notify.user import User


def _kinds(events: list[notification_pb2.Event]) -> list[str | None]:
    return [event.WhichOneof("payload") for event in events]


async def test_a_first_message_is_published_as_created_and_further_ones_as_updates(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    async with subscribed(harness.auth, harness.stub, harness.organization_id, "ben", "ann") as stream:
        await conversation.send("ann", "one")
        await stream.count(1)
        await conversation.send("ann", "two")
        first, second = await stream.count(2)
    assert (first.organization_id, first.user_id) == (harness.organization_id, "ben")
    assert (first.notification_created.notification.count, first.notification_created.unread_count) == (1, 1)
    assert second.notification_updated.notification == await ben.only()
    assert (second.notification_updated.notification.count, second.notification_updated.unread_count) == (2, 1)


async def test_reading_deleting_and_reading_all_are_published(harness: Harness, ann: User) -> None:
    one, two, _ = await create(harness, make_item("ann"), make_item("ann"), make_item("ann"))
    async with subscribed(harness.auth, harness.stub, harness.organization_id, "ann") as stream:
        await ann.read(one.notification_id)
        await ann.delete(two.notification_id)
        await ann.read_all()
        read, deleted, all_read = await stream.count(3)
    assert _kinds([read, deleted, all_read]) == ["notification_updated"] * 3
    assert read.notification_updated.notification.notification_id == one.notification_id
    assert read.notification_updated.notification.read
    assert not deleted.notification_updated.HasField("notification")
    assert not all_read.notification_updated.HasField("notification")
    assert [e.notification_updated.unread_count for e in (read, deleted, all_read)] == [2, 1, 0]


async def test_reading_the_conversation_and_leaving_it_are_published(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    async with subscribed(harness.auth, harness.stub, harness.organization_id, "ben") as stream:
        await conversation.send("ann", "one")
        await stream.count(1)
        await conversation.publish(conversation.read("ben", 1))
        await stream.count(2)
        await conversation.send("ann", "two")
        await stream.count(3)
        await conversation.publish(conversation.removed("ben"))
        _, read, again, left = await stream.count(4)
    assert read.notification_updated.notification.read
    assert _kinds([read, again, left]) == ["notification_updated", "notification_created", "notification_updated"]
    assert not left.notification_updated.HasField("notification")
    assert left.notification_updated.unread_count == 0


async def test_a_creation_is_published_once_and_its_repeat_as_an_update(harness: Harness, ann: User) -> None:
    item = make_item("ann", idempotency_key="k")
    async with subscribed(harness.auth, harness.stub, harness.organization_id, "ann") as stream:
        notification, _ = await create(harness, item, item)
        await create(harness, item)
        events = await stream.count(2)
    assert _kinds(events) == ["notification_created", "notification_updated"]
    assert events[0].notification_created.notification == events[1].notification_updated.notification == notification


async def test_a_subscriber_receives_events_of_its_attached_users_only(harness: Harness, ann: User, ben: User) -> None:
    """Neither those of other users nor of the user of the same id in another organization."""
    elsewhere = f"{harness.organization_id}-2"
    await harness.auth.create_organization(elsewhere)
    await harness.create_user("ann", organization_id=elsewhere)
    async with (
        subscribed(harness.auth, harness.stub, harness.organization_id, "ben") as stream,
        subscribed(harness.auth, harness.stub, elsewhere, "ann", "ben") as other,
    ):
        await create(harness, make_item("ann"), make_item("ben"))
        await create(harness, make_item("ann"), metadata=await harness.auth.service_metadata(elsewhere))
        assert [event.user_id for event in await stream.count(1)] == ["ben"]
        assert [(event.organization_id, event.user_id) for event in await other.count(1)] == [(elsewhere, "ann")]


async def test_a_subscriber_that_resumes_at_any_replica_gets_what_it_missed(harness: Harness, ann: User) -> None:
    async with subscribed(harness.auth, harness.stub, harness.organization_id, "ann") as stream:
        await create(harness, make_item("ann", title="before"))
        await stream.count(1)
        await stream.until(lambda _: bool(stream.cursors))
        cursors = stream.cursors
    await create(harness, make_item("ann", title="missed"))
    async with running_notify(another_replica(harness.settings)) as replica:
        await create(harness, make_item("ann", title="missed as well"))
        async with subscribed(harness.auth, replica, harness.organization_id, "ann", resume_cursors=cursors) as resumed:
            await create(harness, make_item("ann", title="after"))
            events = await resumed.count(3)
            assert not resumed.resync_required
    titles = [event.notification_created.notification.title for event in events]
    assert titles == ["missed", "missed as well", "after"]


async def test_resuming_from_a_position_that_the_log_no_longer_holds_requires_a_resync(
    harness: Harness, ann: User
) -> None:
    async with subscribed(
        harness.auth, harness.stub, harness.organization_id, "ann", resume_cursors=dict.fromkeys(range(4), "1-1")
    ) as stream:
        await create(harness, make_item("ann"))
        await stream.count(1)
        assert stream.resync_required


async def test_a_stopping_replica_ends_its_streams_with_shutting_down(harness: Harness, ann: User) -> None:
    settings = another_replica(harness.settings)
    async with AsyncExitStack() as clients:
        async with wire(settings) as service, serving(service, settings) as port:
            channel = await clients.enter_async_context(open_channel(f"127.0.0.1:{port}"))
            replica = notification_pb2_grpc.NotificationServiceStub(channel)
            stream = await clients.enter_async_context(
                subscribed(harness.auth, replica, harness.organization_id, "ann")
            )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.count(1)
    assert from_rpc_error(caught.value).reason == "SHUTTING_DOWN"


async def test_only_services_may_subscribe(harness: Harness, ann: User) -> None:
    call = harness.stub.Subscribe(metadata=ann.metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()  # nothing is written: the refusal may be there before
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
