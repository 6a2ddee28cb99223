"""Tests that each receipt that advances a mark is published, also when several devices send one at once."""

from __future__ import annotations

import asyncio

from services.chat import bus
from services.chat.settings import Settings
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import Person, RunningChat

ROUNDS = 40
EVERYTHING = 2**53 - 1
SHARDS = Settings.model_fields["event_shards"].default


async def published_read_seqs(redis_url: str, conversation_id: str, user_id: str) -> list[int]:
    """Returns the read_seq of each event of a user's read mark, in order."""
    positions, entries = dict.fromkeys(range(SHARDS), "0-0"), []
    async with bus.open_log(redis_url, shards=SHARDS, retention_seconds=3_600) as log:
        while page := await log.after(positions):
            entries += page
            positions |= {entry.shard: entry.entry_id for entry in page}
    events = [event for entry in entries if not entry.is_mark for event in bus.parse(entry.payload)]
    receipts = [event.receipt_updated for event in events if event.HasField("receipt_updated")]
    return [
        receipt.read_seq
        for receipt in receipts
        if (receipt.conversation_id, receipt.user_id) == (conversation_id, user_id) and receipt.HasField("read_time")
    ]


async def test_each_read_of_several_devices_at_once_is_published(ann: Person, bob: Person, redis_url: str) -> None:
    """Each device reloads the conversation while the marks of the others are being written."""
    conversation_id = (await ann.direct(bob.user_id)).conversation_id
    for number in range(1, ROUNDS + 1):
        await ann.send(conversation_id, f"{number}")
        await asyncio.gather(*(bob.mark_read(conversation_id, EVERYTHING) for _ in range(4)))
    async with asyncio.timeout(20):
        while (seqs := await published_read_seqs(redis_url, conversation_id, bob.user_id))[-1:] != [ROUNDS]:
            await asyncio.sleep(0.05)
    assert sorted(set(seqs)) == list(range(1, ROUNDS + 1))


async def test_receipts_of_a_message_name_those_whom_it_reached(
    ann: Person, bob: Person, auth: RunningAuth, chat: RunningChat, organization_id: str
) -> None:
    cat, dan = [chat.as_user(await auth.sign_in_new(organization_id, "manager")) for _ in range(2)]
    key = (await ann.create_group("Launch", bob.user_id, cat.user_id)).conversation_id
    one, two = [await ann.send(key, text) for text in ("one", "two")]
    await ann.add(key, dan.user_id)
    assert await ann.receipts(key, one.message_id) == []
    await bob.mark_read(key, 1)
    await cat.mark_delivered(key, 2)
    await dan.mark_read(key, 2)
    receipts = {receipt.user_id: receipt for receipt in await ann.receipts(key, one.message_id)}
    assert list(receipts) == sorted([bob.user_id, cat.user_id])
    read, delivered = receipts[bob.user_id], receipts[cat.user_id]
    assert (read.HasField("read_time"), read.HasField("delivered_time")) == (True, True)
    assert (delivered.HasField("read_time"), delivered.HasField("delivered_time")) == (False, True)
    assert read.read_time.ToMilliseconds() >= one.create_time.ToMilliseconds()
    assert [receipt.user_id for receipt in await bob.receipts(key, two.message_id)] == [cat.user_id]
