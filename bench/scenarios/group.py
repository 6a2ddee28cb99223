"""One sender into a large group, all of whose members are connected."""

from __future__ import annotations

import asyncio

from bench.conversation import Conversation, all_settled
from bench.figures import Figures
from bench.scenarios.talking import window_of
from bench.sockets import Socket
from bench.system import System

_CONNECTING_AT_ONCE = 64


async def group(system: System, *, members: int, in_flight: int, warm_up_seconds: float, seconds: float) -> Figures:
    """Deliveries a second, and how long they take; nobody may be dropped."""
    people = await system.people(members)
    gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def join(index: int) -> Socket:
        async with gate:
            return await system.connect(people[index])

    sockets = await asyncio.gather(*map(join, range(members)))
    conversation_id = await system.group(sockets[0], people[1:])
    going = True

    def then(conversation: Conversation) -> None:
        if going:
            conversation.send()

    window = window_of(system)
    conversation = Conversation(conversation_id, sockets[0], sockets[1:], window, then, in_order=system.in_order)
    for _ in range(in_flight):
        conversation.send()
    await window.measure(warm_up_seconds, seconds)
    going = False
    await all_settled([conversation])
    return window.figures()
