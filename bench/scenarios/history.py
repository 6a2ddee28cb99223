"""Reads of a long conversation: its latest page, and pages of history and of changes from random positions."""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from typing import Final

from bench.figures import Figures, latencies
from bench.meter import Meter, cost
from bench.parley import Parley
from bench.sockets import BenchError, Socket

_PAGE: Final = 50
_WRITES_IN_FLIGHT: Final = 800


async def history(system: Parley, *, length: int, readers: int, seconds: float) -> Figures:
    """Measures reads a second in a conversation of `length` messages; each reader has one in flight."""
    one, other = await system.create_users(2)
    writer = await system.connect(one)
    key = await system.direct(writer, other)
    await _write(writer, key, length)
    sockets = [await system.connect(one if n % 2 else other) for n in range(readers)]
    figures: Figures = {"length": float(length)}
    for name, op, place in (
        ("latest", "message.list", ""),
        ("pages", "message.list", "beforeSeq"),
        ("syncs", "message.sync", "afterRev"),
    ):
        meter, took = Meter(system.pids), array("d")
        before, until = meter.read(), time.perf_counter() + seconds

        async def read(socket: Socket, op: str = op, place: str = place) -> None:
            while (began := time.perf_counter()) < until:  # noqa: B023  # read ends before the loop goes on
                body = {"conversationId": key, "pageSize": _PAGE}
                if place:
                    body[place] = random.randint(_PAGE + 1, length - _PAGE)
                if len((await socket.ask(op, body))["messages"]) != _PAGE:
                    raise BenchError("a page was not full")
                took.append(time.perf_counter() - began)  # noqa: B023

        await asyncio.gather(*map(read, sockets))
        used = cost(before, meter.read(), len(took))
        figures |= {f"{name}_per_s": len(took) / seconds, **latencies(name, took)}
        figures[f"{name}_cpu_servers_us"] = used["cpu_servers_us"]
    return figures


async def _write(writer: Socket, key: str, length: int) -> None:
    """Fills the conversation, with many messages in flight."""
    done, sent, acknowledged = asyncio.Event(), 0, 0

    def send() -> None:
        nonlocal sent
        if sent < length:
            sent += 1
            writer.send(key, sent)

    def acked(number: int) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if acknowledged == length:
            done.set()
        send()

    writer.acknowledged = acked
    for _ in range(_WRITES_IN_FLIGHT):
        send()
    await done.wait()
