"""Delivery of what others were told to the streams of this replica that want it.

It differs from chassis.events.fanout in addressing and guarantees: events are for whole organizations, and only
a user's last event counts. So nothing is resumed: a stream begins with, and after a loss gets
again, what is true now (a snapshot), and after it whatever was told since it was begun.
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
_GIVEN: Final = metrics.SUBSCRIBER_EVENTS.labels(LOG_NAME)
_OVERFLOWS: Final = metrics.SUBSCRIBER_OVERFLOWS.labels(LOG_NAME)


class SubscriberQueue:
    """What one stream has yet to say.

    The events of an organization whose snapshot isn't given yet are held back until it is: they are newer.

    Args:
        wants: which of an organization's events are for this stream.
    """

    def __init__(self, wants: Callable[[Event], bool] = lambda _: True) -> None:
        self._wants = wants
        self._acknowledged = 0
        self._pending: list[Event] = []
        self._held_back: dict[str, list[Event]] = {}
        self._snapshots_due: list[str] = []
        self._count = 0
        self._error: Exception | None = None
        self._ended = False
        self._wake = asyncio.Event()

    @property
    def pending(self) -> int:
        """How many events wait, those that are held back too."""
        return self._count

    def hold_back(self, organization_id: str) -> None:
        """Holds an organization's events back from here on, until `snapshot_given`."""
        self._held_back.setdefault(organization_id, [])

    def forget(self, organization_id: str) -> None:
        """Drops what is held back of an organization, and its snapshot."""
        self._count -= len(self._held_back.pop(organization_id, ()))
        if organization_id in self._snapshots_due:
            self._snapshots_due.remove(organization_id)

    def need_snapshot(self, organization_id: str) -> None:
        """Asks for the snapshot of an organization."""
        self.hold_back(organization_id)
        if organization_id not in self._snapshots_due:
            self._snapshots_due.append(organization_id)
        self._wake.set()

    def snapshot_given(self, organization_id: str) -> None:
        """Lets go what was held back; unless the organization has come to need another snapshot meanwhile."""
        if organization_id not in self._snapshots_due:
            self._pending += self._held_back.pop(organization_id, [])
            self._wake.set()

    def acknowledge(self, number: int) -> None:
        """Says that a request is in effect."""
        self._acknowledged = number
        self._wake.set()

    def offer(self, organization_id: str, events: Iterable[Event]) -> None:
        """Queues what of an entry is for this stream; past MAX_PENDING_EVENTS the stream ends with an error."""
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
        """Ends the stream with an error; the first one counts. What is pending is dropped."""
        self._error = self._error or error
        self._pending.clear()
        self._held_back.clear()
        self._count = 0
        self._wake.set()

    def end(self) -> None:
        """Ends the stream when what is pending has been given."""
        self._ended = True
        self._wake.set()

    async def wait(self) -> bool:
        """Waits for something to say; False at the end. Raises what it failed with."""
        await self._wake.wait()
        if self._error is not None:
            raise self._error
        return bool(self._acknowledged or self._pending or self._snapshots_due) or not self._ended

    def take_acknowledged(self) -> int:
        """The number of the latest request in effect; 0 when that has been said."""
        number, self._acknowledged = self._acknowledged, 0
        return number

    def take_snapshot_due(self) -> str | None:
        """An organization that needs a snapshot, if any."""
        return self._snapshots_due.pop(0) if self._snapshots_due else None

    def take_events(self) -> list[Event]:
        """Some of what is pending, in order."""
        events, self._pending = self._pending[:MAX_EVENTS_PER_RESPONSE], self._pending[MAX_EVENTS_PER_RESPONSE:]
        self._count -= len(events)
        _GIVEN.inc(len(events))
        if not self._pending and not self._snapshots_due and not self._ended and self._error is None:
            self._wake.clear()
        return events


class Delivery:
    """Follows the log, and offers each entry to the outboxes of its organization.

    Args:
        log: what to follow.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._positions: dict[int, str] = {}
        self._outboxes: dict[SubscriberQueue, set[str]] = {}
        self._by_organization: dict[str, set[SubscriberQueue]] = {}
        self._stopping = False
        self._open = metrics.SUBSCRIBERS.labels(log.name)
        metrics.SUBSCRIBER_PENDING.labels(log.name).set_function(
            lambda: sum(outbox.pending for outbox in tuple(self._outboxes))
        )

    async def start(self) -> None:
        """Takes the log's present end as where this process begins; call once, before the server starts."""
        self._positions = await self._log.end()

    async def run(self) -> None:
        """Follows the log for ever; to be supervised."""
        async for found in self._log.tail(self._positions):
            if isinstance(found, LogTrimmedError):
                self._begin_again()
                continue
            for entry in found:
                outboxes = self._by_organization.get(entry.organization_id)
                if outboxes:
                    events = events_of(entry.payload)
                    for outbox in outboxes:
                        outbox.offer(entry.organization_id, events)

    def _begin_again(self) -> None:
        for outbox, organizations in self._outboxes.items():
            for organization_id in organizations:
                outbox.need_snapshot(organization_id)

    @contextmanager
    def delivering(self, outbox: SubscriberQueue) -> Iterator[None]:
        """Serves an outbox while the context is open. Raises UnavailableError SHUTTING_DOWN."""
        if self._stopping:
            raise _shutting_down()
        self._outboxes[outbox] = set()
        self._open.inc()
        try:
            yield
        finally:
            self._open.dec()
            for organization_id in list(self._outboxes[outbox]):
                self.remove(outbox, organization_id)
            del self._outboxes[outbox]

    def add(self, outbox: SubscriberQueue, organization_id: str) -> None:
        """Delivers an organization's events from here on, held back until its snapshot is given."""
        if organization_id not in self._outboxes[outbox]:
            outbox.hold_back(organization_id)
            self._outboxes[outbox].add(organization_id)
            self._by_organization.setdefault(organization_id, set()).add(outbox)

    def remove(self, outbox: SubscriberQueue, organization_id: str) -> None:
        """Delivers an organization's events no more."""
        self._outboxes[outbox].discard(organization_id)
        outbox.forget(organization_id)
        others = self._by_organization.get(organization_id)
        if others is not None:
            others.discard(outbox)
            if not others:
                del self._by_organization[organization_id]

    async def drain(self) -> None:
        """Ends every stream: gateways attach to another replica within their lease."""
        self._stopping = True
        for outbox in self._outboxes:
            outbox.fail(_shutting_down())


def _shutting_down() -> UnavailableError:
    return UnavailableError("SHUTTING_DOWN", "this replica is stopping; come back", retry_after_ms=0)
