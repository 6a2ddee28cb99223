"""Concurrent callers share one call."""

from __future__ import annotations

import asyncio

import pytest

from chassis.single_flight import SingleFlight


class Call:
    """A call that tests finish."""

    def __init__(self) -> None:
        self.count = 0
        self.done = asyncio.get_running_loop().create_future()

    async def __call__(self) -> int:
        self.count += 1
        return int(await self.done)


async def test_concurrent_callers_of_one_key_share_a_call() -> None:
    flight, call, other = SingleFlight[str, int](), Call(), Call()
    waiting = [asyncio.create_task(flight.run("a", call)) for _ in range(5)]
    waiting.append(asyncio.create_task(flight.run("b", other)))
    await asyncio.sleep(0)
    call.done.set_result(1)
    other.done.set_result(2)
    assert await asyncio.gather(*waiting) == [1, 1, 1, 1, 1, 2]
    assert (call.count, other.count) == (1, 1)


async def test_a_later_caller_makes_a_new_call() -> None:
    flight, call = SingleFlight[str, int](), Call()
    call.done.set_result(1)
    assert [await flight.run("a", call), await flight.run("a", call)] == [1, 1]
    assert call.count == 2


async def test_all_callers_get_the_error_and_the_next_one_tries_again() -> None:
    flight, call = SingleFlight[str, int](), Call()
    waiting = [asyncio.create_task(flight.run("a", call)) for _ in range(3)]
    await asyncio.sleep(0)
    call.done.set_exception(ValueError("no"))
    assert [type(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == [ValueError] * 3
    with pytest.raises(ValueError, match="no"):
        await flight.run("a", call)
    assert call.count == 2


async def test_a_cancelled_caller_leaves_the_call_to_the_others() -> None:
    flight, call = SingleFlight[str, int](), Call()
    first, second = (asyncio.create_task(flight.run("a", call)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    call.done.set_result(1)
    assert await second == 1
    assert first.cancelled()
