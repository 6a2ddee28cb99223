"""Chat's event log: the only module here that knows Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from parley.chat.v1 import event_pb2

from chassis.events.log import EventLog, LogError, open_redis

BusError = LogError
"""Raised if Redis can't be reached; the outcome of publishing is then unknown, and the caller repeats it."""

LOG_NAME: Final = "chat"
MAX_ENTRY_BYTES: Final = 1 << 20
_EVENTS_TAG: Final = bytes((event_pb2.EventBatch.EVENTS_FIELD_NUMBER << 3 | 2,))


@asynccontextmanager
async def open_log(url: str, *, shards: int, retention_seconds: float) -> AsyncIterator[EventLog]:
    """Yields chat's event log, and closes it on exit."""
    redis = open_redis(url)
    try:
        yield EventLog(redis, LOG_NAME, shards=shards, retention_seconds=retention_seconds)
    finally:
        await redis.aclose()


async def publish(log: EventLog, events: Sequence[event_pb2.Event]) -> None:
    """Appends events in order, in one round trip. Repeated after a BusError, it delivers at least once."""
    await log.append(entries_of(events))


def entries_of(events: Sequence[event_pb2.Event]) -> list[tuple[str, bytes]]:
    """Groups events into entries of the log: one per organization, or several if it exceeds MAX_ENTRY_BYTES."""
    batches: list[tuple[str, list[bytes]]] = []
    open_batches: dict[str, tuple[list[bytes], int]] = {}
    for event in events:
        organization = event.organization_id
        framed = _framed(event)
        parts, filled = open_batches.get(organization, (None, 0))
        if parts is None or filled + len(framed) > MAX_ENTRY_BYTES:
            parts, filled = [], 0
            batches.append((organization, parts))
        parts.append(framed)
        open_batches[organization] = (parts, filled + len(framed))
    return [(organization, b"".join(parts)) for organization, parts in batches]


def _framed(event: event_pb2.Event) -> bytes:
    """Returns the bytes of an EventBatch of one event. Their concatenation is a batch of all, without copying events.

    Source: https://protobuf.dev/programming-guides/encoding/#last-one-wins (concatenation merges).
    """
    data = event.SerializeToString()
    length = len(data)
    head = bytearray(_EVENTS_TAG)
    while length > 0x7F:  # noqa: PLR2004  # a varint has 7 bits per byte
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + data


def parse(payload: bytes) -> Iterable[event_pb2.Event]:
    """Returns the events of an entry."""
    return event_pb2.EventBatch.FromString(payload).events


def route(event: event_pb2.Event, users: set[str]) -> event_pb2.Event | None:
    """Returns the event with only those of its recipients that are among `users`; None if there are none."""
    if users.issuperset(event.recipients):
        return event
    held = [user for user in event.recipients if user in users]
    if not held:
        return None
    routed = event_pb2.Event()
    routed.CopyFrom(event)
    del routed.recipients[:]
    routed.recipients.extend(held)
    return routed
