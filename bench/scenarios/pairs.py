"""Pairs of users with a direct conversation, for the scenarios that measure direct messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bench.conversation import Conversation
from bench.meter import Meter
from bench.system import System
from bench.window import Window

_CONNECTING_AT_ONCE = 64


async def pairs(
    system: System, count: int, window: Window, on_acknowledged: Callable[[Conversation], None]
) -> list[Conversation]:
    """Creates `count` pairs, each with two connections and a direct conversation."""
    users = await system.create_users(2 * count)
    semaphore = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def connect(index: int) -> Conversation:
        one, other = users[2 * index : 2 * index + 2]
        async with semaphore:
            sender, listener = await system.connect(one), await system.connect(other)
            conversation_id = await system.direct(sender, other)
        return Conversation(conversation_id, sender, [listener], window, on_acknowledged, in_order=system.in_order)

    return await asyncio.gather(*map(connect, range(count)))


def open_window(system: System) -> Window:
    """Returns a window that meters the system's processes."""
    return Window(Meter(system.pids))
