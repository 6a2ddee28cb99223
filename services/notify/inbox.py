"""A user's operations on their own notifications: list, mark as read, delete, and mute types.

Each change is stored first, then published to all of the user's connections. A change with a request id takes effect
once, however often it is repeated within 24 hours, also after a failure in between. A repeat publishes again, as the
first attempt may have failed before that, and returns the unread count as it is then.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from chassis.errors import NotFoundError
from services.notify.domain import InboxEvent, Notification, NotificationType, Owner
from services.notify.publisher import EventPublisher
from services.notify.store import Cursor, NotificationStore


class Page(NamedTuple):
    """A page of a listing; `next_cursor` is None on the last one."""

    notifications: list[Notification]
    next_cursor: Cursor | None


class Inbox:
    """The notifications of users. Methods raise UnavailableError or BusError; it is safe to repeat any of them."""

    def __init__(self, store: NotificationStore, publisher: EventPublisher) -> None:
        self._store = store
        self._publisher = publisher

    async def page(
        self, owner: Owner, *, unread_only: bool, type_: NotificationType | None, after: Cursor | None, size: int
    ) -> Page:
        """Returns a page of a user's notifications, latest first."""
        matches = await self._store.page(owner, unread_only=unread_only, type_=type_, after=after, limit=size + 1)
        shown = matches[:size]
        latest = shown[-1].state.latest if shown else None
        if len(matches) <= size or latest is None:
            return Page(shown, None)
        return Page(shown, Cursor(latest.time_ms, shown[-1].notification_id))

    async def unread_count(self, owner: Owner) -> int:
        """Returns the number of a user's unread notifications."""
        return (await self._store.unread_counts([owner]))[owner]

    async def mark_read(self, owner: Owner, notification_id: str, request_id: str = "") -> int:
        """Marks a notification as read; returns the unread count after that. Raises NotFoundError."""
        notification = await self._store.mark_read(owner, notification_id, request_id)
        if notification is None:
            raise _not_found()
        listed = notification if notification.state.listed else None
        return await self._publish(InboxEvent(owner, listed, created=False))

    async def mark_all_read(self, owner: Owner, request_id: str = "") -> int:
        """Marks all notifications as read; returns the unread count after that, which new ones may make above 0.

        With a request id, what to mark is recorded first. So a repeat after a failure marks the same, and nothing that
        came since; see `NotificationStore.start_marking_all`.
        """
        if request_id:
            await self._store.mark_positions(await self._store.start_marking_all(owner, request_id))
            await self._store.finish_marking_all(owner, request_id)
        else:
            await self._store.mark_all_read(owner)
        return await self._publish(InboxEvent(owner, None, created=False))

    async def delete(self, owner: Owner, notification_id: str, request_id: str = "") -> int:
        """Deletes a notification; returns the unread count after that. Raises NotFoundError."""
        notification = await self._store.delete(owner, notification_id, request_id)
        if notification is None:
            raise _not_found()
        revived = notification if notification.state.listed else None
        return await self._publish(InboxEvent(owner, revived, created=False))

    async def _publish(self, event: InboxEvent) -> int:
        counts = await self._store.unread_counts([event.owner])
        await self._publisher.publish([event], counts)
        return counts[event.owner]

    async def muted_types(self, owner: Owner) -> frozenset[NotificationType]:
        """Returns the types that the user has muted."""
        return (await self._store.muted_types([owner])).get(owner, frozenset())

    async def set_muted_types(self, owner: Owner, types: Collection[NotificationType], request_id: str = "") -> None:
        """Replaces the types that the user has muted."""
        await self._store.set_muted_types(owner, types, request_id)


def _not_found() -> NotFoundError:
    return NotFoundError("NOTIFICATION_NOT_FOUND", "there is no such notification")
