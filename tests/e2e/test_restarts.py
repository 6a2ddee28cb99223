"""Processes are killed under load: acknowledged messages are stored once, in order, and all members receive them."""

from __future__ import annotations

import asyncio

import pytest
from parley_client.client import Client

from deploy.local.stack import LocalStack
from tests.e2e.conftest import Company
from tests.e2e.waiting import until

MESSAGES = 60


async def talk(client: Client, conversation_id: str, acknowledged: list[tuple[int, str]]) -> None:
    """Sends numbered messages one after another; the client repeats unacknowledged ones."""
    for number in range(MESSAGES):
        text = f"{client.user.user_id} {number}"
        sent = await client.send_message(conversation_id, text, client_message_id=text)
        acknowledged.append((sent.seq, text))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("victim", ["chat-1", "chat-2", "gateway-1", "presence-1", "notify-1", "envoy"])
async def test_nothing_acknowledged_is_lost_when_a_process_is_killed(
    stack: LocalStack, company: Company, victim: str
) -> None:
    await company.create_user("ann")
    await company.create_user("bob")
    ann, bob = await company.client("ann"), await company.client("bob")
    key = (await ann.conversation_direct(user_id="bob")).conversation.conversation_id
    acknowledged: list[tuple[int, str]] = []

    async def kill() -> None:
        while len(acknowledged) < MESSAGES // 2:
            await asyncio.sleep(0.01)
        process = stack.processes[victim]
        process.kill()
        await process.wait_stopped()
        await process.start()
        await process.wait_healthy()

    async with asyncio.timeout(180), asyncio.TaskGroup() as group:
        group.create_task(talk(ann, key, acknowledged))
        group.create_task(talk(bob, key, acknowledged))
        group.create_task(kill())

    everything = sorted(acknowledged)
    assert [seq for seq, _ in everything] == list(range(1, 2 * MESSAGES + 1))

    async def all_seen() -> bool:
        views = [[(m.seq, m.text) for m in c.replica.conversation(key).messages] for c in (ann, bob)]
        return all(view == everything for view in views)

    await until(all_seen)
