"""Chat's event log: the only module here that knows Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from parley.chat.v1 import event_pb2

from chassis.eventlog import EventLog, LogError, open_redis

BusError = LogError
"""What publishing raises while Redis can't be reached; what was published is then unknown, and repeating is right."""

LOG_NAME: Final = "chat"
MAX_ENTRY_BYTES: Final = 1 << 20


@asynccontextmanager
async def open_log(url: str, *, shards: int, retention_seconds: float) -> AsyncIterator[EventLog]:
    """Opens chat's event log while the context is open."""
    redis = open_redis(url)
    try:
        yield EventLog(redis, LOG_NAME, shards=shards, retention_seconds=retention_seconds)
    finally:
        await redis.aclose()


async def publish(log: EventLog, events: Sequence[event_pb2.Event]) -> None:
    """Appends events in one round trip, in order, at least once: one entry for each organization, or several when it
    gets long."""
    batches: list[tuple[str, event_pb2.EventBatch]] = []
    open_batches: dict[str, tuple[event_pb2.EventBatch, int]] = {}
    for event in events:
        organization, size = event.organization_id, event.ByteSize()
        batch, filled = open_batches.get(organization, (None, 0))
        if batch is None or filled + size > MAX_ENTRY_BYTES:
            batch, filled = event_pb2.EventBatch(), 0
            batches.append((organization, batch))
        batch.events.append(event)
        open_batches[organization] = (batch, filled + size)
    await log.append([(organization, batch.SerializeToString()) for organization, batch in batches])


def parse(payload: bytes) -> Iterable[event_pb2.Event]:
    """Reads the events of an entry."""
    return event_pb2.EventBatch.FromString(payload).events


def route(event: event_pb2.Event, users: set[str]) -> event_pb2.Event | None:
    """The event with only those of its recipients who are among `users`; None when none is."""
    held = [user for user in event.recipients if user in users]
    if not held:
        return None
    if len(held) == len(event.recipients):
        return event
    routed = event_pb2.Event()
    routed.CopyFrom(event)
    del routed.recipients[:]
    routed.recipients.extend(held)
    return routed
