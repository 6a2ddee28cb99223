"""Answers that are remembered for a while."""

from __future__ import annotations

import asyncio

import pytest

from chassis.errors import UnavailableError
from gateway.rest.readiness import TtlCache


class Source:
    """Counts how often it is asked, and answers that number."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False

    async def ask(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise UnavailableError("GONE", "gone")
        return self.asked


async def test_a_fresh_answer_is_given_again() -> None:
    source = Source()
    remembered = TtlCache(3_600, source.ask)
    assert [await remembered.get(), await remembered.get()] == [1, 1]


async def test_an_old_answer_is_asked_for_again() -> None:
    source = Source()
    remembered = TtlCache(0, source.ask)
    assert [await remembered.get(), await remembered.get()] == [1, 2]


async def test_who_asks_at_the_same_time_shares_a_question() -> None:
    source = Source()
    remembered = TtlCache(3_600, source.ask)
    assert await asyncio.gather(*(remembered.get() for _ in range(20))) == [1] * 20


async def test_a_failure_is_raised_and_not_cached() -> None:
    source = Source()
    source.fails = True
    remembered = TtlCache(3_600, source.ask)
    with pytest.raises(UnavailableError):
        await remembered.get()
    source.fails = False
    assert await remembered.get() == 2
