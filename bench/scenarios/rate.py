"""Direct messages in an open loop at a fixed rate; latencies count from when each message was due."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.conversation import Conversation, all_settled
from bench.figures import Figures
from bench.scenarios.pairs import open_window, pairs
from bench.system import System

_TICK_SECONDS = 0.002


async def rate(
    system: System, *, pair_count: int, per_second: float, warm_up_seconds: float, seconds: float
) -> Figures:
    """Measures latencies at a given rate. A sender that falls behind does not improve the figures."""
    window = open_window(system)
    conversations = await pairs(system, pair_count, window, _nothing)
    async with keep_sending_while(conversations, per_second):
        await window.measure(warm_up_seconds, seconds)
    await all_settled(conversations)
    return {"offered_per_s": per_second, **window.figures()}


@asynccontextmanager
async def keep_sending_while(conversations: Sequence[Conversation], per_second: float) -> AsyncIterator[None]:
    """Sends `per_second` messages a second over all conversations in turn, while the context is open."""
    sending = asyncio.create_task(_keep_sending(conversations, per_second))
    try:
        yield
    finally:
        sending.cancel()


async def _keep_sending(conversations: Sequence[Conversation], per_second: float) -> None:
    due, interval = time.perf_counter(), 1.0 / per_second
    for conversation in itertools.cycle(conversations):
        while due > time.perf_counter():  # noqa: ASYNC110  # waits for a time, not an event
            await asyncio.sleep(_TICK_SECONDS)
        conversation.send(at=due)
        due += interval


def _nothing(conversation: Conversation) -> None:
    pass
