"""Applies chat's events to notifications: stores the changes first, then publishes them to connected users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from services.notify.domain import EMPTY, InboxEvent, Notification, NotificationType, inbox_event
from services.notify.folding import DELETED_TEXT, ChatEvent, fold
from services.notify.publisher import EventPublisher
from services.notify.store import NotificationStore

_CHUNK: Final = 1_000  # bounds memory and the size of one write while large groups are busy


class Projection:
    """Applies batches of events; this or another replica may apply a batch again, even at the same time."""

    def __init__(self, store: NotificationStore, publisher: EventPublisher) -> None:
        self._store = store
        self._publisher = publisher

    async def apply(self, events: Iterable[ChatEvent], *, repeated: bool) -> None:
        """Applies a batch.

        Args:
            events: the batch.
            repeated: the batch may have been applied before, at least in part; see `inbox_event`.

        Raises:
            UnavailableError, BusError: the store or the event log is unreachable. A part may have been applied: apply
                the batch again.
        """
        folded = fold(events)
        for changes in _chunks(folded.changes):
            await self._apply(changes, repeated=repeated)
        await self._store.redact(folded.deletions, DELETED_TEXT)

    async def _apply(self, changes: list[Notification], *, repeated: bool) -> None:
        changes = await self._without_muted(changes)
        before = await self._store.get_many([change.notification_id for change in changes])
        effective = [change for change in changes if _has_effect(before.get(change.notification_id), change)]
        await self._store.join(effective)
        await self._store.redact_deleted({change.subject for change in effective if change.subject}, DELETED_TEXT)
        after = before | await self._store.get_many([change.notification_id for change in effective])
        events = [
            event
            for change in (changes if repeated else effective)
            if (current := after.get(change.notification_id)) is not None
            and (event := inbox_event(before.get(change.notification_id), current, repeated=repeated)) is not None
        ]
        await self._publish(events)

    async def _publish(self, events: Sequence[InboxEvent]) -> None:
        counts = await self._store.unread_counts({event.owner for event in events})
        await self._publisher.publish(events, counts)

    async def _without_muted(self, changes: list[Notification]) -> list[Notification]:
        """Removes changes of types that their owners muted; of NEW_MESSAGE the marks stay, as everything is read."""
        muted = await self._store.muted_types({change.owner for change in changes})
        wanted = []
        for change in changes:
            if change.type not in muted.get(change.owner, ()):
                wanted.append(change)
            elif change.type is NotificationType.NEW_MESSAGE and (silenced := change.state.silenced()) != EMPTY:
                wanted.append(replace(change, state=silenced))
        return wanted


def _has_effect(before: Notification | None, change: Notification) -> bool:
    """Reports whether a change would change the state. States only grow, so a change without effect never has one."""
    return before is None or before.state.join(change.state) != before.state


def _chunks(changes: list[Notification]) -> Iterator[list[Notification]]:
    iterator = iter(changes)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
