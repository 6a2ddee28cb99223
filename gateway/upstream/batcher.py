"""Many small requests of many connections, carried in few calls: the mechanism behind messages and signals.

A call costs the same with one item or hundreds, so whatever is offered while a call is under way goes together in
the next, and calls keep a little distance: the first item after a rest goes at once, and a steady stream of them costs
a call each few milliseconds. Each lane has one call in flight, so items of one lane are carried in the order in which
they were offered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar

from chassis.errors import (
    AppError,
    Category,
    DeadlineExceededError,
    InternalError,
    ResourceExhaustedError,
    UnavailableError,
)
from chassis.process.logs import logger
from gateway.metrics import BATCH_ITEMS, BATCH_SECONDS

MAX_ITEMS_PER_CALL: Final = 1_000
MAX_WAIT_SECONDS: Final = 5.0
CALL_DISTANCE_SECONDS: Final = 0.005
_RETRY_AFTER_MS: Final = 1_000
_OVERLOADED_RETRY_MS: Final = 500
_PASSED_ON: Final = frozenset({Category.UNAVAILABLE, Category.DEADLINE_EXCEEDED, Category.RESOURCE_EXHAUSTED})

_log = logger("batches")

I = TypeVar("I")  # noqa: E741  # an item
O = TypeVar("O")  # noqa: E741  # its outcome

Answer = Callable[["O | AppError"], None]
Exchange = Callable[[int, Sequence[I]], Awaitable[Sequence[O]]]
"""Carries items of a lane, and returns their outcomes in the same order. Raises AppError."""


class _Entry(Generic[I, O]):
    __slots__ = ("answers", "item", "since")

    def __init__(self, item: I, answer: Answer[O], since: float) -> None:
        self.item = item
        self.answers = [answer]
        self.since = since

    def answer(self, outcome: O | AppError) -> None:
        for answer in self.answers:
            answer(outcome)


class _Lane(Generic[I, O]):
    """What waits in one lane: entries in the order of the offers, those with a key also by it."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.entries: list[_Entry[I, O]] = []
        self.by_key: dict[Hashable, _Entry[I, O]] = {}

    def add(self, entry: _Entry[I, O], key: Hashable | None) -> None:
        self.entries.append(entry)
        if key is not None:
            self.by_key[key] = entry
        self.wake.set()

    def take(self) -> list[_Entry[I, O]]:
        taken, self.entries = self.entries[:MAX_ITEMS_PER_CALL], self.entries[MAX_ITEMS_PER_CALL:]
        # What was taken can't be merged with any more; forgetting the rest costs a merge, never a signal.
        self.by_key.clear()
        if not self.entries:
            self.wake.clear()
        return taken


class Batcher(Generic[I, O]):
    """The batches of one kind of item.

    Args:
        name: for metrics and logs.
        exchange: carries a batch.
        merge: makes one item of two with the same key: the earlier, then the later.
        lanes: how many there are.
        capacity: how many items may wait in each.
        now: seconds of a clock that only moves forward.
    """

    def __init__(
        self,
        name: str,
        exchange: Exchange[I, O],
        *,
        merge: Callable[[I, I], I] | None = None,
        lanes: int,
        capacity: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._exchange = exchange
        self._merge = merge
        self._capacity = capacity
        self._now = now
        self._lanes: list[_Lane[I, O]] = [_Lane() for _ in range(lanes)]
        self._items = BATCH_ITEMS.labels(name)
        self._seconds = BATCH_SECONDS.labels(name)

    def __len__(self) -> int:
        return sum(len(lane.entries) for lane in self._lanes)

    def submit(self, lane: int, item: I, answer: Answer[O], key: Hashable | None = None) -> None:
        """Takes an item; `answer` is called once, later, with its outcome or with what went wrong.

        An item with the key of one that still waits is merged into that one.

        Raises:
            ResourceExhaustedError: OVERLOADED: the lane is full.
        """
        waiting = self._lanes[lane]
        same = waiting.by_key.get(key) if key is not None else None
        if same is not None and self._merge is not None:
            same.item = self._merge(same.item, item)
            same.answers.append(answer)
            return
        if len(waiting.entries) >= self._capacity:
            raise ResourceExhaustedError(
                "OVERLOADED", "too much is waiting; try again soon", retry_after_ms=_OVERLOADED_RETRY_MS
            )
        waiting.add(_Entry(item, answer, self._now()), key)

    async def run(self) -> None:
        """Carries what is offered, for ever; to be supervised."""
        async with asyncio.TaskGroup() as group:
            for number, lane in enumerate(self._lanes):
                group.create_task(self._run_lane(number, lane), name=f"{self._name}-{number}")

    async def _run_lane(self, number: int, lane: _Lane[I, O]) -> None:
        while True:
            await lane.wake.wait()
            entries = self._still_wanted(lane.take())
            if entries:
                next_call = self._now() + CALL_DISTANCE_SECONDS
                await self._carry(number, entries)
                await asyncio.sleep(max(0.0, next_call - self._now()))

    def _still_wanted(self, entries: list[_Entry[I, O]]) -> list[_Entry[I, O]]:
        oldest = self._now() - MAX_WAIT_SECONDS
        if not entries or entries[0].since >= oldest:
            return entries
        late = DeadlineExceededError("DEADLINE_EXCEEDED", "it waited too long", retry_after_ms=_RETRY_AFTER_MS)
        for entry in entries:
            if entry.since < oldest:
                entry.answer(late)
        return [entry for entry in entries if entry.since >= oldest]

    async def _carry(self, number: int, entries: list[_Entry[I, O]]) -> None:
        began = self._now()
        self._items.observe(len(entries))
        try:
            outcomes = await self._exchange(number, [entry.item for entry in entries])
            if len(outcomes) != len(entries):
                raise InternalError("INTERNAL", f"{len(outcomes)} outcomes for {len(entries)} items")
        except AppError as error:
            self._fail(entries, error)
            return
        self._seconds.observe(self._now() - began)
        for entry, outcome in zip(entries, outcomes, strict=True):
            entry.answer(outcome)

    def _fail(self, entries: list[_Entry[I, O]], error: AppError) -> None:
        """Answers every item; a client is not told of what is between chat and us, such as our own token."""
        _log.warning("batch_failed", batcher=self._name, items=len(entries), reason=error.reason, error=error.message)
        if error.category not in _PASSED_ON:
            error = UnavailableError("SERVICE_UNAVAILABLE", "try again soon", retry_after_ms=_RETRY_AFTER_MS)
        elif error.retry_after_ms is None:
            error.retry_after_ms = _RETRY_AFTER_MS
        for entry in entries:
            entry.answer(error)
