"""Those who hold users' connections hear what becomes of their notifications."""

from __future__ import annotations

from contextlib import AsyncExitStack

import grpc
import pytest
from parley.notify.v1 import notification_pb2, notification_pb2_grpc

from chassis.rpc.channel import open_channel
from chassis.rpc.server import serving
from chassis.rpc.status import from_rpc_error
from services.notify.wiring import wire
from tests.component.notify.orders import created, order
from tests.component.notify.person import Person
from tests.component.notify.running import Stage, another_replica, running_notify
from tests.component.notify.subscription import subscribed


def _kinds(events: list[notification_pb2.Event]) -> list[str | None]:
    return [event.WhichOneof("payload") for event in events]


async def test_a_first_message_is_announced_as_new_and_further_ones_as_updates(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    async with subscribed(stage.auth, stage.stub, stage.organization_id, "ben", "ann") as stream:
        await conversation.say("ann", "one")
        await stream.count(1)
        await conversation.say("ann", "two")
        first, second = await stream.count(2)
    assert (first.organization_id, first.user_id) == (stage.organization_id, "ben")
    assert (first.notification_created.notification.count, first.notification_created.unread_count) == (1, 1)
    assert second.notification_updated.notification == await ben.only()
    assert (second.notification_updated.notification.count, second.notification_updated.unread_count) == (2, 1)


async def test_reading_deleting_and_reading_all_are_announced(stage: Stage, ann: Person) -> None:
    one, two, _ = await created(stage, order("ann"), order("ann"), order("ann"))
    async with subscribed(stage.auth, stage.stub, stage.organization_id, "ann") as stream:
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


async def test_reading_the_conversation_and_leaving_it_are_announced(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    async with subscribed(stage.auth, stage.stub, stage.organization_id, "ben") as stream:
        await conversation.say("ann", "one")
        await stream.count(1)
        await conversation.tell(conversation.read("ben", 1))
        await stream.count(2)
        await conversation.say("ann", "two")
        await stream.count(3)
        await conversation.tell(conversation.removed("ben"))
        _, read, again, left = await stream.count(4)
    assert read.notification_updated.notification.read
    assert _kinds([read, again, left]) == ["notification_updated", "notification_created", "notification_updated"]
    assert not left.notification_updated.HasField("notification")
    assert left.notification_updated.unread_count == 0


async def test_what_is_created_is_announced_once_and_a_repeat_harmlessly_as_an_update(
    stage: Stage, ann: Person
) -> None:
    item = order("ann", idempotency_key="k")
    async with subscribed(stage.auth, stage.stub, stage.organization_id, "ann") as stream:
        made, _ = await created(stage, item, item)
        await created(stage, item)
        events = await stream.count(2)
    assert _kinds(events) == ["notification_created", "notification_updated"]
    assert events[0].notification_created.notification == events[1].notification_updated.notification == made


async def test_a_subscriber_hears_only_of_the_users_it_holds(stage: Stage, ann: Person, ben: Person) -> None:
    """Another user, and the user of the same id in another organization."""
    elsewhere = f"{stage.organization_id}-2"
    await stage.auth.create_organization(elsewhere)
    await stage.person("ann", organization_id=elsewhere)
    async with (
        subscribed(stage.auth, stage.stub, stage.organization_id, "ben") as stream,
        subscribed(stage.auth, stage.stub, elsewhere, "ann", "ben") as other,
    ):
        await created(stage, order("ann"), order("ben"))
        await created(stage, order("ann"), metadata=await stage.auth.service_metadata(elsewhere))
        assert [event.user_id for event in await stream.count(1)] == ["ben"]
        assert [(event.organization_id, event.user_id) for event in await other.count(1)] == [(elsewhere, "ann")]


async def test_a_subscriber_that_comes_back_to_any_replica_gets_what_it_missed(stage: Stage, ann: Person) -> None:
    async with subscribed(stage.auth, stage.stub, stage.organization_id, "ann") as stream:
        await created(stage, order("ann", title="before"))
        await stream.count(1)
        await stream.until(lambda _: bool(stream.positions))
        positions = stream.positions
    await created(stage, order("ann", title="missed"))
    async with running_notify(another_replica(stage.settings)) as replica:
        await created(stage, order("ann", title="missed as well"))
        async with subscribed(stage.auth, replica, stage.organization_id, "ann", resume_after=positions) as resumed:
            await created(stage, order("ann", title="after"))
            events = await resumed.count(3)
            assert not resumed.lost
    titles = [event.notification_created.notification.title for event in events]
    assert titles == ["missed", "missed as well", "after"]


async def test_a_position_that_the_log_no_longer_reaches_back_to_is_said_to_be_lost(stage: Stage, ann: Person) -> None:
    async with subscribed(
        stage.auth, stage.stub, stage.organization_id, "ann", resume_after=dict.fromkeys(range(4), "1-1")
    ) as stream:
        await created(stage, order("ann"))
        await stream.count(1)
        assert stream.lost


async def test_a_stopping_replica_tells_its_subscribers_to_come_back(stage: Stage, ann: Person) -> None:
    settings = another_replica(stage.settings)
    async with AsyncExitStack() as clients:
        async with wire(settings) as service, serving(service, settings) as port:
            channel = await clients.enter_async_context(open_channel(f"127.0.0.1:{port}"))
            replica = notification_pb2_grpc.NotificationServiceStub(channel)
            stream = await clients.enter_async_context(subscribed(stage.auth, replica, stage.organization_id, "ann"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.count(1)
    assert from_rpc_error(caught.value).reason == "SHUTTING_DOWN"


async def test_only_services_may_subscribe(stage: Stage, ann: Person) -> None:
    call = stage.stub.Subscribe(metadata=ann.metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()  # nothing is written: the refusal may be there before
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
