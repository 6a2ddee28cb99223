"""Idle connections: how fast they open, and their memory and CPU."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from bench.figures import Figures
from bench.meter import GENERATOR, Meter
from bench.parley import Parley
from bench.sockets import BenchError, Socket

_USERS_PER_ORGANIZATION: Final = 50  # users of one organization, who see each other's presence
_CONNECTING_AT_ONCE: Final = 128


async def connections(system: Parley, *, count: int, rest_seconds: float) -> Figures:
    """Connects `count` users of many organizations, then leaves them idle for `rest_seconds`."""
    users = [
        user
        for _ in range(-(-count // _USERS_PER_ORGANIZATION))
        for user in await system.create_users(_USERS_PER_ORGANIZATION)
    ][:count]
    meter = Meter(system.pids)
    memory_before, began = meter.memory_kib("gateway"), time.perf_counter()
    semaphore = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def connect(index: int) -> Socket:
        async with semaphore:
            return await system.connect(users[index])

    sockets = await asyncio.gather(*map(connect, range(count)))
    connected = time.perf_counter() - began
    await asyncio.sleep(2)  # for work that connecting left behind
    before = meter.read()
    await asyncio.sleep(rest_seconds)
    after = meter.read()
    memory = meter.memory_kib("gateway") - memory_before
    if any(socket.closed for socket in sockets):
        raise BenchError("connections were closed while idle")
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
