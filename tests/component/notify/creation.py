"""Calls CreateNotifications as another service of the CRM does."""

from __future__ import annotations

from typing import Any

from parley.notify.v1 import notification_pb2

from chassis.errors import AppError
from chassis.rpc.channel import Metadata
from chassis.rpc.status import from_status
from tests.component.notify.harness import Harness
from tests.component.notify.waiting import TIMEOUT_SECONDS

Item = notification_pb2.CreateNotificationsRequest.Item


def make_item(user_id: str, **fields: Any) -> Item:
    """Makes an item, with defaults for fields that are not given."""
    defaults: dict[str, Any] = {"title": "Call back", "type": notification_pb2.NOTIFICATION_TYPE_REMINDER}
    return Item(user_id=user_id, **(defaults | fields))


async def outcomes(
    harness: Harness, *items: Item, metadata: Metadata | None = None, **fields: Any
) -> list[notification_pb2.Notification | AppError]:
    """Returns each item's outcome; the tests' service is the caller unless metadata says otherwise."""
    response = await harness.stub.CreateNotifications(
        notification_pb2.CreateNotificationsRequest(items=items, **fields),
        metadata=metadata or await harness.auth.service_metadata(harness.organization_id),
        timeout=TIMEOUT_SECONDS,
    )
    return [
        outcome.notification if outcome.HasField("notification") else from_status(outcome.error)
        for outcome in response.outcomes
    ]


async def create(
    harness: Harness, *items: Item, metadata: Metadata | None = None, **fields: Any
) -> list[notification_pb2.Notification]:
    """Creates notifications, none of which may fail."""
    results = await outcomes(harness, *items, metadata=metadata, **fields)
    notifications = [outcome for outcome in results if not isinstance(outcome, AppError)]
    assert len(notifications) == len(items), results
    return notifications
