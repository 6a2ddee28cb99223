"""A repeated request with the same request id changes nothing a second time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest
from parley.notify.v1 import notification_pb2

from chassis.errors import AppError
from chassis.mongo.request_ids import MAX_REQUESTS
from chassis.rpc.status import from_rpc_error
from services.notify.domain import Owner
from services.notify.store import NotificationStore, open_client
from tests.component.notify.creation import create, make_item, outcomes
from tests.component.notify.harness import Harness, another_replica, running_notify
from tests.component.notify.subscription import subscribed
from tests.component.notify.user import User

REMINDER = notification_pb2.NOTIFICATION_TYPE_REMINDER
TASK_ASSIGNED = notification_pb2.NOTIFICATION_TYPE_TASK_ASSIGNED


@pytest.fixture
async def store(harness: Harness) -> AsyncIterator[NotificationStore]:
    """The store of a replica that dies after a write."""
    settings = harness.settings
    async with open_client(settings.mongodb_uri) as client:
        yield NotificationStore(
            client, settings.mongodb_database, retention=timedelta(days=90), replay=timedelta(hours=2)
        )


@pytest.fixture
async def bens(harness: Harness, ben: User) -> AsyncIterator[list[User]]:
    """The same user at two replicas."""
    async with running_notify(another_replica(harness.settings)) as stub:
        yield [ben, replace(ben, stub=stub)]


def _owner(user: User) -> Owner:
    return Owner(user.user.organization_id, user.user_id)


async def _reason(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value).reason


async def test_a_repeated_read_does_not_read_a_newer_message(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await harness.chat.drained()
    notification = await ben.only()
    assert await ben.read(notification.notification_id, "r1") == 0
    await conversation.send("ann", "two")
    await harness.chat.drained()
    assert await ben.read(notification.notification_id, "r1") == 1
    assert (await ben.only()).count == 1
    assert await ben.read(notification.notification_id, "r2") == 0


async def test_a_read_that_had_no_effect_has_none_when_repeated(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await harness.chat.drained()
    notification = await ben.only()
    await ben.read(notification.notification_id)
    await ben.read(notification.notification_id, "r1")
    await conversation.send("ann", "two")
    await harness.chat.drained()
    assert await ben.read(notification.notification_id, "r1") == 1


async def test_a_repeated_read_succeeds_after_the_notification_was_deleted(harness: Harness, ann: User) -> None:
    (notification,) = await create(harness, make_item("ann"))
    await ann.read(notification.notification_id, "r1")
    await ann.delete(notification.notification_id)
    assert await ann.read(notification.notification_id, "r1") == 0
    assert await _reason(ann.read(notification.notification_id, "r2")) == "NOTIFICATION_NOT_FOUND"


async def test_a_repeated_deletion_succeeds_and_another_one_does_not(harness: Harness, ann: User) -> None:
    (notification,) = await create(harness, make_item("ann"))
    assert await ann.delete(notification.notification_id, "r1") == 0
    assert await ann.delete(notification.notification_id, "r1") == 0
    assert await _reason(ann.delete(notification.notification_id, "r2")) == "NOTIFICATION_NOT_FOUND"
    assert await _reason(ann.delete(notification.notification_id)) == "NOTIFICATION_NOT_FOUND"


async def test_a_repeated_deletion_does_not_delete_a_newer_message(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await harness.chat.drained()
    notification = await ben.only()
    await ben.delete(notification.notification_id, "r1")
    await conversation.send("ann", "two")
    await harness.chat.drained()
    assert await ben.delete(notification.notification_id, "r1") == 1
    assert (await ben.only()).body == "two"


async def test_a_failed_request_is_not_remembered(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await harness.chat.drained()
    notification = await ben.only()
    await ben.delete(notification.notification_id)
    assert await _reason(ben.read(notification.notification_id, "r1")) == "NOTIFICATION_NOT_FOUND"
    await conversation.send("ann", "two")
    await harness.chat.drained()
    assert await ben.read(notification.notification_id, "r1") == 0


async def test_a_repeated_read_of_all_reads_nothing_that_came_since(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await harness.chat.drained()
    await create(harness, make_item("ben", title="before"))
    assert await ben.read_all("r1") == 0
    await conversation.send("ann", "two")
    await harness.chat.drained()
    await create(harness, make_item("ben", title="after"))
    assert await ben.read_all("r1") == 2
    assert {(n.title, n.count) for n in await ben.notifications(unread_only=True)} == {
        ("Name of ann in Sales", 1),
        ("after", 1),
    }
    assert await ben.read_all("r2") == 0


async def test_a_read_of_all_that_a_crash_interrupted_is_completed_as_it_was_begun(
    harness: Harness, ben: User, store: NotificationStore
) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await harness.chat.drained()
    await create(harness, make_item("ben", title="before"))
    assert len(await store.start_marking_all(_owner(ben), "r1")) == 2
    await conversation.send("ann", "two")
    await harness.chat.drained()
    await create(harness, make_item("ben", title="after"))
    assert await ben.read_all("r1") == 2
    unread = {n.title: n.count for n in await ben.notifications(unread_only=True)}
    assert unread == {"Name of ann in Sales": 1, "after": 1}


async def test_of_reads_of_all_that_crashes_interrupted_the_latest_alone_is_completed(
    harness: Harness, ben: User, store: NotificationStore
) -> None:
    await create(harness, make_item("ben", title="one"))
    assert len(await store.start_marking_all(_owner(ben), "r1")) == 1
    await create(harness, make_item("ben", title="two"))
    for _ in range(2):
        assert len(await store.start_marking_all(_owner(ben), "r2")) == 2
    (document,) = [d async for d in harness.database.preferences.find({"user_id": ben.user_id})]
    assert [len(request.get("positions", b"")) for request in document["requests"]] == [0, 2 * 24]
    await create(harness, make_item("ben", title="after"))
    assert await ben.read_all("r1") == 3
    assert await ben.read_all("r2") == 1


async def test_a_read_of_nothing_reads_nothing_when_repeated(harness: Harness, ann: User) -> None:
    assert await ann.read_all("r1") == 0
    await create(harness, make_item("ann"))
    assert await ann.read_all("r1") == 1
    assert await ann.muted() == []


async def test_a_read_whose_event_was_lost_with_the_replica_is_published_by_the_repeat(
    harness: Harness, ann: User, store: NotificationStore
) -> None:
    (notification,) = await create(harness, make_item("ann"))
    async with subscribed(harness.auth, harness.stub, harness.organization_id, "ann") as stream:
        await store.mark_read(_owner(ann), notification.notification_id, "r1")
        assert await ann.read(notification.notification_id, "r1") == 0
        (event,) = await stream.count(1)
    assert event.notification_updated.notification.read
    assert event.notification_updated.unread_count == 0


async def test_a_repeated_change_of_preferences_does_not_undo_a_later_one(ann: User) -> None:
    assert await ann.mute(REMINDER, request_id="r1") == [REMINDER]
    assert await ann.mute(TASK_ASSIGNED, request_id="r2") == [TASK_ASSIGNED]
    assert await ann.mute(REMINDER, request_id="r1") == [REMINDER]
    assert await ann.muted() == [TASK_ASSIGNED]
    await ann.mute()
    assert await ann.mute(TASK_ASSIGNED, request_id="r2") == [TASK_ASSIGNED]
    assert await ann.muted() == []


async def test_concurrent_repeats_at_two_replicas_take_effect_once(
    harness: Harness, ben: User, bens: list[User]
) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await harness.chat.drained()
    to_read = await ben.only()
    (to_delete,) = await create(harness, make_item("ben"))
    for _ in range(5):
        calls = [
            call
            for user in bens * 3
            for call in (
                user.read(to_read.notification_id, "read"),
                user.delete(to_delete.notification_id, "delete"),
                user.read_all("all"),
                user.mute(REMINDER, request_id="mute"),
            )
        ]
        await asyncio.gather(*calls)
        await conversation.send("ann", "newer")
        await harness.chat.drained()
        await ben.mute(TASK_ASSIGNED)
    assert (await ben.only()).count == 5
    assert await ben.muted() == [TASK_ASSIGNED]


async def test_a_repeated_creation_returns_the_first_notifications(harness: Harness, ann: User) -> None:
    items = [make_item("ann", title="one"), make_item("ann", title="two", idempotency_key="k"), make_item("ann")]
    first = await create(harness, *items, request_id="r1")
    await ann.read(first[0].notification_id)
    await ann.delete(first[2].notification_id)
    repeated = await create(harness, *items, request_id="r1")
    assert [n.notification_id for n in repeated] == [n.notification_id for n in first]
    assert len({n.notification_id for n in first}) == 3
    assert [n.title for n in await ann.notifications(unread_only=True)] == ["two"]


async def test_concurrent_creations_with_one_request_id_create_once(harness: Harness, ann: User) -> None:
    items = [make_item("ann", title=f"title {number}") for number in range(20)]
    async with running_notify(another_replica(harness.settings)) as stub:
        other = replace(harness, stub=stub)
        calls = await asyncio.gather(*(create(each, *items, request_id="r1") for each in [harness, other] * 4))
    assert all(call == calls[0] for call in calls)
    assert await ann.unread() == 20


async def test_an_items_key_identifies_it_across_request_ids(harness: Harness, ann: User) -> None:
    item = make_item("ann", idempotency_key="k")
    assert await create(harness, item, request_id="r1") == await create(harness, item, request_id="r2")
    assert await create(harness, make_item("ann"), request_id="r1") != await create(
        harness, make_item("ann"), request_id="r2"
    )
    assert await ann.unread() == 3


async def test_a_repeated_creation_retries_the_items_that_failed(harness: Harness, ann: User) -> None:
    items = [make_item("ann"), make_item("zoe")]
    first, missing = await outcomes(harness, *items, request_id="r1")
    assert isinstance(missing, AppError)
    zoe = await harness.create_user("zoe")
    assert (await create(harness, *items, request_id="r1"))[0] == first
    assert (await ann.unread(), await zoe.unread()) == (1, 1)


async def test_request_ids_of_different_users_are_independent(harness: Harness, ann: User, ben: User) -> None:
    await create(harness, make_item("ann"), make_item("ben"))
    assert await ann.read_all("r1") == 0
    assert await ben.read_all("r1") == 0


async def test_a_document_remembers_a_bounded_number_of_recent_requests(
    harness: Harness, ann: User, store: NotificationStore
) -> None:
    (notification,) = await create(harness, make_item("ann"))
    await store.mark_read(_owner(ann), notification.notification_id, "old")
    notifications = harness.database.notifications
    where = {"_id": notification.notification_id}
    day = 24 * 60 * 60 * 1_000
    await notifications.update_one(
        where,
        [{"$set": {"requests.at": {"$subtract": ["$$NOW", day + 1]}}}],
    )
    await store.mark_read(_owner(ann), notification.notification_id, "new")
    assert len((await notifications.find_one(where))["requests"]) == 1
    filler = [{"id": bytes(16), "at": "$$NOW"}] * (MAX_REQUESTS + 5)
    await notifications.update_one(where, [{"$set": {"requests": filler}}])
    await store.mark_read(_owner(ann), notification.notification_id, "newer")
    assert len((await notifications.find_one(where))["requests"]) == MAX_REQUESTS
