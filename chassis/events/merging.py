"""Several endless sources, read as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Generic, NamedTuple, TypeVar

from chassis.process.supervise import end_tasks

T = TypeVar("T")


class _Given(NamedTuple, Generic[T]):
    """An item of a source, which goes on when it was taken."""

    item: T
    taken: asyncio.Event


class _Failure(NamedTuple):
    """What a source raised, in its place among what it gave."""

    error: Exception


async def merged(sources: Sequence[AsyncGenerator[T]]) -> AsyncGenerator[T]:
    """Gives the items of all sources as they come, those of each in its order; raises what a source raises.

    No source comes twice before another that has something. They are closed with the reader.
    """
    if len(sources) == 1:
        async with aclosing(sources[0]) as only:
            async for item in only:
                yield item
    queue: asyncio.Queue[_Given[T] | _Failure] = asyncio.Queue()
    readers = [asyncio.create_task(_read(source, queue)) for source in sources]
    try:
        while True:
            found = await queue.get()
            if isinstance(found, _Failure):
                raise found.error
            found.taken.set()
            yield found.item
    finally:
        # Goes on to its end, though whoever cancels us may do so again meanwhile.
        await asyncio.shield(end_tasks(readers))


async def _read(source: AsyncGenerator[T], queue: asyncio.Queue[_Given[T] | _Failure]) -> None:
    """Reads a source, and closes it; so nobody else runs it at that moment."""
    async with aclosing(source):
        try:
            async for item in source:
                taken = asyncio.Event()
                queue.put_nowait(_Given(item, taken))
                await taken.wait()
        except Exception as error:  # not to be lost: whoever reads all sources raises it
            queue.put_nowait(_Failure(error))
