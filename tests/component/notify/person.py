"""A user of notify, with shorthands for what they can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parley.auth.v1 import user_pb2
from parley.notify.v1 import notification_pb2, notification_pb2_grpc

from chassis.rpc.channel import Metadata
from tests.component.notify.waiting import TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class Person:
    """A user who is signed in, and calls one replica."""

    user: user_pb2.User
    metadata: Metadata
    stub: notification_pb2_grpc.NotificationServiceStub

    @property
    def user_id(self) -> str:
        """The user's id."""
        return self.user.user_id

    async def call(self, method: str, request: Any) -> Any:
        """Calls a method."""
        return await getattr(self.stub, method)(request, metadata=self.metadata, timeout=TIMEOUT_SECONDS)

    async def listing(self, **filters: Any) -> notification_pb2.ListNotificationsResponse:
        """One answer of ListNotifications."""
        response = await self.call("ListNotifications", notification_pb2.ListNotificationsRequest(**filters))
        assert isinstance(response, notification_pb2.ListNotificationsResponse)
        return response

    async def notifications(self, **filters: Any) -> list[notification_pb2.Notification]:
        """The notifications of the first page."""
        return list((await self.listing(**filters)).notifications)

    async def only(self, **filters: Any) -> notification_pb2.Notification:
        """The one notification there is."""
        (notification,) = await self.notifications(**filters)
        return notification

    async def unread(self) -> int:
        """How many are unread."""
        return int((await self.call("GetUnreadCount", notification_pb2.GetUnreadCountRequest())).unread_count)

    async def read(self, notification_id: str) -> int:
        """Marks one as read; gives what is left."""
        request = notification_pb2.MarkNotificationReadRequest(notification_id=notification_id)
        return int((await self.call("MarkNotificationRead", request)).unread_count)

    async def read_all(self) -> int:
        """Marks all as read; gives what is left."""
        request = notification_pb2.MarkAllNotificationsReadRequest()
        return int((await self.call("MarkAllNotificationsRead", request)).unread_count)

    async def delete(self, notification_id: str) -> int:
        """Deletes one; gives what is left."""
        request = notification_pb2.DeleteNotificationRequest(notification_id=notification_id)
        return int((await self.call("DeleteNotification", request)).unread_count)

    async def mute(self, *types: notification_pb2.NotificationType.ValueType) -> list[int]:
        """Sets the muted types; gives those that are set then."""
        preferences = notification_pb2.Preferences(muted_types=types)
        request = notification_pb2.UpdatePreferencesRequest(preferences=preferences)
        return list((await self.call("UpdatePreferences", request)).preferences.muted_types)
