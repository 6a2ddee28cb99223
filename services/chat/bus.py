"""Chat's event log: the only module here that knows Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from parley.chat.v1 import event_pb2

from chassis.events.log import EventLog, LogError, open_redis

BusError = LogError
"""What publishing raises while Redis can't be reached; what was published is then unknown, and repeating is right."""

LOG_NAME: Final = "chat"
MAX_ENTRY_BYTES: Final = 1 << 20
_EVENTS_TAG: Final = bytes((event_pb2.EventBatch.EVENTS_FIELD_NUMBER << 3 | 2,))


@asynccontextmanager
async def open_log(url: str, *, shards: int, retention_seconds: float) -> AsyncIterator[EventLog]:
    """Opens chat's event log while the context is open."""
    redis = open_redis(url)
    try:
        yield EventLog(redis, LOG_NAME, shards=shards, retention_seconds=retention_seconds)
    finally:
        await redis.aclose()


async def publish(log: EventLog, events: Sequence[event_pb2.Event]) -> None:
    """Appends events in one round trip, in order, at least once."""
    await log.append(entries_of(events))


def entries_of(events: Sequence[event_pb2.Event]) -> list[tuple[str, bytes]]:
    """Events as entries of the log: one for each organization, or several when it gets long."""
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
    """The bytes of an EventBatch of one event. Joined, such bytes are those of a batch of all, without a copy each.

    Source: https://protobuf.dev/programming-guides/encoding/#last-one-wins (concatenation merges).
    """
    data = event.SerializeToString()
    length = len(data)
    head = bytearray(_EVENTS_TAG)
    while length > 0x7F:  # noqa: PLR2004  # a varint: 7 bits at a time
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + data


def parse(payload: bytes) -> Iterable[event_pb2.Event]:
    """Reads the events of an entry."""
    return event_pb2.EventBatch.FromString(payload).events


def route(event: event_pb2.Event, users: set[str]) -> event_pb2.Event | None:
    """The event with only those of its recipients who are among `users`; None when none is."""
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
