"""Notify's side of the event logs: the one that chat writes and the one that it writes itself.

The only module here that knows Redis.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from parley.notify.v1 import notification_pb2

from chassis.events.log import EventLog, LogError, open_redis
from services.notify.convert import to_proto
from services.notify.domain import Announcement, Owner

BusError = LogError
"""What reading and telling raise while Redis can't be reached."""

LOG_NAME: Final = "notify"


@asynccontextmanager
async def open_logs(
    url: str, chat_log: str, *, shards: int, retention_seconds: float
) -> AsyncIterator[tuple[EventLog, EventLog]]:
    """Opens chat's log and notify's own while the context is open. Raises BusError when Redis can't be reached."""
    redis = open_redis(url)
    try:
        await redis.ping()
        yield (
            EventLog(redis, chat_log, shards=shards, retention_seconds=retention_seconds),
            EventLog(redis, LOG_NAME, shards=shards, retention_seconds=retention_seconds),
        )
    finally:
        await redis.aclose()


class EventPublisher:
    """Tells connected users what became of their notifications."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def tell(self, announcements: Sequence[Announcement], unread_counts: Mapping[Owner, int]) -> None:
        """Appends announcements in one round trip, one entry for each organization; in order, at least once.

        Call it after the store has what they tell of.

        Raises:
            BusError: it may not have been told; repeating all of it is harmless.
        """
        batches: dict[str, notification_pb2.EventBatch] = {}
        for announcement in announcements:
            batch = batches.setdefault(announcement.owner.organization_id, notification_pb2.EventBatch())
            batch.events.append(_event(announcement, unread_counts[announcement.owner]))
        if batches:
            await self._log.append([(key, batch.SerializeToString()) for key, batch in batches.items()])


def _event(announcement: Announcement, unread_count: int) -> notification_pb2.Event:
    event = notification_pb2.Event(
        organization_id=announcement.owner.organization_id, user_id=announcement.owner.user_id
    )
    payload = event.notification_created if announcement.created else event.notification_updated
    payload.unread_count = unread_count
    if announcement.notification is not None:
        payload.notification.CopyFrom(to_proto(announcement.notification))
    return event


def parse(payload: bytes) -> Iterable[notification_pb2.Event]:
    """Reads the events of an entry of notify's log."""
    return notification_pb2.EventBatch.FromString(payload).events


def route(event: notification_pb2.Event, users: set[str]) -> notification_pb2.Event | None:
    """The event, for a subscriber that holds its user."""
    return event if event.user_id in users else None
