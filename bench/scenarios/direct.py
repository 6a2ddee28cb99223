"""Direct messages in a closed loop: each pair keeps a fixed number of messages in flight."""

from __future__ import annotations

from bench.conversation import Conversation, all_settled
from bench.figures import Figures
from bench.scenarios.pairs import open_window, pairs
from bench.system import System


async def direct(system: System, *, pair_count: int, in_flight: int, warm_up_seconds: float, seconds: float) -> Figures:
    """Measures acknowledged and delivered messages a second, and their latencies."""
    sending = True

    def send_next(conversation: Conversation) -> None:
        if sending:
            conversation.send()

    window = open_window(system)
    conversations = await pairs(system, pair_count, window, send_next)
    for conversation in conversations:
        for _ in range(in_flight):
            conversation.send()
    await window.measure(warm_up_seconds, seconds)
    sending = False
    await all_settled(conversations)
    return window.figures()
