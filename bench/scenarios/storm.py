"""Everybody comes back at once, each with conversations to catch up on."""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Final

from bench.figures import Figures, latencies
from bench.meter import Meter, cost
from bench.parley import Parley
from bench.sockets import BenchError, RefusedError, Socket
from bench.system import Person

CONVERSATIONS: Final = 20
CHANGES: Final = 50
_AT_ONCE: Final = 32


async def storm(system: Parley, *, clients: int) -> Figures:
    """How long until all are connected and have caught up on 20 conversations with 50 changes each.

    The clients come in companies of 20, each company with 20 groups that all of its members are in. A client asks for
    one conversation after the other, and asks again when it is told to; `retries` says how often.
    """
    companies = [await system.people(CONVERSATIONS) for _ in range(-(-clients // CONVERSATIONS))]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def prepare(people: Sequence[Person]) -> list[str]:
        async with gate:
            return await _prepare(system, people)

    groups = await asyncio.gather(*map(prepare, companies))
    returning = [(person, keys) for people, keys in zip(companies, groups, strict=True) for person in people][:clients]
    meter, took, retries = Meter(system.pids), array("d"), Counter[str]()
    before, began = meter.read(), time.perf_counter()

    async def come_back(person: Person, keys: Sequence[str]) -> Socket:
        socket = await system.connect(person)
        for key in keys:
            if await _catch_up(socket, key, retries) != CHANGES:
                raise BenchError("somebody did not catch up on everything")
        took.append(time.perf_counter() - began)
        return socket

    sockets = await asyncio.gather(*(come_back(*one) for one in returning))
    total = time.perf_counter() - began
    figures = cost(before, meter.read(), clients)
    for socket in sockets:
        socket.close()
    synced = clients * CONVERSATIONS
    return {
        "clients": float(clients),
        "all_back_s": total,
        "syncs_per_s": synced / total,
        "retries": float(retries.total()),
        **latencies("back", took),
        **figures,
    }


async def _prepare(system: Parley, people: Sequence[Person]) -> list[str]:
    """The groups of a company, each with its changes."""
    owner = await system.connect(people[0])
    keys = []
    for number in range(CONVERSATIONS):
        body = {"kind": "group", "name": f"Group {number}", "memberIds": [person.user_id for person in people[1:]]}
        made = await owner.ask("conversation.create", body)
        keys.append(str(made["conversation"]["conversationId"]))
    for key in keys:
        await asyncio.gather(
            *(
                owner.ask("message.send", {"conversationId": key, "clientMessageId": str(n), "text": f"{n} hello"})
                for n in range(CHANGES)
            )
        )
    owner.close()
    return keys


async def _catch_up(socket: Socket, conversation_id: str, retries: Counter[str]) -> int:
    """Asks for what changed since the conversation was made; how much that was."""
    count, rev = 0, 1
    while True:
        body = {"conversationId": conversation_id, "afterRev": rev, "pageSize": 200}
        try:
            page = await socket.ask("message.sync", body)
        except RefusedError as refusal:
            if not refusal.retry_after_ms:
                raise
            retries["sync"] += 1
            await asyncio.sleep(refusal.retry_after_ms / 1_000 * random.uniform(1, 2))
            continue
        count += len(page["messages"])
        if not page["hasMore"]:
            return count
        rev = page["messages"][-1]["rev"]
