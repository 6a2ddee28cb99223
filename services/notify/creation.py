"""Makes notifications on behalf of other services and admins: each item of a call has an outcome of its own."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import AppError, FailedPreconditionError, NotFoundError
from services.notify.bus import EventPublisher
from services.notify.directory import Directory
from services.notify.domain import Announcement, Notification, NotificationType, Owner, digest_id, source_event
from services.notify.store import NotificationStore


@dataclass(frozen=True, slots=True)
class NotificationRequest:
    """What a caller wants a user to be notified of.

    Attributes:
        user_id: whom.
        type: what it is about.
        title: 1 to 200 characters.
        body: at most 2,000 characters.
        data: a JSON object, as text.
        key: makes repeats harmless; empty for an order that is new each time.
    """

    user_id: str
    type: NotificationType
    title: str
    body: str
    data: str
    key: str


Outcome = Notification | AppError


class NotificationCreator:
    """Makes notifications.

    Args:
        store: where they are kept.
        directory: knows which users there are.
        announcer: tells connected users.
    """

    def __init__(self, store: NotificationStore, directory: Directory, announcer: EventPublisher) -> None:
        self._store = store
        self._directory = directory
        self._announcer = announcer

    async def create(self, organization_id: str, caller: str, orders: Sequence[NotificationRequest]) -> list[Outcome]:
        """Makes a notification of each order, unless it has been made before.

        Args:
            organization_id: whose users are notified.
            caller: who orders; keys of different callers never meet.
            orders: see there.

        Returns:
            For each order the notification as it is stored, or a NotFoundError (USER_NOT_FOUND) or
            FailedPreconditionError (TYPE_MUTED).

        Raises:
            UnavailableError, BusError: it is unknown which were made; repeating those that have a key is harmless.
        """
        users = await self._directory.existing(organization_id, [order.user_id for order in orders])
        candidates = [
            _candidate(organization_id, caller, order) if order.user_id in users else None for order in orders
        ]
        stored = await self._store_new([candidate for candidate in candidates if candidate is not None])
        return [_outcome(candidate, stored) for candidate in candidates]

    async def _store_new(self, candidates: Sequence[Notification]) -> dict[str, Notification]:
        """Stores the candidates that are new and wanted, and tells of them; gives all that are there, by id."""
        muted = await self._store.muted_types({candidate.owner for candidate in candidates})
        wanted: dict[str, Notification] = {}
        for candidate in candidates:
            if candidate.type not in muted.get(candidate.owner, ()):
                wanted.setdefault(candidate.notification_id, candidate)
        inserted = await self._store.insert(wanted.values())
        earlier = await self._store.get_many({c.notification_id for c in candidates} - inserted)
        stored = earlier | {key: wanted[key] for key in inserted}
        # One that was there already may not have been told of, if its caller comes again after a failure.
        announcements = [
            Announcement(notification.owner, notification, created=key in inserted)
            for key, notification in stored.items()
            if notification.state.unread
        ]
        counts = await self._store.unread_counts({announcement.owner for announcement in announcements})
        await self._announcer.tell(announcements, counts)
        return stored


def _candidate(organization_id: str, caller: str, order: NotificationRequest) -> Notification:
    key = ("key", order.key) if order.key else ("random", secrets.token_hex(16))
    return Notification(
        digest_id("created", organization_id, order.user_id, caller, *key),
        Owner(organization_id, order.user_id),
        order.type,
        source_event(1, 1, time.time_ns() // 1_000_000, title=order.title, body=order.body, data=order.data),
    )


def _outcome(candidate: Notification | None, stored: Mapping[str, Notification]) -> Outcome:
    if candidate is None:
        return NotFoundError("USER_NOT_FOUND", "there is no such user")
    notification = stored.get(candidate.notification_id)
    if notification is None:
        return FailedPreconditionError("TYPE_MUTED", "the user wants no notifications of this type")
    return notification
