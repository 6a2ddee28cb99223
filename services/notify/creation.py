"""Creates notifications for other services and admins; each item of a call has its own outcome."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import AppError, FailedPreconditionError, NotFoundError
from services.notify.directory import Directory
from services.notify.domain import InboxEvent, Notification, NotificationType, Owner, digest_id, source_event
from services.notify.publisher import EventPublisher
from services.notify.store import NotificationStore

IdempotencyKey = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotificationRequest:
    """A request to notify a user.

    Attributes:
        user_id: the user.
        type: the notification's type.
        title: 1 to 200 characters.
        body: at most 2,000 characters.
        data: a JSON object, as text.
        key: identifies the notification among the caller's; empty for a new notification with each request.
    """

    user_id: str
    type: NotificationType
    title: str
    body: str
    data: str
    key: IdempotencyKey


Outcome = Notification | AppError


class NotificationCreator:
    """Creates notifications.

    Args:
        store: stores notifications.
        directory: knows which users exist.
        publisher: notifies connected users.
    """

    def __init__(self, store: NotificationStore, directory: Directory, publisher: EventPublisher) -> None:
        self._store = store
        self._directory = directory
        self._publisher = publisher

    async def create(self, organization_id: str, caller: str, requests: Sequence[NotificationRequest]) -> list[Outcome]:
        """Creates a notification for each request, unless an earlier call with the same key has.

        Args:
            organization_id: the users' organization.
            caller: scopes the keys: keys of different callers are independent.
            requests: the notifications to create.

        Returns:
            For each request the notification as stored, or a NotFoundError (USER_NOT_FOUND) or
            FailedPreconditionError (TYPE_MUTED).

        Raises:
            UnavailableError, BusError: some may have been created. It is safe to repeat requests that have a key.
        """
        users = await self._directory.existing(organization_id, [request.user_id for request in requests])
        candidates = [
            _candidate(organization_id, caller, request) if request.user_id in users else None for request in requests
        ]
        stored = await self._store_new([candidate for candidate in candidates if candidate is not None])
        return [_outcome(candidate, stored) for candidate in candidates]

    async def _store_new(self, candidates: Sequence[Notification]) -> dict[str, Notification]:
        """Stores and publishes the candidates that are new and not muted; returns all that are stored, by id."""
        muted = await self._store.muted_types({candidate.owner for candidate in candidates})
        wanted: dict[str, Notification] = {}
        for candidate in candidates:
            if candidate.type not in muted.get(candidate.owner, ()):
                wanted.setdefault(candidate.notification_id, candidate)
        inserted = await self._store.insert(wanted.values())
        earlier = await self._store.get_many({c.notification_id for c in candidates} - inserted)
        stored = earlier | {key: wanted[key] for key in inserted}
        # An earlier call may have failed after storing and before publishing, so earlier ones are published again.
        events = [
            InboxEvent(notification.owner, notification, created=key in inserted)
            for key, notification in stored.items()
            if notification.state.unread
        ]
        counts = await self._store.unread_counts({event.owner for event in events})
        await self._publisher.publish(events, counts)
        return stored


def _candidate(organization_id: str, caller: str, request: NotificationRequest) -> Notification:
    key = request.key or ("random", secrets.token_hex(16))
    return Notification(
        digest_id("created", organization_id, request.user_id, caller, *key),
        Owner(organization_id, request.user_id),
        request.type,
        source_event(1, 1, time.time_ns() // 1_000_000, title=request.title, body=request.body, data=request.data),
    )


def _outcome(candidate: Notification | None, stored: Mapping[str, Notification]) -> Outcome:
    if candidate is None:
        return NotFoundError("USER_NOT_FOUND", "there is no such user")
    notification = stored.get(candidate.notification_id)
    if notification is None:
        return FailedPreconditionError("TYPE_MUTED", "the user has muted notifications of this type")
    return notification
