"""All clients reconnect at once, each with conversations to catch up on."""

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
from bench.system import User

CONVERSATIONS: Final = 20
CHANGES: Final = 50
_CONCURRENCY: Final = 32


async def storm(system: Parley, *, clients: int) -> Figures:
    """Measures the time until all clients have caught up on 20 conversations with 50 changes each.

    The clients form organizations of 20, each with 20 groups of all its members. A client syncs one conversation after
    the other, and retries when the server asks it to; `retries` counts that.
    """
    organizations = [await system.create_users(CONVERSATIONS) for _ in range(-(-clients // CONVERSATIONS))]
    semaphore = asyncio.Semaphore(_CONCURRENCY)

    async def prepare(users: Sequence[User]) -> list[str]:
        async with semaphore:
            return await _prepare(system, users)

    groups = await asyncio.gather(*map(prepare, organizations))
    returning = [(user, keys) for users, keys in zip(organizations, groups, strict=True) for user in users][:clients]
    meter, took, retries = Meter(system.pids), array("d"), Counter[str]()
    before, began = meter.read(), time.perf_counter()

    async def reconnect(user: User, keys: Sequence[str]) -> Socket:
        socket = await system.connect(user)
        for key in keys:
            if await _catch_up(socket, key, retries) != CHANGES:
                raise BenchError("a client did not catch up on all changes")
        took.append(time.perf_counter() - began)
        return socket

    sockets = await asyncio.gather(*(reconnect(*client) for client in returning))
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


async def _prepare(system: Parley, users: Sequence[User]) -> list[str]:
    """Creates the groups of an organization, each with its changes."""
    owner = await system.connect(users[0])
    keys = []
    for number in range(CONVERSATIONS):
        body = {"kind": "group", "name": f"Group {number}", "memberIds": [user.user_id for user in users[1:]]}
        response = await owner.ask("conversation.create", body)
        keys.append(str(response["conversation"]["conversationId"]))
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
    """Syncs all changes since the conversation was created; returns their number."""
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
