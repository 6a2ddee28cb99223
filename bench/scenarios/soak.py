"""Memory growth at a steady rate over a long time."""

from __future__ import annotations

import asyncio
from typing import Final

from bench.conversation import all_settled
from bench.figures import Figures
from bench.meter import GENERATOR, Meter
from bench.parley import Parley
from bench.scenarios.pairs import open_window, pairs
from bench.scenarios.rate import keep_sending_while

_STORES: Final = frozenset({"mongod", "valkey"})  # they cache up to their own limits


async def soak(
    system: Parley, *, pair_count: int, per_second: float, warm_up_seconds: float, seconds: float
) -> Figures:
    """Measures the growth of each part's resident memory after a warm-up, in percent, and the latencies."""
    window, meter = open_window(system), Meter(system.pids)
    conversations = await pairs(system, pair_count, window, lambda _: None)
    async with keep_sending_while(conversations, per_second):
        await asyncio.sleep(warm_up_seconds)
        before = {part: meter.memory_kib(part) for part in meter.parts}
        await window.measure(0, seconds)
        after = {part: meter.memory_kib(part) for part in meter.parts}
    await all_settled(conversations)
    ours = sorted(set(meter.parts) - _STORES - {GENERATOR})
    growth = {f"{part}_growth_percent": (after[part] / before[part] - 1) * 100 for part in ours}
    sizes = {f"{part}_memory_kib": after[part] for part in ours}
    return {"offered_per_s": per_second, "seconds": seconds} | growth | sizes | window.figures()
