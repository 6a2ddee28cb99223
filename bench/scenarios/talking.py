"""Pairs who talk: the base of the scenarios that measure direct messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bench.conversation import Conversation
from bench.meter import Meter
from bench.system import System
from bench.window import Window

_CONNECTING_AT_ONCE = 64


async def pairs(system: System, count: int, window: Window, then: Callable[[Conversation], None]) -> list[Conversation]:
    """So many pairs, each with two connections and a direct conversation."""
    people = await system.people(2 * count)
    gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def meet(index: int) -> Conversation:
        one, other = people[2 * index : 2 * index + 2]
        async with gate:
            sender, listener = await system.connect(one), await system.connect(other)
            conversation_id = await system.direct(sender, other)
        return Conversation(conversation_id, sender, [listener], window, then, in_order=system.in_order)

    return await asyncio.gather(*map(meet, range(count)))


def window_of(system: System) -> Window:
    """A window that meters the system's processes."""
    return Window(Meter(system.pids))
