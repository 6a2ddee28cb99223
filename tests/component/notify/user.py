"""A signed-in user of notify, with a method for each RPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parley.auth.v1 import user_pb2
from parley.notify.v1 import notification_pb2, notification_pb2_grpc

from chassis.rpc.channel import Metadata
from tests.component.notify.waiting import TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in user who calls one replica."""

    user: user_pb2.User
    metadata: Metadata
    stub: notification_pb2_grpc.NotificationServiceStub

    @property
    def user_id(self) -> str:
        """The user's id."""
        return self.user.user_id

    async def call(self, method: str, request: Any) -> Any:
        """Calls an RPC by name."""
        return await getattr(self.stub, method)(request, metadata=self.metadata, timeout=TIMEOUT_SECONDS)

    async def listing(self, **filters: Any) -> notification_pb2.ListNotificationsResponse:
        """Calls ListNotifications once."""
        response = await self.call("ListNotifications", notification_pb2.ListNotificationsRequest(**filters))
        assert isinstance(response, notification_pb2.ListNotificationsResponse)
        return response

    async def notifications(self, **filters: Any) -> list[notification_pb2.Notification]:
        """Returns the first page of notifications."""
        return list((await self.listing(**filters)).notifications)

    async def only(self, **filters: Any) -> notification_pb2.Notification:
        """Returns the user's only notification."""
        (notification,) = await self.notifications(**filters)
        return notification

    async def unread(self) -> int:
        """Returns the unread count."""
        return int((await self.call("GetUnreadCount", notification_pb2.GetUnreadCountRequest())).unread_count)

    async def read(self, notification_id: str, request_id: str = "") -> int:
        """Marks a notification as read; returns the unread count."""
        request = notification_pb2.MarkNotificationReadRequest(notification_id=notification_id, request_id=request_id)
        return int((await self.call("MarkNotificationRead", request)).unread_count)

    async def read_all(self, request_id: str = "") -> int:
        """Marks all notifications as read; returns the unread count."""
        request = notification_pb2.MarkAllNotificationsReadRequest(request_id=request_id)
        return int((await self.call("MarkAllNotificationsRead", request)).unread_count)

    async def delete(self, notification_id: str, request_id: str = "") -> int:
        """Deletes a notification; returns the unread count."""
        request = notification_pb2.DeleteNotificationRequest(notification_id=notification_id, request_id=request_id)
        return int((await self.call("DeleteNotification", request)).unread_count)

    async def mute(self, *types: notification_pb2.NotificationType.ValueType, request_id: str = "") -> list[int]:
        """Sets the muted types; returns those of the response."""
        preferences = notification_pb2.Preferences(muted_types=types)
        request = notification_pb2.UpdatePreferencesRequest(preferences=preferences, request_id=request_id)
        return list((await self.call("UpdatePreferences", request)).preferences.muted_types)

    async def muted(self) -> list[int]:
        """Returns the stored muted types."""
        response = await self.call("GetPreferences", notification_pb2.GetPreferencesRequest())
        return list(response.preferences.muted_types)
