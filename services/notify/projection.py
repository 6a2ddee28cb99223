"""Carries chat's events over to notifications: what is stored first, then what connected users are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from services.notify.bus import EventPublisher
from services.notify.domain import EMPTY, Announcement, Notification, NotificationType, announce
from services.notify.folding import DELETED_TEXT, ChatEvent, fold
from services.notify.store import NotificationStore

_CHUNK: Final = 1_000  # bounds what is in memory, and in one write, when large groups are busy


class Projection:
    """Applies batches of events; any batch may be applied again, by this or another replica, at the same time."""

    def __init__(self, store: NotificationStore, announcer: EventPublisher) -> None:
        self._store = store
        self._announcer = announcer

    async def apply(self, events: Iterable[ChatEvent], *, repeated: bool) -> None:
        """Applies a batch.

        Args:
            events: what happened.
            repeated: the batch may have been applied before, if only in part; see `announce`.

        Raises:
            UnavailableError, BusError: the store or the event log can't be reached; some of it may be done, and it is
                to be applied again.
        """
        folded = fold(events)
        for changes in _chunks(folded.changes):
            await self._apply(changes, repeated=repeated)
        await self._store.redact(folded.deletions, DELETED_TEXT)

    async def _apply(self, changes: list[Notification], *, repeated: bool) -> None:
        changes = await self._wanted(changes)
        before = await self._store.get_many([change.notification_id for change in changes])
        news = [change for change in changes if _is_news(before.get(change.notification_id), change)]
        await self._store.join(news)
        await self._store.redact_noted({change.subject for change in news if change.subject}, DELETED_TEXT)
        after = before | await self._store.get_many([change.notification_id for change in news])
        concerned = changes if repeated else news
        announcements = [
            announcement
            for change in concerned
            if (now := after.get(change.notification_id)) is not None
            and (announcement := announce(before.get(change.notification_id), now, repeated=repeated)) is not None
        ]
        await self._tell(announcements)

    async def _tell(self, announcements: Sequence[Announcement]) -> None:
        counts = await self._store.unread_counts({announcement.owner for announcement in announcements})
        await self._announcer.tell(announcements, counts)

    async def _wanted(self, changes: list[Notification]) -> list[Notification]:
        """The changes as far as their owners want to hear of them."""
        muted = await self._store.muted_types({change.owner for change in changes})
        wanted = []
        for change in changes:
            if change.type not in muted.get(change.owner, ()):
                wanted.append(change)
            elif change.type is NotificationType.NEW_MESSAGE and (silenced := change.state.silenced()) != EMPTY:
                wanted.append(replace(change, state=silenced))
        return wanted


def _is_news(before: Notification | None, change: Notification) -> bool:
    """Whether a change would change anything. Marks only move forward, so what is no news now never is again."""
    return before is None or before.state.join(change.state) != before.state


def _chunks(changes: list[Notification]) -> Iterator[list[Notification]]:
    iterator = iter(changes)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
