"""What a user does with their own notifications: lists, reads, deletes and mutes them.

Whatever changes is stored first; then all of the user's connections are told.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from chassis.errors import NotFoundError
from services.notify.bus import EventPublisher
from services.notify.domain import Announcement, Notification, NotificationType, Owner
from services.notify.store import Cursor, NotificationStore


class Page(NamedTuple):
    """A part of a listing; `next_cursor` is None on the last one."""

    notifications: list[Notification]
    next_cursor: Cursor | None


class Inbox:
    """The notifications of users. Methods raise UnavailableError or BusError; repeating any of them is harmless."""

    def __init__(self, store: NotificationStore, announcer: EventPublisher) -> None:
        self._store = store
        self._announcer = announcer

    async def page(
        self, owner: Owner, *, unread_only: bool, type_: NotificationType | None, after: Cursor | None, size: int
    ) -> Page:
        """A page of a user's notifications, latest first."""
        found = await self._store.page(owner, unread_only=unread_only, type_=type_, after=after, limit=size + 1)
        shown = found[:size]
        latest = shown[-1].state.latest if shown else None
        if len(found) <= size or latest is None:
            return Page(shown, None)
        return Page(shown, Cursor(latest.time_ms, shown[-1].notification_id))

    async def unread_count(self, owner: Owner) -> int:
        """How many are unread."""
        return (await self._store.unread_counts([owner]))[owner]

    async def mark_read(self, owner: Owner, notification_id: str) -> int:
        """Marks one as read; gives how many are unread then. Raises NotFoundError."""
        notification = await self._store.mark_read(owner, notification_id)
        if notification is None:
            raise _not_found()
        return await self._tell(Announcement(owner, notification, created=False))

    async def mark_all_read(self, owner: Owner) -> int:
        """Marks all as read; gives how many are unread then, as new ones may have come."""
        await self._store.mark_all_read(owner)
        return await self._tell(Announcement(owner, None, created=False))

    async def delete(self, owner: Owner, notification_id: str) -> int:
        """Deletes one; gives how many are unread then. Raises NotFoundError."""
        if await self._store.hide(owner, notification_id) is None:
            raise _not_found()
        return await self._tell(Announcement(owner, None, created=False))

    async def _tell(self, announcement: Announcement) -> int:
        counts = await self._store.unread_counts([announcement.owner])
        await self._announcer.tell([announcement], counts)
        return counts[announcement.owner]

    async def muted_types(self, owner: Owner) -> frozenset[NotificationType]:
        """What the user doesn't want to hear of."""
        return (await self._store.muted_types([owner])).get(owner, frozenset())

    async def set_muted_types(self, owner: Owner, types: Collection[NotificationType]) -> None:
        """Replaces what the user doesn't want to hear of."""
        await self._store.set_muted_types(owner, types)


def _not_found() -> NotFoundError:
    return NotFoundError("NOTIFICATION_NOT_FOUND", "there is no such notification")
