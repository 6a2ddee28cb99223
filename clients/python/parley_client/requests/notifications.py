"""Requests about notifications."""

from parley_client.replies import NotificationPage, UnreadCount
from parley_client.requests.caller import Caller, present


class NotificationRequests(Caller):
    """`notification.*`."""

    async def list_notifications(
        self,
        *,
        unread_only: bool | None = None,
        kind: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> NotificationPage:
        """A page of notifications, latest first; `kind` is a notification type such as NEW_MESSAGE."""
        body = present(unreadOnly=unread_only, type=kind, pageSize=page_size, pageToken=page_token)
        return await self.call("notification.list", body, NotificationPage)

    async def read_notification(self, notification_id: str) -> int:
        """Marks one as read; returns how many are unread."""
        return await self._unread_count("notification.read", {"notificationId": notification_id})

    async def delete_notification(self, notification_id: str) -> int:
        """Deletes one; returns how many are unread."""
        return await self._unread_count("notification.delete", {"notificationId": notification_id})

    async def read_all_notifications(self) -> int:
        """Marks all as read; returns how many are unread."""
        return await self._unread_count("notification.readAll", {})

    async def unread_notification_count(self) -> int:
        """How many are unread."""
        return await self._unread_count("notification.unreadCount", {})

    async def _unread_count(self, op: str, body: dict[str, object]) -> int:
        return (await self.call(op, body, UnreadCount)).unread_count
