"""Batches many small requests of many connections into few calls; carries messages and signals.

A call with one item costs about as much as one with hundreds. Items submitted during a call go together in the next
one, and calls keep a minimum distance: the first item after a pause is sent at once, and a steady stream costs one call
every few milliseconds. A lane has one call in flight, so its items are carried in the order of submission.
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
_FORWARDED: Final = frozenset({Category.UNAVAILABLE, Category.DEADLINE_EXCEEDED, Category.RESOURCE_EXHAUSTED})

_log = logger("batches")

I = TypeVar("I")  # noqa: E741  # an item
O = TypeVar("O")  # noqa: E741  # its outcome

Answer = Callable[["O | AppError"], None]
Exchange = Callable[[int, Sequence[I]], Awaitable[Sequence[O]]]
"""Sends the items of a lane, and returns their outcomes in the same order. Raises AppError."""


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
    """The waiting entries of one lane, in the order of submission; those with a key also by that key."""

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
        # Taken entries must not be merged into. Forgetting the other keys too costs a merge, never a signal.
        self.by_key.clear()
        if not self.entries:
            self.wake.clear()
        return taken


class Batcher(Generic[I, O]):
    """Batches one type of item.

    Args:
        name: the name in metrics and logs.
        exchange: sends a batch.
        merge: merges two items with the same key into one: (earlier, later).
        lanes: the number of lanes.
        capacity: the most items that may wait in a lane.
        now: returns the time in seconds, of a monotonic clock.
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
        """Queues an item; `answer` is called once, later, with its outcome or the error.

        An item is merged into a waiting one with the same key.

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
                "OVERLOADED", "the queue is full; try again soon", retry_after_ms=_OVERLOADED_RETRY_MS
            )
        waiting.add(_Entry(item, answer, self._now()), key)

    async def run(self) -> None:
        """Carries submitted items, for ever; to be supervised."""
        async with asyncio.TaskGroup() as group:
            for number, lane in enumerate(self._lanes):
                group.create_task(self._run_lane(number, lane), name=f"{self._name}-{number}")

    async def _run_lane(self, number: int, lane: _Lane[I, O]) -> None:
        while True:
            await lane.wake.wait()
            entries = self._without_expired(lane.take())
            if entries:
                next_call = self._now() + CALL_DISTANCE_SECONDS
                await self._carry(number, entries)
                await asyncio.sleep(max(0.0, next_call - self._now()))

    def _without_expired(self, entries: list[_Entry[I, O]]) -> list[_Entry[I, O]]:
        oldest = self._now() - MAX_WAIT_SECONDS
        if not entries or entries[0].since >= oldest:
            return entries
        error = DeadlineExceededError(
            "DEADLINE_EXCEEDED", "the request waited too long", retry_after_ms=_RETRY_AFTER_MS
        )
        for entry in entries:
            if entry.since < oldest:
                entry.answer(error)
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
        _log.warning("batch_failed", batches=self._name, items=len(entries), reason=error.reason, error=error.message)
        error = error_for_users(error)
        for entry in entries:
            entry.answer(error)


def error_for_users(error: AppError) -> AppError:
    """Returns the error of every item of a failed call: one about the gateway itself, such as its token, is hidden."""
    if error.category not in _FORWARDED:
        return UnavailableError("SERVICE_UNAVAILABLE", "try again soon", retry_after_ms=_RETRY_AFTER_MS)
    if error.retry_after_ms is None:
        error.retry_after_ms = _RETRY_AFTER_MS
    return error
