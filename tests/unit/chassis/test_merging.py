"""Merged sources lose no item, and end with the reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from chassis.events.merging import merge

TIMEOUT = 60.0


class Source:
    """Yields numbers until it fails, and records that it was closed."""

    def __init__(self, name: str, fails_at: int = -1) -> None:
        self.name = name
        self.fails_at = fails_at
        self.yielded = 0
        self.closed = False

    async def items(self) -> AsyncGenerator[str]:
        try:
            while self.yielded != self.fails_at:
                self.yielded += 1
                yield f"{self.name}{self.yielded}"
                await asyncio.sleep(0)
            raise OSError(self.name)
        finally:
            self.closed = True


async def _first(sources: list[Source], count: int) -> list[str]:
    taken: list[str] = []
    async with asyncio.timeout(TIMEOUT), aclosing(merge([source.items() for source in sources])) as merged:
        while len(taken) < count:
            taken.append(await anext(merged))
    return taken


@pytest.mark.parametrize("names", ["a", "abc"])
async def test_each_sources_items_are_in_order_and_none_starves(names: str) -> None:
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
async def test_a_sources_error_is_raised_after_its_items(names: str) -> None:
    sources = [Source(name, fails_at=3 if name == "a" else -1) for name in names]
    taken: list[str] = []
    with pytest.raises(OSError, match="a"):
        async with asyncio.timeout(TIMEOUT), aclosing(merge([source.items() for source in sources])) as merged:
            async for item in merged:
                taken.append(item)  # noqa: PERF401  # keeps the items before the error

    assert [item for item in taken if item[0] == "a"] == ["a1", "a2", "a3"]
    assert all(source.closed for source in sources)


async def test_a_source_continues_once_its_item_is_taken() -> None:
    source = Source("a")
    async with aclosing(merge([source.items(), Source("b").items()])) as merged:
        await anext(merged)
        for _ in range(100):
            await asyncio.sleep(0)
        assert source.yielded <= 3


async def test_a_reader_may_be_cancelled_again_while_sources_close_slowly() -> None:
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
        async for _ in merge([reluctant(), reluctant()]):
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
