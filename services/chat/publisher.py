"""Publishes what was committed to the event log: in order, and all of it, whatever fails in between.

There are two ways in. `put` takes events that are at hand: the fast way, for messages. `mark_gap` says that a
conversation's log in the store is ahead of what was published, for whatever reason: a change, a replica that died
between commit and publication, a write whose outcome was unknown, Redis away for longer than the queue lasts. The
entries are then read from the store and published from there. So publishing needs no memory that a crash could lose.
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
from services.chat.recovery import Entry, Unpublished, read_unpublished
from services.chat.store import ChatStore, StoreError

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

MAX_PENDING: Final = 50_000
_BATCH: Final = 2_000
_BACKOFF: Final = Backoff(base_seconds=0.05, cap_seconds=2.0)

PENDING = Gauge("parley_chat_publish_pending", "Events that wait to be published.")
PUBLISHED = Counter("parley_chat_published_total", "Events published.")
PUBLISH_BATCH = Histogram(
    "parley_chat_publish_batch_events",
    "Events published at once.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000),
)
DROPPED = Counter(
    "parley_chat_publish_dropped_total", "Events let go of as too many waited; those of the log come from the store."
)
RECOVERED = Counter("parley_chat_published_from_store_total", "Entries published from the store.")

_NOTHING: Final = Unpublished([], set())

_log = logger("publish")
T = TypeVar("T")


class _Item(NamedTuple):
    event: event_pb2.Event
    state: ConversationState | None
    head: Head | None
    trace: SpanContext | None = None


class Publisher:
    """Publishes for one replica; see the module.

    Args:
        log: where events go.
        store: where entries are read from when they are not at hand.
    """

    def __init__(self, log: EventLog, store: ChatStore) -> None:
        self._log = log
        self._store = store
        self._pending: list[_Item] = []
        self._gaps: set[ConversationState] = set()
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
        """Queues an event; with the conversation's head after it, when it is of an entry of the log.

        When the queue is full, all that is in it becomes gaps: what is durable is published later from the store,
        what is not (typing) is dropped.
        """
        if len(self._pending) >= MAX_PENDING:
            self._pending_to_gaps()
        if state is not None:
            state.busy += 1
        self._pending.append(_Item(event, state, head, trace))
        self._rouse()

    def mark_gap(self, state: ConversationState) -> None:
        """Queues whatever the conversation's log has beyond what was published."""
        if state not in self._gaps:
            self._gaps.add(state)
            state.busy += 1
        self._rouse()

    def _rouse(self) -> None:
        self._idle.clear()
        self._wake.set()

    def _pending_to_gaps(self) -> None:
        _log.warning("publish_queue_full", events=len(self._pending))
        DROPPED.inc(len(self._pending))
        dropped, self._pending = self._pending, []
        for item in dropped:
            if item.state is not None:
                self.mark_gap(item.state)
                item.state.busy -= 1

    async def flushed(self) -> None:
        """Waits until everything queued so far has been published."""
        await self._idle.wait()

    async def run(self) -> None:
        """Publishes for ever; to be supervised."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending or self._gaps:
                await self._publish_some()
            self._idle.set()

    async def _publish_some(self) -> None:
        """Takes gaps and items at one moment: an item is queued after the gaps before it, and so can't pass them."""
        gaps, self._gaps = self._gaps, set()
        for state in gaps:
            state.rewound = False
        items, self._pending = self._pending[:_BATCH], self._pending[_BATCH:]
        recovered = await self._recover(gaps) if gaps else _NOTHING
        batch = [*_best(recovered.entries, items), *_unpublished(items, recovered)]
        if batch:
            with spanning("publish", (item.trace for item in batch), events=len(batch)):
                await _persistently(lambda: publish(self._log, [item.event for item in batch]))
            PUBLISHED.inc(len(batch))
            PUBLISH_BATCH.observe(len(batch))
        for item in batch:
            # One that was rewound meanwhile has a gap that begins before this.
            if item.state is not None and item.head is not None and not item.state.rewound:
                item.state.published = max(item.state.published, item.head, key=_rev)
                item.state.hear_of(item.head.rev)
        for state in (*gaps, *(item.state for item in items if item.state is not None)):
            state.busy -= 1

    async def _recover(self, gaps: set[ConversationState]) -> Unpublished:
        recovered = await _persistently(lambda: read_unpublished(self._store, gaps))
        RECOVERED.inc(len(recovered.entries))
        for state in recovered.unfinished:
            self.mark_gap(state)
        return recovered


def _best(entries: Sequence[Entry], items: Iterable[_Item]) -> Iterable[_Item]:
    """What the store tells of; of messages that are at hand too, those: the store doesn't know how they came."""
    if not entries:
        return
    at_hand = {
        (item.state, item.head.rev): item
        for item in items
        if item.head is not None and item.event.HasField("message_created")
    }
    for entry in entries:
        item = at_hand.get((entry.state, entry.head.rev)) if entry.event.HasField("message_created") else None
        yield item or _Item(entry.event, entry.state, entry.head)


def _unpublished(items: Iterable[_Item], recovered: Unpublished) -> Iterable[_Item]:
    """Items but for those of entries that the store told of, now or before, or will tell of."""
    reached = {entry.state: entry.head.rev for entry in recovered.entries}
    for item in items:
        if item.state is None or item.head is None:
            yield item
        elif item.state in recovered.unfinished:
            continue
        elif item.head.rev > max(item.state.published.rev, reached.get(item.state, 0)):
            yield item


async def _persistently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Repeats an attempt until the store and the log answer, with full jitter between."""
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
