"""Invalid requests to every method of notify, and the errors that they get."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import grpc
import pytest
from google.protobuf.message import Message
from parley.notify.v1 import notification_pb2 as pb
from parley.stream.v1.stream_pb2 import Attachments, UserKey

from chassis.errors import Category
from chassis.rpc.channel import Metadata
from chassis.rpc.paging import encode_token
from tests.component.bad_input import Call, answer, check, methods_of
from tests.component.notify.creation import create, make_item
from tests.component.notify.harness import Harness
from tests.component.notify.user import User

METHODS = methods_of(pb.DESCRIPTOR.services_by_name["NotificationService"])
FOR_SERVICES = {"CreateNotifications", "Subscribe"}
TASK = pb.NOTIFICATION_TYPE_TASK_ASSIGNED
GOOD: dict[str, Callable[[str], Message]] = {
    "CreateNotifications": lambda _: pb.CreateNotificationsRequest(
        items=[pb.CreateNotificationsRequest.Item(user_id="ann", type=TASK, title="Call Zoe")]
    ),
    "ListNotifications": lambda _: pb.ListNotificationsRequest(page_size=10),
    "MarkNotificationRead": lambda key: pb.MarkNotificationReadRequest(notification_id=key),
    "MarkAllNotificationsRead": lambda _: pb.MarkAllNotificationsReadRequest(),
    "DeleteNotification": lambda key: pb.DeleteNotificationRequest(notification_id=key),
    "GetUnreadCount": lambda _: pb.GetUnreadCountRequest(),
    "GetPreferences": lambda _: pb.GetPreferencesRequest(),
    "UpdatePreferences": lambda _: pb.UpdatePreferencesRequest(preferences=pb.Preferences()),
    "Subscribe": lambda _: pb.SubscribeRequest(
        attachments=Attachments(add=[UserKey(organization_id="acme", user_id="ann")], request_sequence=1)
    ),
}


class Row(NamedTuple):
    """A method's error for an invalid request."""

    name: str
    request: Message
    category: Category
    reason: str


BAD, MISSING = Category.INVALID_ARGUMENT, Category.NOT_FOUND
UNKNOWN_TYPE = 99
ROWS = [
    Row("CreateNotifications", pb.CreateNotificationsRequest(items=[{}] * 1_001), BAD, "INVALID_FIELDS"),  # type: ignore[list-item]  # an empty item
    Row("ListNotifications", pb.ListNotificationsRequest(page_size=-1), BAD, "INVALID_FIELDS"),
    Row("ListNotifications", pb.ListNotificationsRequest(page_token="AAAA"), BAD, "INVALID_PAGE_TOKEN"),
    Row("ListNotifications", pb.ListNotificationsRequest(type=UNKNOWN_TYPE), BAD, "INVALID_FIELDS"),  # type: ignore[arg-type]
    *(
        Row(name, make(notification_id=value), category, reason)
        for name, make in (
            ("MarkNotificationRead", pb.MarkNotificationReadRequest),
            ("DeleteNotification", pb.DeleteNotificationRequest),
        )
        for value, category, reason in (
            ("", BAD, "INVALID_FIELDS"),
            ("x" * 65, BAD, "INVALID_FIELDS"),
            ("x" * 23, MISSING, "NOTIFICATION_NOT_FOUND"),
        )
    ),
    Row(
        "UpdatePreferences",
        pb.UpdatePreferencesRequest(preferences=pb.Preferences(muted_types=[UNKNOWN_TYPE])),  # type: ignore[list-item]
        BAD,
        "INVALID_FIELDS",
    ),
    Row("CreateNotifications", pb.CreateNotificationsRequest(request_id="x" * 65), BAD, "INVALID_FIELDS"),
    Row("MarkNotificationRead", pb.MarkNotificationReadRequest(request_id="x" * 65), BAD, "INVALID_FIELDS"),
    Row("MarkAllNotificationsRead", pb.MarkAllNotificationsReadRequest(request_id="x" * 65), BAD, "INVALID_FIELDS"),
    Row("DeleteNotification", pb.DeleteNotificationRequest(request_id="x" * 65), BAD, "INVALID_FIELDS"),
    Row("UpdatePreferences", pb.UpdatePreferencesRequest(request_id="x" * 65), BAD, "INVALID_FIELDS"),
    Row("Subscribe", pb.SubscribeRequest(attachments=Attachments(request_sequence=-1)), BAD, "INVALID_FIELDS"),
    Row("Subscribe", pb.SubscribeRequest(attachments=Attachments(add=[UserKey()])), BAD, "INVALID_FIELDS"),
    Row("Subscribe", pb.SubscribeRequest(resume_cursors={"shards": {0: "abc"}}), BAD, "INVALID_FIELDS"),  # type: ignore[arg-type]
]
WITHOUT_FIELDS = {"GetUnreadCount", "GetPreferences"}


def test_every_method_has_rows() -> None:
    assert set(GOOD) == set(METHODS)
    assert {row.name for row in ROWS} | WITHOUT_FIELDS == set(METHODS)
    assert {name for name, method in METHODS.items() if not method.input_type.fields} == WITHOUT_FIELDS


@pytest.fixture
async def service(harness: Harness) -> Metadata:
    """The metadata of a service of the CRM."""
    return await harness.auth.service_metadata(harness.organization_id)


@pytest.mark.parametrize("name", METHODS)
async def test_no_invalid_request_causes_an_internal_error(
    harness: Harness, ann: User, grpc_channel: grpc.aio.Channel, name: str
) -> None:
    limited = await harness.auth.service_metadata(harness.organization_id)
    everywhere = await harness.auth.service_metadata()
    metadata = {"CreateNotifications": limited, "Subscribe": everywhere}.get(name, ann.metadata)
    (notification,) = await create(harness, make_item("ann"))
    query = f"{harness.organization_id}/ann/False/0"
    call = Call(GOOD[name](notification.notification_id), metadata, queries=(query,))
    assert await check(grpc_channel, METHODS[name], call) == []


async def test_each_mistake_gets_its_error(
    harness: Harness, ann: User, service: Metadata, grpc_channel: grpc.aio.Channel
) -> None:
    for row in ROWS:
        metadata = service if row.name in FOR_SERVICES else ann.metadata
        error = await answer(grpc_channel, METHODS[row.name], row.request, metadata)
        assert error is not None, row
        assert (error.category, error.reason) == (row.category, row.reason), row


@pytest.mark.parametrize("cursor", [[], [1], ["a", "b"], [1 << 63, "a"], [-1, "a"], [1, "a", 2], [{}, []]], ids=str)
async def test_a_forged_cursor_is_refused(
    harness: Harness, ann: User, grpc_channel: grpc.aio.Channel, cursor: list[object]
) -> None:
    token = encode_token(cursor, f"{harness.organization_id}/ann/False/0")
    request = pb.ListNotificationsRequest(page_token=token)
    error = await answer(grpc_channel, METHODS["ListNotifications"], request, ann.metadata)
    assert error is not None
    assert error.reason == "INVALID_PAGE_TOKEN"


async def test_a_bad_item_harms_no_other(harness: Harness, ann: User, service: Metadata) -> None:
    """Each item has its own outcome, independent of the items before it."""
    bad = [
        make_item(""),
        make_item("x" * 65),
        make_item("nobody"),
        make_item("ann", title=""),
        make_item("ann", title="x" * 201),
        make_item("ann", body="x" * 2_001),
        make_item("ann", idempotency_key="x" * 129),
        make_item("ann", type=pb.NOTIFICATION_TYPE_NEW_MESSAGE),
        make_item("ann", type=pb.NOTIFICATION_TYPE_UNSPECIFIED),
    ]
    items = [each for item in bad for each in (item, make_item("ann"))]
    request = pb.CreateNotificationsRequest(items=items)
    outcomes = (await harness.stub.CreateNotifications(request, metadata=service, timeout=20)).outcomes
    assert [o.HasField("notification") for o in outcomes] == [False, True] * len(bad)
    assert {Category(o.error.code) for o in outcomes[::2]} == {BAD, MISSING}
