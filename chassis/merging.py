"""Several endless sources, read as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

from chassis.supervise import end_tasks

T = TypeVar("T")

_AHEAD: Final = 1
"""How many items wait for the reader: a source goes on when its item was taken."""


async def merged(sources: Sequence[AsyncGenerator[T]]) -> AsyncGenerator[T]:
    """Gives the items of all sources as they come, those of each in its order; raises what a source raises.

    The sources are closed with it.
    """
    if len(sources) == 1:
        async with aclosing(sources[0]) as only:
            async for item in only:
                yield item
        return
    queue: asyncio.Queue[T] = asyncio.Queue(_AHEAD)
    readers = [asyncio.create_task(_read(source, queue)) for source in sources]
    try:
        while True:
            yield await _next(queue, readers)
    finally:
        await end_tasks(readers)


async def _read(source: AsyncGenerator[T], queue: asyncio.Queue[T]) -> None:
    async with aclosing(source):
        async for item in source:
            await queue.put(item)


async def _next(queue: asyncio.Queue[T], readers: Sequence[asyncio.Task[None]]) -> T:
    """The next item, unless a reader failed: then what it failed of."""
    taking = asyncio.ensure_future(queue.get())
    try:
        await asyncio.wait([taking, *readers], return_when=asyncio.FIRST_COMPLETED)
        if taking.done():
            return taking.result()
        for reader in readers:
            if reader.done():
                reader.result()
        return await taking
    finally:
        taking.cancel()
