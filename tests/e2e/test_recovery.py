"""Chat dies after messages were stored and acknowledged, before they were published: they are published once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from tests.e2e.conftest import Company, new_company
from tests.e2e.waiting import until

MESSAGES = 20


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A stack that does not restart its processes."""
    options = StackOptions(
        restart_crashed=False,
        settings={"chat": {"PARLEY_REPLICA_TIMEOUT_SECONDS": "2", "PARLEY_MESSAGES_PER_SECOND": "1000"}},
    )
    async with LocalStack(tmp_path_factory.mktemp("stack"), replicas={"chat": 2}, options=options) as stack:
        yield stack


@pytest.fixture
async def company(stack: LocalStack) -> AsyncIterator[Company]:
    """An organization that no other test uses."""
    async with new_company(stack) as company:
        yield company


@pytest.mark.parametrize("successor", ["chat-1", "chat-2"])
async def test_what_a_killed_replica_left_unpublished_is_published(
    stack: LocalStack, company: Company, successor: str
) -> None:
    """The same replica publishes them after its restart, or another one. Notifications follow publication only."""
    await company.create_user("ann")
    await company.create_user("bob")
    ann = await company.client("ann")
    chat, other, valkey = (stack.processes[name] for name in ("chat-1", "chat-2", "valkey"))
    await other.stop()
    key = (await ann.conversation_direct(user_id="bob")).conversation.conversation_id
    valkey.pause()
    sent = await asyncio.gather(*(ann.send_message(key, f"message {n}") for n in range(MESSAGES)))
    assert sorted(message.seq for message in sent) == list(range(1, MESSAGES + 1))
    chat.kill()
    await chat.wait_stopped()
    valkey.resume()
    await stack.processes[successor].start()
    await stack.processes[successor].wait_healthy()
    bob = await company.client("bob")

    async def all_notified() -> bool:
        page = await bob.notification_list()
        return [(n.type, n.count) for n in page.notifications] == [("NEW_MESSAGE", MESSAGES)]

    await until(all_notified)
    history = bob.replica.conversation(key)
    assert history.unread_count == MESSAGES
    for process in (chat, other):
        if not process.running:
            await process.start()
            await process.wait_healthy()


async def test_writes_with_an_unknown_outcome_are_published(stack: LocalStack, company: Company) -> None:
    """MongoDB stalls during writes: whether or not a message was stored, its recipient and the store agree."""
    await company.create_user("ann")
    await company.create_user("bob")
    ann, bob = await company.client("ann"), await company.client("bob")
    groups = [await ann.conversation_create(kind="group", name=f"group {n}", member_ids=["bob"]) for n in range(8)]
    keys = [group.conversation.conversation_id for group in groups]
    mongod = stack.processes["mongod"]
    mongod.pause()
    sending = [asyncio.create_task(ann.send_message(key, "hello", client_message_id=key)) for key in keys]
    await asyncio.sleep(1)
    mongod.resume()
    acknowledged = await asyncio.gather(*sending)
    assert [message.seq for message in acknowledged] == [1] * len(keys)

    async def all_seen() -> bool:
        return all([m.text for m in bob.replica.conversation(key).messages] == ["hello"] for key in keys)

    await until(all_seen)
