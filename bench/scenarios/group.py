"""One sender in a large group, all of whose members are connected."""

from __future__ import annotations

import asyncio

from bench.conversation import Conversation, all_settled
from bench.figures import Figures
from bench.scenarios.pairs import open_window
from bench.sockets import Socket
from bench.system import System

_CONNECTING_AT_ONCE = 64


async def group(system: System, *, members: int, in_flight: int, warm_up_seconds: float, seconds: float) -> Figures:
    """Measures deliveries a second and their latencies; fails if a member is disconnected."""
    users = await system.create_users(members)
    semaphore = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def join(index: int) -> Socket:
        async with semaphore:
            return await system.connect(users[index])

    sockets = await asyncio.gather(*map(join, range(members)))
    conversation_id = await system.group(sockets[0], users[1:])
    sending = True

    def send_next(conversation: Conversation) -> None:
        if sending:
            conversation.send()

    window = open_window(system)
    conversation = Conversation(conversation_id, sockets[0], sockets[1:], window, send_next, in_order=system.in_order)
    for _ in range(in_flight):
        conversation.send()
    await window.measure(warm_up_seconds, seconds)
    sending = False
    await all_settled([conversation])
    return window.figures()
