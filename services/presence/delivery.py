"""Delivers published presence to this replica's streams.

It differs from chassis.events.fanout in addressing and guarantees: events are for whole organizations, and only a
user's last event counts. So streams do not resume. A stream starts with a snapshot of the current presence, followed by
the events published since the snapshot began; after a loss of the log it gets a new snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from parley.presence.v1.presence_pb2 import Event

from chassis.errors import ResourceExhaustedError, UnavailableError
from chassis.events.log import EventLog, LogTrimmedError
from chassis.process import metrics
from services.presence.bus import LOG_NAME
from services.presence.convert import events_of

MAX_PENDING_EVENTS: Final = 20_000
MAX_EVENTS_PER_RESPONSE: Final = 1_000
_SENT: Final = metrics.SUBSCRIBER_EVENTS.labels(LOG_NAME)
_OVERFLOWS: Final = metrics.SUBSCRIBER_OVERFLOWS.labels(LOG_NAME)


class SubscriberQueue:
    """The pending events of one stream.

    It holds back the events of an organization until its snapshot has been sent, as they are newer.

    Args:
        wants: selects the events of an organization for this stream.
    """

    def __init__(self, wants: Callable[[Event], bool] = lambda _: True) -> None:
        self._wants = wants
        self._acked_sequence = 0
        self._pending: list[Event] = []
        self._held_back: dict[str, list[Event]] = {}
        self._snapshots_due: list[str] = []
        self._count = 0
        self._error: Exception | None = None
        self._ended = False
        self._wake = asyncio.Event()

    @property
    def pending(self) -> int:
        """The number of pending events, including those held back."""
        return self._count

    def hold_back(self, organization_id: str) -> None:
        """Holds back an organization's events from now on, until `snapshot_sent`."""
        self._held_back.setdefault(organization_id, [])

    def forget(self, organization_id: str) -> None:
        """Drops an organization's held-back events and snapshot request."""
        self._count -= len(self._held_back.pop(organization_id, ()))
        if organization_id in self._snapshots_due:
            self._snapshots_due.remove(organization_id)

    def request_snapshot(self, organization_id: str) -> None:
        """Requests the snapshot of an organization."""
        self.hold_back(organization_id)
        if organization_id not in self._snapshots_due:
            self._snapshots_due.append(organization_id)
        self._wake.set()

    def snapshot_sent(self, organization_id: str) -> None:
        """Releases the held-back events, unless another snapshot of the organization was requested meanwhile."""
        if organization_id not in self._snapshots_due:
            self._pending += self._held_back.pop(organization_id, [])
            self._wake.set()

    def acknowledge(self, request_sequence: int) -> None:
        """Records that a request is in effect."""
        self._acked_sequence = request_sequence
        self._wake.set()

    def offer(self, organization_id: str, events: Iterable[Event]) -> None:
        """Queues the wanted events of an entry. Past MAX_PENDING_EVENTS the stream ends with an error."""
        wanted = [event for event in events if self._wants(event)]
        if not wanted or self._error is not None:
            return
        self._held_back.get(organization_id, self._pending).extend(wanted)
        self._count += len(wanted)
        if self._count > MAX_PENDING_EVENTS:
            _OVERFLOWS.inc()
            self.fail(ResourceExhaustedError("SUBSCRIBER_TOO_SLOW", "too many events are pending", retry_after_ms=100))
        self._wake.set()

    def fail(self, error: Exception) -> None:
        """Ends the stream with an error, the first one given, and drops the pending events."""
        self._error = self._error or error
        self._pending.clear()
        self._held_back.clear()
        self._count = 0
        self._wake.set()

    def end(self) -> None:
        """Ends the stream once the pending events have been taken."""
        self._ended = True
        self._wake.set()

    async def wait(self) -> bool:
        """Waits for something to send; returns False at the end. Raises the error of `fail`."""
        await self._wake.wait()
        if self._error is not None:
            raise self._error
        return bool(self._acked_sequence or self._pending or self._snapshots_due) or not self._ended

    def take_acked_sequence(self) -> int:
        """Returns the sequence of the latest request in effect; 0 if it was taken before."""
        sequence, self._acked_sequence = self._acked_sequence, 0
        return sequence

    def take_snapshot_request(self) -> str | None:
        """Returns an organization whose snapshot was requested, if any."""
        return self._snapshots_due.pop(0) if self._snapshots_due else None

    def take_events(self) -> list[Event]:
        """Returns up to MAX_EVENTS_PER_RESPONSE pending events, in order."""
        events, self._pending = self._pending[:MAX_EVENTS_PER_RESPONSE], self._pending[MAX_EVENTS_PER_RESPONSE:]
        self._count -= len(events)
        _SENT.inc(len(events))
        if not self._pending and not self._snapshots_due and not self._ended and self._error is None:
            self._wake.clear()
        return events


class Delivery:
    """Follows the log, and offers each entry to the queues of its organization.

    Args:
        log: the event log.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._positions: dict[int, str] = {}
        self._queues: dict[SubscriberQueue, set[str]] = {}
        self._by_organization: dict[str, set[SubscriberQueue]] = {}
        self._stopping = False
        self._open = metrics.SUBSCRIBERS.labels(log.name)
        metrics.SUBSCRIBER_PENDING.labels(log.name).set_function(
            lambda: sum(queue.pending for queue in tuple(self._queues))
        )

    async def start(self) -> None:
        """Sets the starting position to the log's current end; call once, before the server starts."""
        self._positions = await self._log.end()

    async def run(self) -> None:
        """Follows the log until cancelled; to be supervised."""
        async for item in self._log.tail(self._positions):
            if isinstance(item, LogTrimmedError):
                self._request_all_snapshots()
                continue
            for entry in item:
                queues = self._by_organization.get(entry.organization_id)
                if queues:
                    events = events_of(entry.payload)
                    for queue in queues:
                        queue.offer(entry.organization_id, events)

    def _request_all_snapshots(self) -> None:
        for queue, organizations in self._queues.items():
            for organization_id in organizations:
                queue.request_snapshot(organization_id)

    @contextmanager
    def delivering(self, queue: SubscriberQueue) -> Iterator[None]:
        """Serves a queue while the context is open. Raises UnavailableError SHUTTING_DOWN."""
        if self._stopping:
            raise _shutting_down()
        self._queues[queue] = set()
        self._open.inc()
        try:
            yield
        finally:
            self._open.dec()
            for organization_id in list(self._queues[queue]):
                self.remove(queue, organization_id)
            del self._queues[queue]

    def add(self, queue: SubscriberQueue, organization_id: str) -> None:
        """Starts the delivery of an organization's events, held back until its snapshot has been sent."""
        if organization_id not in self._queues[queue]:
            queue.hold_back(organization_id)
            self._queues[queue].add(organization_id)
            self._by_organization.setdefault(organization_id, set()).add(queue)

    def remove(self, queue: SubscriberQueue, organization_id: str) -> None:
        """Stops the delivery of an organization's events."""
        self._queues[queue].discard(organization_id)
        queue.forget(organization_id)
        others = self._by_organization.get(organization_id)
        if others is not None:
            others.discard(queue)
            if not others:
                del self._by_organization[organization_id]

    async def drain(self) -> None:
        """Ends every stream; gateways attach to another replica within their lease."""
        self._stopping = True
        for queue in self._queues:
            queue.fail(_shutting_down())


def _shutting_down() -> UnavailableError:
    return UnavailableError("SHUTTING_DOWN", "this replica is shutting down; reconnect", retry_after_ms=0)
