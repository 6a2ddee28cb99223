"""Tests of coalesced lookups: each as fresh as a lookup of its own, and fewer of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chat.lookup_coalescer import MAX_KEYS, LookupCoalescer


class _Shelf:
    """Values that change, with a slow lookup."""

    def __init__(self) -> None:
        self.things: dict[int, int] = {}
        self.lookups: list[set[int]] = []
        self.fails = False

    async def load(self, keys: Collection[int]) -> dict[int, int]:
        self.lookups.append(set(keys))
        values = {key: self.things[key] for key in keys if key in self.things}
        await asyncio.sleep(0.001)
        if self.fails:
            raise ConnectionError
        return values


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40))
async def test_everybody_gets_what_was_true_when_they_asked_or_later(asks: list[tuple[int, int]]) -> None:
    shelf = _Shelf()
    merged: LookupCoalescer[int, int] = LookupCoalescer(shelf.load)

    async def ask(key: int) -> None:
        before = shelf.things.get(key, 0)
        values = await merged.get([key])
        assert values.get(key, 0) >= before

    tasks = []
    for step, (key, back_off) in enumerate(asks, start=1):
        shelf.things[key] = step
        tasks.append(asyncio.create_task(ask(key)))
        for _ in range(back_off):
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)


async def test_what_comes_meanwhile_goes_together() -> None:
    shelf = _Shelf()
    shelf.things = {n: n for n in range(100)}
    merged: LookupCoalescer[int, int] = LookupCoalescer(shelf.load)
    answers = await asyncio.gather(*(merged.get([n, n + 1]) for n in range(99)))
    assert answers == [{n: n, n + 1: n + 1} for n in range(99)]
    assert len(shelf.lookups) == 1


async def test_a_lookup_has_only_so_many_keys() -> None:
    shelf = _Shelf()
    merged: LookupCoalescer[int, int] = LookupCoalescer(shelf.load)
    await asyncio.gather(*(merged.get([n]) for n in range(3 * MAX_KEYS)))
    assert max(map(len, shelf.lookups)) <= MAX_KEYS


async def test_nothing_is_looked_up_for_nobody() -> None:
    shelf = _Shelf()
    assert await LookupCoalescer(shelf.load).get([]) == {}
    assert not shelf.lookups


async def test_a_failure_is_everybodys_and_the_next_lookup_goes_on() -> None:
    shelf = _Shelf()
    shelf.fails = True
    merged: LookupCoalescer[int, int] = LookupCoalescer(shelf.load)
    outcomes = await asyncio.gather(merged.get([1]), merged.get([2]), return_exceptions=True)
    assert all(isinstance(outcome, ConnectionError) for outcome in outcomes)
    shelf.fails = False
    shelf.things[1] = 7
    assert await merged.get([1]) == {1: 7}


async def test_a_caller_that_goes_away_takes_nothing_from_the_others() -> None:
    shelf = _Shelf()
    shelf.things[1] = 7
    merged: LookupCoalescer[int, int] = LookupCoalescer(shelf.load)
    leaving = asyncio.create_task(merged.get([1]))
    staying = asyncio.create_task(merged.get([1]))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == {1: 7}
    with pytest.raises(asyncio.CancelledError):
        await leaving
