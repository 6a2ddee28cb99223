"""Publishes committed entries to the event log: in order and completely, whatever fails in between.

There are two paths. `put` takes an event from memory, which is the fast path for messages. `mark_dirty` says that a
conversation's log in the store is ahead of what was published: after a change, a write with an unknown outcome, an
outage of Redis that overflowed the queue, or for a replica that died between commit and publication. The publisher
then reads the entries from the store. So publishing needs no state that a crash could lose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from parley.chat.v1 import event_pb2
from prometheus_client import Counter, Gauge, Histogram

from chassis.backoff import Backoff
from chassis.events.log import EventLog
from chassis.process.logs import logger
from chassis.process.tracing import spanning
from services.chat.bus import BusError, publish
from services.chat.conversation_cache import ConversationState
from services.chat.domain import Head
from services.chat.store import ChatStore, StoreError
from services.chat.unpublished import Entry, Unpublished, read_unpublished

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

MAX_PENDING: Final = 50_000
_BATCH: Final = 2_000
_BACKOFF: Final = Backoff(base_seconds=0.05, cap_seconds=2.0)

PENDING = Gauge("parley_chat_publish_pending", "Events in the publish queue.")
PUBLISHED = Counter("parley_chat_published_total", "Events published.")
PUBLISH_BATCH = Histogram(
    "parley_chat_publish_batch_events",
    "Events in one publication.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000),
)
DROPPED = Counter(
    "parley_chat_publish_dropped_total",
    "Events dropped because the publish queue was full; those of log entries are published later from the store.",
)
RECOVERED = Counter("parley_chat_published_from_store_total", "Events published from the store instead of the queue.")

_NOTHING: Final = Unpublished([], set())

_log = logger("publish")
T = TypeVar("T")


class _Item(NamedTuple):
    event: event_pb2.Event
    state: ConversationState | None
    head: Head | None
    trace: SpanContext | None = None


class Publisher:
    """Publishes the events of one replica.

    Args:
        log: the event log.
        store: where entries are read from if their events are not in memory.
    """

    def __init__(self, log: EventLog, store: ChatStore) -> None:
        self._log = log
        self._store = store
        self._pending: list[_Item] = []
        self._dirty: set[ConversationState] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        PENDING.set_function(lambda: len(self._pending))

    def put(
        self,
        event: event_pb2.Event,
        state: ConversationState | None = None,
        head: Head | None = None,
        trace: SpanContext | None = None,
    ) -> None:
        """Queues an event. An event of a log entry comes with the conversation's state and its head after the entry.

        If the queue is full, its conversations are marked dirty and it is emptied: durable entries are published later
        from the store; others (typing) are dropped.
        """
        if len(self._pending) >= MAX_PENDING:
            self._mark_pending_dirty()
        if state is not None:
            state.pins += 1
        self._pending.append(_Item(event, state, head, trace))
        self._rouse()

    def mark_dirty(self, state: ConversationState) -> None:
        """Queues all entries of the conversation that are in the store but not published."""
        if state not in self._dirty:
            self._dirty.add(state)
            state.pins += 1
        self._rouse()

    def _rouse(self) -> None:
        self._idle.clear()
        self._wake.set()

    def _mark_pending_dirty(self) -> None:
        _log.warning("publish_queue_full", events=len(self._pending))
        DROPPED.inc(len(self._pending))
        dropped, self._pending = self._pending, []
        for item in dropped:
            if item.state is not None:
                self.mark_dirty(item.state)
                item.state.pins -= 1

    async def flushed(self) -> None:
        """Waits until everything queued so far is published."""
        await self._idle.wait()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending or self._dirty:
                await self._publish_some()
            self._idle.set()

    async def _publish_some(self) -> None:
        """Takes dirty conversations and items together, so that no item overtakes earlier entries that are dirty."""
        dirty, self._dirty = self._dirty, set()
        for state in dirty:
            state.replay = False
        items, self._pending = self._pending[:_BATCH], self._pending[_BATCH:]
        recovered = await self._recover(dirty) if dirty else _NOTHING
        batch = [*_prefer_queued(recovered.entries, items), *_not_recovered(items, recovered)]
        if batch:
            with spanning("publish", (item.trace for item in batch), events=len(batch)):
                await _persistently(lambda: publish(self._log, [item.event for item in batch]))
            PUBLISHED.inc(len(batch))
            PUBLISH_BATCH.observe(len(batch))
        for item in batch:
            # If a replay was requested meanwhile, the state is dirty from an earlier entry on.
            if item.state is not None and item.head is not None and not item.state.replay:
                item.state.published = max(item.state.published, item.head, key=_rev)
                item.state.observe_rev(item.head.rev)
        for state in (*dirty, *(item.state for item in items if item.state is not None)):
            state.pins -= 1

    async def _recover(self, dirty: set[ConversationState]) -> Unpublished:
        recovered = await _persistently(lambda: read_unpublished(self._store, dirty))
        RECOVERED.inc(len(recovered.entries))
        for state in recovered.unfinished:
            self.mark_dirty(state)
        return recovered


def _prefer_queued(entries: Sequence[Entry], items: Iterable[_Item]) -> Iterable[_Item]:
    """Returns items for entries from the store; for messages, the queued items, which know their connection."""
    if not entries:
        return
    queued = {
        (item.state, item.head.rev): item
        for item in items
        if item.head is not None and item.event.HasField("message_created")
    }
    for entry in entries:
        item = queued.get((entry.state, entry.head.rev)) if entry.event.HasField("message_created") else None
        yield item or _Item(entry.event, entry.state, entry.head)


def _not_recovered(items: Iterable[_Item], recovered: Unpublished) -> Iterable[_Item]:
    """Returns the items whose entries the store did not return, now or earlier, and will not return later."""
    reached = {entry.state: entry.head.rev for entry in recovered.entries}
    for item in items:
        if item.state is None or item.head is None:
            yield item
        elif item.state in recovered.unfinished:
            continue
        elif item.head.rev > max(item.state.published.rev, reached.get(item.state, 0)):
            yield item


async def _persistently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Repeats an attempt until it succeeds."""
    failures = 0
    while True:
        try:
            return await attempt()
        except (BusError, StoreError) as error:
            failures += 1
            _log.warning("publish_failed", failures=failures, error=type(error).__name__)
            await asyncio.sleep(_BACKOFF.delay_seconds(failures))


def _rev(head: Head) -> int:
    return head.rev
