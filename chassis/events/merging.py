"""Merges several endless asynchronous generators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Generic, NamedTuple, TypeVar

from chassis.process.supervise import end_tasks

T = TypeVar("T")


class _Item(NamedTuple, Generic[T]):
    """An item of a source; the source continues once `taken` is set."""

    item: T
    taken: asyncio.Event


class _Failure(NamedTuple):
    """The error of a source, queued in order with its items."""

    error: Exception


async def merge(sources: Sequence[AsyncGenerator[T]]) -> AsyncGenerator[T]:
    """Yields the items of all sources as they arrive, those of one source in order; raises a source's error.

    No source yields twice while another one has an item waiting. Closing the generator closes the sources.
    """
    if len(sources) == 1:
        async with aclosing(sources[0]) as only:
            async for item in only:
                yield item
    queue: asyncio.Queue[_Item[T] | _Failure] = asyncio.Queue()
    readers = [asyncio.create_task(_read(source, queue)) for source in sources]
    try:
        while True:
            result = await queue.get()
            if isinstance(result, _Failure):
                raise result.error
            result.taken.set()
            yield result.item
    finally:
        await asyncio.shield(end_tasks(readers))  # finishes even if this task is cancelled again meanwhile


async def _read(source: AsyncGenerator[T], queue: asyncio.Queue[_Item[T] | _Failure]) -> None:
    """Reads a source and closes it. Only this task runs the source, so closing can't meet a running generator."""
    async with aclosing(source):
        try:
            async for item in source:
                taken = asyncio.Event()
                queue.put_nowait(_Item(item, taken))
                await taken.wait()
        except Exception as error:  # `merge` raises it
            queue.put_nowait(_Failure(error))
