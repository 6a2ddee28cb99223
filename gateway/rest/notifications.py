"""The caller's notifications."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct
from parley.notify.v1 import notification_pb2

from chassis.rpc.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gateway.rest.operation import Call, Group, Nothing, Operation
from gateway.rest.parameters import PageSize
from gateway.rest.schemas import Count, NotificationPage, UnreadCount
from gateway.upstream.clients import Upstreams
from gateway.wire.json_objects import Object, notification_object

MAX_PAGE: Final = 50
"""A numbered page is reached by walking over those before it; who wants more reads them as they come."""


class Listing(Struct, rename="camel"):
    """Which notifications to list."""

    page: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="1 is the newest.")] = 1
    limit: PageSize = DEFAULT_PAGE_SIZE
    unread_only: Annotated[bool, Meta(description="Leaves out what is read.")] = False


class Notifications:
    """The operations under /api/notifications."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams

    async def list_notifications(self, call: Call[Listing, Nothing]) -> Object:
        """Lists one numbered page."""
        skip, page_token = (call.query.page - 1) * call.query.limit, ""
        while skip:
            response = await self._list(call, min(skip, MAX_PAGE_SIZE), page_token)
            skip -= len(response.notifications)
            page_token = response.next_page_token
            if not page_token:
                return _page(call.query.page, [], False, response.unread_count)
        response = await self._list(call, call.query.limit, page_token)
        notifications = [notification_object(notification) for notification in response.notifications]
        return _page(call.query.page, notifications, bool(response.next_page_token), response.unread_count)

    async def _list(
        self, call: Call[Listing, Nothing], size: int, page_token: str
    ) -> notification_pb2.ListNotificationsResponse:
        request = notification_pb2.ListNotificationsRequest(
            unread_only=call.query.unread_only, page_size=size, page_token=page_token
        )
        return await self._upstreams.call(self._upstreams.notifications.ListNotifications, request, token=call.token)

    async def count_unread(self, call: Call[Nothing, Nothing]) -> Object:
        """Counts what is unread."""
        response = await self._upstreams.call(
            self._upstreams.notifications.GetUnreadCount,
            notification_pb2.GetUnreadCountRequest(),
            token=call.token,
        )
        return {"count": response.unread_count}

    async def mark_read(self, call: Call[Nothing, Nothing]) -> Object:
        """Marks one as read."""
        response = await self._upstreams.call(
            self._upstreams.notifications.MarkNotificationRead,
            notification_pb2.MarkNotificationReadRequest(notification_id=call.path["notificationId"]),
            token=call.token,
        )
        return {"unreadCount": response.unread_count}

    async def mark_all_read(self, call: Call[Nothing, Nothing]) -> Object:
        """Marks all as read."""
        response = await self._upstreams.call(
            self._upstreams.notifications.MarkAllNotificationsRead,
            notification_pb2.MarkAllNotificationsReadRequest(),
            token=call.token,
        )
        return {"unreadCount": response.unread_count}

    async def delete(self, call: Call[Nothing, Nothing]) -> Object:
        """Deletes one."""
        response = await self._upstreams.call(
            self._upstreams.notifications.DeleteNotification,
            notification_pb2.DeleteNotificationRequest(notification_id=call.path["notificationId"]),
            token=call.token,
        )
        return {"unreadCount": response.unread_count}

    def group(self) -> Group:
        """The rows of the table."""
        return Group(
            "notifications",
            "What the caller should hear of",
            (
                Operation(
                    "GET",
                    "/api/notifications",
                    "listNotifications",
                    "A page of the caller's notifications, latest first.",
                    self.list_notifications,
                    query=Listing,
                    body=Nothing,
                    answer=NotificationPage,
                ),
                Operation(
                    "GET",
                    "/api/notifications/unread-count",
                    "countUnreadNotifications",
                    "How many of the caller's notifications are unread.",
                    self.count_unread,
                    query=Nothing,
                    body=Nothing,
                    answer=Count,
                ),
                Operation(
                    "POST",
                    "/api/notifications/read-all",
                    "markAllNotificationsRead",
                    "Marks all of the caller's notifications as read.",
                    self.mark_all_read,
                    query=Nothing,
                    body=Nothing,
                    answer=UnreadCount,
                ),
                Operation(
                    "POST",
                    "/api/notifications/{notificationId}/read",
                    "markNotificationRead",
                    "Marks a notification as read.",
                    self.mark_read,
                    query=Nothing,
                    body=Nothing,
                    answer=UnreadCount,
                ),
                Operation(
                    "DELETE",
                    "/api/notifications/{notificationId}",
                    "deleteNotification",
                    "Deletes a notification.",
                    self.delete,
                    query=Nothing,
                    body=Nothing,
                    answer=UnreadCount,
                ),
            ),
        )


def _page(page: int, notifications: list[Object], has_more: bool, unread_count: int) -> Object:
    return {"notifications": notifications, "hasMore": has_more, "unreadCount": unread_count, "page": page}
