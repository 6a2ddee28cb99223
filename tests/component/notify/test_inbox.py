"""Users list, read, delete and mute their own notifications only."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from parley.notify.v1 import notification_pb2

from chassis.errors import InvalidArgumentError
from chassis.rpc.channel import bearer
from chassis.rpc.paging import encode_token
from chassis.rpc.status import from_rpc_error
from tests.component.notify.creation import create, make_item
from tests.component.notify.harness import Harness
from tests.component.notify.user import User
from tests.component.notify.waiting import TIMEOUT_SECONDS

REMINDER = notification_pb2.NOTIFICATION_TYPE_REMINDER
TASK_ASSIGNED = notification_pb2.NOTIFICATION_TYPE_TASK_ASSIGNED
ABSENT_ID = "a" * 22


async def _pages(user: User, page_size: int, **filters: Any) -> list[list[str]]:
    pages, token = [], ""
    while True:
        response = await user.listing(page_size=page_size, page_token=token, **filters)
        pages.append([notification.title for notification in response.notifications])
        token = response.next_page_token
        if not token:
            return pages


async def test_notifications_are_listed_latest_first_in_pages(harness: Harness, ann: User) -> None:
    for number in range(3):
        await create(harness, *(make_item("ann", title=f"{number}-{part}") for part in "ab"))
    pages = await _pages(ann, 3)
    assert [len(page) for page in pages] == [3, 3]
    # Notifications of one call have the same time; their order is arbitrary but stable.
    assert [title[0] for page in pages for title in page] == ["2", "2", "1", "1", "0", "0"]
    assert len({title for page in pages for title in page}) == 6
    assert pages == await _pages(ann, 3)


async def test_a_page_that_ends_where_the_listing_does_is_the_last(harness: Harness, ann: User) -> None:
    await create(harness, make_item("ann"), make_item("ann"))
    assert [len(page) for page in await _pages(ann, 2)] == [2]


async def test_listings_can_leave_out_what_is_read_and_other_types(harness: Harness, ann: User) -> None:
    items = [make_item("ann", title="r", type=REMINDER), make_item("ann", title="t", type=TASK_ASSIGNED)]
    read, *_ = await create(harness, *items, *items[1:])
    await ann.read(read.notification_id)
    assert await _pages(ann, 1, unread_only=True) == [["t"], ["t"]]
    assert await _pages(ann, 1, type=REMINDER) == [["r"]]
    assert await _pages(ann, 1, type=REMINDER, unread_only=True) == [[]]
    assert (await ann.listing(type=REMINDER)).unread_count == 2


async def test_a_page_token_is_good_for_its_own_listing_only(harness: Harness, ann: User, ben: User) -> None:
    await create(harness, *(make_item(user) for user in ("ann", "ann", "ben", "ben")))
    token = (await ann.listing(page_size=1)).next_page_token
    assert token
    for user, filters in ((ben, {}), (ann, {"unread_only": True}), (ann, {"type": REMINDER})):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await user.listing(page_token=token, **filters)
        assert from_rpc_error(caught.value).reason == "INVALID_PAGE_TOKEN"


async def test_a_page_token_that_someone_made_up_is_refused(harness: Harness, ann: User) -> None:
    name = f"{harness.organization_id}/ann/False/0"
    for content in ([], ["x"], ["1", "a"], [1, 2], [-1, "a"], [2**60, "a"], [1.5, "a"], [1, "a", 3]):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ann.listing(page_token=encode_token(content, name))
        assert from_rpc_error(caught.value).reason == "INVALID_PAGE_TOKEN"


async def test_reading_one_leaves_the_others_unread(harness: Harness, ann: User) -> None:
    one, _ = await create(harness, make_item("ann", title="one"), make_item("ann", title="two"))
    assert await ann.read(one.notification_id) == 1
    assert {n.title: n.read for n in await ann.notifications()} == {"one": True, "two": False}
    assert await ann.read(one.notification_id) == 1


async def test_reading_all_reads_messages_too_until_the_next_one(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await conversation.send("ann", "two")
    await harness.chat.drained()
    await create(harness, make_item("ben"))
    assert await ben.unread() == 2
    assert await ben.read_all() == 0
    assert all(notification.read for notification in await ben.notifications())
    await conversation.send("ann", "three")
    await harness.chat.drained()
    assert [(n.count, n.body) for n in await ben.notifications(unread_only=True)] == [(1, "three")]


async def test_reading_the_notification_of_a_conversation_restarts_its_count(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "one")
    await harness.chat.drained()
    notification = await ben.only()
    assert await ben.read(notification.notification_id) == 0
    await conversation.send("ann", "two")
    await harness.chat.drained()
    again = await ben.only()
    assert (again.notification_id, again.count) == (notification.notification_id, 1)


async def test_a_deleted_notification_is_gone(harness: Harness, ann: User) -> None:
    one, two = await create(harness, make_item("ann"), make_item("ann"))
    assert await ann.delete(one.notification_id) == 1
    assert (await ann.only()).notification_id == two.notification_id
    for again in (ann.delete, ann.read):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await again(one.notification_id)
        assert from_rpc_error(caught.value).reason == "NOTIFICATION_NOT_FOUND"


async def test_a_deleted_notification_of_messages_comes_back_with_a_newer_one_only(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    first = conversation.sent("ann", "one", mentions=["ben"])
    await conversation.publish(first)
    await harness.chat.drained()
    for notification in await ben.notifications():
        await ben.delete(notification.notification_id)
    await conversation.publish(first)
    await harness.chat.drained()
    assert (await ben.notifications(), await ben.unread()) == ([], 0)
    await conversation.send("ann", "two")
    await harness.chat.drained()
    again = await ben.only()
    assert (again.count, again.body) == (1, "two")


async def test_preferences_are_kept_per_user(harness: Harness, ann: User, ben: User) -> None:
    request = notification_pb2.GetPreferencesRequest()
    assert list((await ann.call("GetPreferences", request)).preferences.muted_types) == []
    assert await ann.mute(TASK_ASSIGNED, REMINDER, REMINDER) == [TASK_ASSIGNED, REMINDER]
    assert list((await ann.call("GetPreferences", request)).preferences.muted_types) == [TASK_ASSIGNED, REMINDER]
    assert list((await ben.call("GetPreferences", request)).preferences.muted_types) == []
    assert await ann.mute() == []


async def test_users_cannot_see_or_change_notifications_of_others(harness: Harness, ann: User, ben: User) -> None:
    """Neither can the user of the same id in another organization."""
    other_organization = f"{harness.organization_id}-2"
    await harness.auth.create_organization(other_organization)
    namesake = await harness.create_user("ann", organization_id=other_organization)
    conversation = harness.conversation("cid", "ann")
    await conversation.send("cid", "for ann")
    await harness.chat.drained()
    notification = await ann.only()
    for user in (ben, namesake):
        assert (await user.notifications(), await user.unread()) == ([], 0)
        for touch in (user.read, user.delete):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await touch(notification.notification_id)
            assert from_rpc_error(caught.value).reason == "NOTIFICATION_NOT_FOUND"
        assert await user.read_all() == 0
    assert await ann.only() == notification


def _muting(*numbers: Any) -> notification_pb2.UpdatePreferencesRequest:
    return notification_pb2.UpdatePreferencesRequest(preferences=notification_pb2.Preferences(muted_types=numbers))


BAD_REQUESTS = [
    ("ListNotifications", notification_pb2.ListNotificationsRequest(page_size=-1), "pageSize"),
    ("ListNotifications", notification_pb2.ListNotificationsRequest(page_token="x"), "pageToken"),
    ("ListNotifications", notification_pb2.ListNotificationsRequest(page_token="🙂" * 3_000), "pageToken"),
    ("ListNotifications", notification_pb2.ListNotificationsRequest(type=99), "type"),  # type: ignore[arg-type]
    ("ListNotifications", notification_pb2.ListNotificationsRequest(type=-1), "type"),  # type: ignore[arg-type]
    ("MarkNotificationRead", notification_pb2.MarkNotificationReadRequest(), "notificationId"),
    ("MarkNotificationRead", notification_pb2.MarkNotificationReadRequest(notification_id="x" * 65), "notificationId"),
    ("DeleteNotification", notification_pb2.DeleteNotificationRequest(), "notificationId"),
    ("UpdatePreferences", _muting(0), "mutedTypes"),
    ("UpdatePreferences", _muting(TASK_ASSIGNED, 42), "mutedTypes"),
]


@pytest.mark.parametrize(("method", "request_", "field"), BAD_REQUESTS)
async def test_bad_input_is_refused_by_the_name_of_the_field(
    ann: User, method: str, request_: Message, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ann.call(method, request_)
    error = from_rpc_error(caught.value)
    assert isinstance(error, InvalidArgumentError)
    assert list(error.fields) == [field]


@pytest.mark.parametrize("method", ["MarkNotificationRead", "DeleteNotification"])
async def test_what_is_not_there_is_not_found(ann: User, method: str) -> None:
    request = getattr(notification_pb2, f"{method}Request")(notification_id=ABSENT_ID)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ann.call(method, request)
    assert from_rpc_error(caught.value).reason == "NOTIFICATION_NOT_FOUND"


METHODS_OF_USERS = [
    "ListNotifications",
    "MarkNotificationRead",
    "MarkAllNotificationsRead",
    "DeleteNotification",
    "GetUnreadCount",
    "GetPreferences",
    "UpdatePreferences",
]


@pytest.mark.parametrize("method", METHODS_OF_USERS)
async def test_only_users_have_notifications(harness: Harness, method: str) -> None:
    call = getattr(harness.stub, method)
    request = getattr(notification_pb2, f"{method}Request")()
    service = await harness.auth.service_metadata(harness.organization_id)
    for metadata, code in (
        (None, "UNAUTHENTICATED"),
        (bearer("made-up"), "UNAUTHENTICATED"),
        (service, "PERMISSION_DENIED"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request, metadata=metadata, timeout=TIMEOUT_SECONDS)
        assert caught.value.code().name == code
