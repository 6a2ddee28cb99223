"""CreateNotifications, as another service of the CRM calls it."""

from __future__ import annotations

from typing import Any

from parley.notify.v1 import notification_pb2

from chassis.errors import AppError
from chassis.rpc.channel import Metadata
from chassis.rpc.status import from_status
from tests.component.notify.running import Stage
from tests.component.notify.waiting import TIMEOUT_SECONDS

Item = notification_pb2.CreateNotificationsRequest.Item


def order(user_id: str, **fields: Any) -> Item:
    """An item; what is not given is made up."""
    defaults: dict[str, Any] = {"title": "Call back", "type": notification_pb2.NOTIFICATION_TYPE_REMINDER}
    return Item(user_id=user_id, **(defaults | fields))


async def outcomes(
    stage: Stage, *items: Item, metadata: Metadata | None = None
) -> list[notification_pb2.Notification | AppError]:
    """What became of each item; the tests' service calls unless another caller is given."""
    response = await stage.stub.CreateNotifications(
        notification_pb2.CreateNotificationsRequest(items=items),
        metadata=metadata or await stage.auth.service_metadata(stage.organization_id),
        timeout=TIMEOUT_SECONDS,
    )
    return [
        outcome.notification if outcome.HasField("notification") else from_status(outcome.error)
        for outcome in response.outcomes
    ]


async def created(stage: Stage, *items: Item, metadata: Metadata | None = None) -> list[notification_pb2.Notification]:
    """The notifications that were made, none of which may have failed."""
    found = await outcomes(stage, *items, metadata=metadata)
    notifications = [outcome for outcome in found if not isinstance(outcome, AppError)]
    assert len(notifications) == len(items), found
    return notifications
