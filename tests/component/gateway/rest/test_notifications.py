"""Notifications over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from parley.notify.v1 import notification_pb2, notification_pb2_grpc

from chassis.rpc.channel import open_channel
from gateway.rest.notifications import COUNT, MAX_PAGE, PAGE
from tests.component.gateway.rest.harness import Harness, Person, answer_of, problem_of
from tests.rest_shapes import check_shape

TIMEOUT_SECONDS = 20.0


@pytest.fixture
async def notify(house: Harness) -> AsyncIterator[notification_pb2_grpc.NotificationServiceStub]:
    """How other services send notifications."""
    async with open_channel(house.notify_target) as channel:
        yield notification_pb2_grpc.NotificationServiceStub(channel)


@pytest.fixture
async def sam(house: Harness, organization: str, notify: notification_pb2_grpc.NotificationServiceStub) -> Person:
    """Somebody with five notifications, the fifth being the latest."""
    sam = await house.join(organization, "sales")
    for number in range(1, 6):
        item = notification_pb2.CreateNotificationsRequest.Item(
            user_id=sam.id, type=notification_pb2.NOTIFICATION_TYPE_REMINDER, title=f"n{number}"
        )
        item.data.update({"leadId": f"lead-{number}"})
        response = await notify.CreateNotifications(
            notification_pb2.CreateNotificationsRequest(items=[item]),
            metadata=await house.auth.service_metadata(organization),
            timeout=TIMEOUT_SECONDS,
        )
        assert response.outcomes[0].HasField("notification")
    return sam


async def page_of(person: Person, **query: object) -> tuple[list[str], bool, int]:
    page = await person.get("/api/notifications", **query)
    check_shape(page, PAGE)
    return [one["title"] for one in page["notifications"]], page["hasMore"], page["unreadCount"]


async def id_of(person: Person, title: str) -> str:
    page = await person.get("/api/notifications")
    (notification_id,) = [one["notificationId"] for one in page["notifications"] if one["title"] == title]
    return str(notification_id)


async def test_notifications_are_listed_latest_first(sam: Person) -> None:
    page = await sam.get("/api/notifications")
    assert [one["title"] for one in page["notifications"]] == ["n5", "n4", "n3", "n2", "n1"]
    latest = page["notifications"][0]
    assert (latest["type"], latest["data"], latest["read"]) == ("REMINDER", {"leadId": "lead-5"}, False)
    assert (page["hasMore"], page["unreadCount"], page["page"]) == (False, 5, 1)


async def test_pages_are_numbered_from_the_latest(sam: Person) -> None:
    assert await page_of(sam, page=1, limit=2) == (["n5", "n4"], True, 5)
    assert await page_of(sam, page=2, limit=2) == (["n3", "n2"], True, 5)
    assert await page_of(sam, page=3, limit=2) == (["n1"], False, 5)
    assert await page_of(sam, page=4, limit=2) == ([], False, 5)
    assert await page_of(sam, page=2, limit=5) == ([], False, 5)
    assert await page_of(sam, page=MAX_PAGE, limit=200) == ([], False, 5)


async def test_what_is_read_can_be_left_out(sam: Person) -> None:
    answer = await sam.post(f"/api/notifications/{await id_of(sam, 'n4')}/read")
    check_shape(answer, "GetUnreadCountResponse")
    assert answer == {"unreadCount": 4}
    assert await page_of(sam, unreadOnly="true") == (["n5", "n3", "n2", "n1"], False, 4)
    assert await page_of(sam, unreadOnly="true", page=2, limit=3) == (["n1"], False, 4)
    assert (await page_of(sam, unreadOnly="false"))[0] == ["n5", "n4", "n3", "n2", "n1"]


async def test_unread_ones_are_counted(sam: Person) -> None:
    answer = await sam.get("/api/notifications/unread-count")
    check_shape(answer, COUNT)
    assert answer == {"count": 5}


async def test_all_are_marked_as_read(sam: Person) -> None:
    assert await sam.post("/api/notifications/read-all") == {"unreadCount": 0}
    assert await sam.get("/api/notifications/unread-count") == {"count": 0}


async def test_one_is_deleted(sam: Person) -> None:
    answer = answer_of(await sam.request("DELETE", f"/api/notifications/{await id_of(sam, 'n5')}"))
    assert answer == {"unreadCount": 4}
    assert (await page_of(sam))[0] == ["n4", "n3", "n2", "n1"]


async def test_another_users_notification_is_not_found_like_an_absent_one(
    house: Harness, organization: str, sam: Person
) -> None:
    other = await house.join(organization, "sales")
    theirs = await id_of(sam, "n1")
    for notification_id in (theirs, "A" * 22):
        for method, path in (
            ("POST", f"/api/notifications/{notification_id}/read"),
            ("DELETE", f"/api/notifications/{notification_id}"),
        ):
            response = await other.request(method, path)
            assert problem_of(response) == (404, "NOT_FOUND", "NOTIFICATION_NOT_FOUND")
    assert (await page_of(sam))[2] == 5


@pytest.mark.parametrize(
    ("query", "bad"),
    [
        ("page=0", "page"),
        (f"page={MAX_PAGE + 1}", "page"),
        ("page=x", "page"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("unreadOnly=perhaps", "unreadOnly"),
        ("unreadOnly=true&unreadOnly=false", "unreadOnly"),
    ],
)
async def test_a_bad_place_in_the_listing_is_refused(house: Harness, organization: str, query: str, bad: str) -> None:
    person = await house.join(organization, "sales")
    response = await person.request("GET", f"/api/notifications?{query}")
    assert problem_of(response) == (400, "INVALID_ARGUMENT", "INVALID_FIELDS")
    assert set(response.json()["error"]["fields"]) == {bad}
