"""Direct messages, closed loop: pairs who each keep so many messages in flight."""

from __future__ import annotations

from bench.conversation import Conversation, all_settled
from bench.figures import Figures
from bench.scenarios.talking import pairs, window_of
from bench.system import System


async def direct(system: System, *, pair_count: int, in_flight: int, warm_up_seconds: float, seconds: float) -> Figures:
    """Acknowledged and delivered messages a second, and how long they take."""
    going = True

    def then(conversation: Conversation) -> None:
        if going:
            conversation.send()

    window = window_of(system)
    conversations = await pairs(system, pair_count, window, then)
    for conversation in conversations:
        for _ in range(in_flight):
            conversation.send()
    await window.measure(warm_up_seconds, seconds)
    going = False
    await all_settled(conversations)
    return window.figures()
