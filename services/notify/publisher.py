"""Publishes changes of users' notifications in notify's event log, and routes them to subscribers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from parley.notify.v1 import notification_pb2

from chassis.events.log import EventLog
from services.notify.convert import to_proto
from services.notify.domain import InboxEvent, Owner


class EventPublisher:
    """Publishes what happens to users' notifications."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def publish(self, events: Sequence[InboxEvent], unread_counts: Mapping[Owner, int]) -> None:
        """Appends events in one round trip, one entry for each organization; in order, at least once.

        Call it after the store has the changes that the events report.

        Raises:
            BusError: some events may not have been published; it is safe to publish all of them again.
        """
        batches: dict[str, notification_pb2.EventBatch] = {}
        for event in events:
            batch = batches.setdefault(event.owner.organization_id, notification_pb2.EventBatch())
            batch.events.append(_to_proto(event, unread_counts[event.owner]))
        if batches:
            await self._log.append([(key, batch.SerializeToString()) for key, batch in batches.items()])


def _to_proto(event: InboxEvent, unread_count: int) -> notification_pb2.Event:
    proto = notification_pb2.Event(organization_id=event.owner.organization_id, user_id=event.owner.user_id)
    payload = proto.notification_created if event.created else proto.notification_updated
    payload.unread_count = unread_count
    if event.notification is not None:
        payload.notification.CopyFrom(to_proto(event.notification))
    return proto


def parse(payload: bytes) -> Iterable[notification_pb2.Event]:
    """Reads the events of an entry of notify's log."""
    return notification_pb2.EventBatch.FromString(payload).events


def route(event: notification_pb2.Event, users: set[str]) -> notification_pb2.Event | None:
    """Returns the event if the subscriber has attached its user."""
    return event if event.user_id in users else None
