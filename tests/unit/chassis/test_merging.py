"""Several sources read as one: nothing of any is lost, and none outlives the reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from chassis.events.merging import merged

TIMEOUT = 60.0


class Source:
    """Gives numbers of its own for ever, or until it fails, and remembers that it was closed."""

    def __init__(self, name: str, fails_at: int = -1) -> None:
        self.name = name
        self.fails_at = fails_at
        self.given = 0
        self.closed = False

    async def items(self) -> AsyncGenerator[str]:
        try:
            while self.given != self.fails_at:
                self.given += 1
                yield f"{self.name}{self.given}"
                await asyncio.sleep(0)
            raise OSError(self.name)
        finally:
            self.closed = True


async def _first(sources: list[Source], count: int) -> list[str]:
    taken: list[str] = []
    async with asyncio.timeout(TIMEOUT), aclosing(merged([source.items() for source in sources])) as found:
        while len(taken) < count:
            taken.append(await anext(found))
    return taken


@pytest.mark.parametrize("names", ["a", "abc"])
async def test_each_source_is_given_in_its_order_and_none_waits_for_ever(names: str) -> None:
    taken = await _first([Source(name) for name in names], 300)

    for name in names:
        own = [item for item in taken if item[0] == name]
        assert own == [f"{name}{number}" for number in range(1, len(own) + 1)]
        assert own


@pytest.mark.parametrize("names", ["a", "abc"])
async def test_sources_are_closed_with_their_reader(names: str) -> None:
    sources = [Source(name) for name in names]
    await _first(sources, 5)

    assert all(source.closed for source in sources)


@pytest.mark.parametrize("names", ["a", "abc"])
async def test_what_a_source_raises_is_raised_after_what_it_gave(names: str) -> None:
    sources = [Source(name, fails_at=3 if name == "a" else -1) for name in names]
    taken: list[str] = []
    with pytest.raises(OSError, match="a"):
        async with asyncio.timeout(TIMEOUT), aclosing(merged([source.items() for source in sources])) as found:
            async for item in found:
                taken.append(item)  # noqa: PERF401  # what came before the error counts

    assert [item for item in taken if item[0] == "a"] == ["a1", "a2", "a3"]
    assert all(source.closed for source in sources)


async def test_a_source_goes_on_when_what_it_gave_was_taken() -> None:
    source = Source("a")
    async with aclosing(merged([source.items(), Source("b").items()])) as found:
        await anext(found)
        for _ in range(100):
            await asyncio.sleep(0)
        assert source.given <= 3


async def test_a_reader_may_be_cancelled_again_while_sources_take_their_time_to_close() -> None:
    closing, may_close, closed = asyncio.Event(), asyncio.Event(), 0

    async def reluctant() -> AsyncGenerator[str]:
        nonlocal closed
        try:
            while True:
                yield "item"
                await asyncio.sleep(3_600)
        finally:
            closing.set()
            while not may_close.is_set():
                try:
                    await may_close.wait()
                except asyncio.CancelledError:
                    continue
            closed += 1

    async def read() -> None:
        async for _ in merged([reluctant(), reluctant()]):
            pass

    reading = asyncio.create_task(read())
    for _ in range(10):
        await asyncio.sleep(0)
    async with asyncio.timeout(TIMEOUT):
        reading.cancel()
        await closing.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        may_close.set()
        while closed < 2:
            await asyncio.sleep(0)
