"""A batcher keeps the order of each lane, answers every item once, and refuses items above its capacity."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import AppError, PermissionDeniedError, ResourceExhaustedError, UnavailableError
from gateway.upstream.batcher import MAX_ITEMS_PER_CALL, MAX_WAIT_SECONDS, Batcher


class Far:
    """The server: records the items, and answers each with itself."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, list[Any]]] = []
        self.under_way: dict[int, int] = {}
        self.most_under_way = 0
        self.error: AppError | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def exchange(self, lane: int, items: Sequence[Any]) -> Sequence[Any]:
        self.calls.append((lane, list(items)))
        self.under_way[lane] = self.under_way.get(lane, 0) + 1
        self.most_under_way = max(self.most_under_way, self.under_way[lane])
        await self.may_answer.wait()
        await asyncio.sleep(0)
        self.under_way[lane] -= 1
        if self.error is not None:
            raise self.error
        return list(items)


@asynccontextmanager
async def running(batcher: Batcher[Any, Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(batcher.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def settled(batcher: Batcher[Any, Any], answers: list[Any], expected: int) -> None:
    async with asyncio.timeout(20):
        while len(answers) < expected:
            await asyncio.sleep(0)
    assert len(batcher) == 0


@given(st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers()), max_size=8), max_size=8))
@settings(deadline=None)
async def test_items_of_a_lane_arrive_in_the_order_of_their_offers_and_are_answered_once(
    ticks: list[list[tuple[int, int]]],
) -> None:
    far, answers = Far(), list[tuple[int, Any]]()
    batcher: Batcher[Any, Any] = Batcher("test", far.exchange, lanes=3, capacity=1_000)
    offered: dict[int, list[Any]] = {0: [], 1: [], 2: []}
    async with running(batcher):
        for tick in ticks:
            for lane, value in tick:
                item = (len(offered[lane]), value)
                offered[lane].append(item)
                batcher.submit(lane, item, lambda outcome, lane=lane: answers.append((lane, outcome)))  # type: ignore[misc]
            await asyncio.sleep(0)
        await settled(batcher, answers, sum(map(len, ticks)))
    for lane, items in offered.items():
        assert [item for called, carried in far.calls for item in carried if called == lane] == items
        assert [outcome for answered, outcome in answers if answered == lane] == items
    assert far.most_under_way <= 1


async def test_what_comes_while_a_call_is_under_way_goes_together_in_the_next() -> None:
    far, answers = Far(), list[Any]()
    batcher: Batcher[int, int] = Batcher("test", far.exchange, lanes=1, capacity=10_000)
    far.may_answer.clear()
    async with running(batcher):
        batcher.submit(0, 0, answers.append)
        await asyncio.sleep(0.01)
        for n in range(1, MAX_ITEMS_PER_CALL + 3):
            batcher.submit(0, n, answers.append)
        far.may_answer.set()
        await settled(batcher, answers, MAX_ITEMS_PER_CALL + 3)
    assert [len(items) for _, items in far.calls] == [1, MAX_ITEMS_PER_CALL, 2]


async def test_items_with_one_key_become_one_and_each_is_answered() -> None:
    far, answers = Far(), list[Any]()
    batcher: Batcher[int, int] = Batcher("test", far.exchange, merge=max, lanes=1, capacity=10)
    async with running(batcher):
        for value in (3, 9, 5):
            batcher.submit(0, value, answers.append, key="a")
        batcher.submit(0, 1, answers.append, key="b")
        await settled(batcher, answers, 4)
    assert far.calls == [(0, [9, 1])]
    assert sorted(answers) == [1, 9, 9, 9]


async def test_a_full_lane_refuses_with_a_time_to_try_again_and_others_go_on() -> None:
    far = Far()
    batcher: Batcher[int, int] = Batcher("test", far.exchange, lanes=2, capacity=2)
    batcher.submit(0, 1, lambda _: None)
    batcher.submit(0, 2, lambda _: None)
    with pytest.raises(ResourceExhaustedError) as refusal:
        batcher.submit(0, 3, lambda _: None)
    assert refusal.value.reason == "OVERLOADED"
    assert refusal.value.retry_after_ms
    batcher.submit(1, 3, lambda _: None)


@pytest.mark.parametrize(
    "error", [UnavailableError("STORE_UNAVAILABLE", "x"), PermissionDeniedError("NOT_ALLOWED", "x")]
)
async def test_a_failed_call_answers_every_item_with_an_error_to_retry_and_the_next_goes_on(error: AppError) -> None:
    far, answers = Far(), list[Any]()
    batcher: Batcher[int, int] = Batcher("test", far.exchange, lanes=1, capacity=10)
    async with running(batcher):
        far.error = error
        batcher.submit(0, 1, answers.append)
        batcher.submit(0, 2, answers.append)
        await settled(batcher, answers, 2)
        assert all(isinstance(answer, UnavailableError) and answer.retry_after_ms for answer in answers)
        far.error = None
        batcher.submit(0, 3, answers.append)
        await settled(batcher, answers, 3)
    assert answers[2] == 3


async def test_outcomes_that_do_not_match_the_items_are_nobodys() -> None:
    answers = list[Any]()

    async def too_few(_: int, items: Sequence[int]) -> Sequence[int]:
        return items[1:]

    batcher: Batcher[int, int] = Batcher("test", too_few, lanes=1, capacity=10)
    async with running(batcher):
        batcher.submit(0, 1, answers.append)
        batcher.submit(0, 2, answers.append)
        await settled(batcher, answers, 2)
    assert all(isinstance(answer, UnavailableError) for answer in answers)


async def test_what_waited_too_long_is_not_carried_any_more() -> None:
    far, answers, clock = Far(), list[Any](), [100.0]
    batcher: Batcher[int, int] = Batcher("test", far.exchange, lanes=1, capacity=10, now=lambda: clock[0])
    batcher.submit(0, 1, answers.append)
    clock[0] += MAX_WAIT_SECONDS + 1
    batcher.submit(0, 2, answers.append)
    async with running(batcher):
        await settled(batcher, answers, 2)
    assert far.calls == [(0, [2])]
    assert isinstance(answers[0], AppError)
    assert answers[0].reason == "DEADLINE_EXCEEDED"
    assert answers[1] == 2
