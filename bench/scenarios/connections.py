"""Idle connections: how fast they come, what each takes, and what they cost while nothing happens."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from bench.figures import Figures
from bench.meter import GENERATOR, Meter
from bench.parley import Parley
from bench.sockets import BenchError, Socket

_COMPANY: Final = 50  # users of one organization, who hear of each other's presence
_CONNECTING_AT_ONCE: Final = 128


async def connections(system: Parley, *, count: int, rest_seconds: float) -> Figures:
    """Connects so many users of many organizations, then lets them rest."""
    people = [person for _ in range(-(-count // _COMPANY)) for person in await system.people(_COMPANY)][:count]
    meter = Meter(system.pids)
    memory_before, began = meter.memory_kib("gateway"), time.perf_counter()
    gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def come(index: int) -> Socket:
        async with gate:
            return await system.connect(people[index])

    sockets = await asyncio.gather(*map(come, range(count)))
    connected = time.perf_counter() - began
    await asyncio.sleep(2)  # what connecting left to do
    before = meter.read()
    await asyncio.sleep(rest_seconds)
    after = meter.read()
    memory = meter.memory_kib("gateway") - memory_before
    if any(socket.closed for socket in sockets):
        raise BenchError("connections were closed while they rested")
    busy = {part: (after.cpu[part] - before.cpu[part]) / (after.at - before.at) for part in after.cpu}
    for socket in sockets:
        socket.close()
    return {
        "connections": float(count),
        "connect_all_s": connected,
        "connected_per_s": count / connected,
        "gateway_memory_each_kib": memory / count,
        **{f"rest_cpu_{part}_percent": share * 100 for part, share in sorted(busy.items()) if part != GENERATOR},
    }
