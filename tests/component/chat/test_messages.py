"""Tests of messages through chat's gRPC server: sequencing, repeats, history, edits, deletions, catch-up."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from tests.component.chat.running import Person


async def test_messages_are_numbered_without_gaps_in_the_order_they_were_sent(ann: Person, bob: Person) -> None:
    conversation = await ann.direct(bob.user_id)
    receipts = [await ann.send(conversation.conversation_id, f"message {n}") for n in range(5)]
    assert [receipt.seq for receipt in receipts] == [1, 2, 3, 4, 5]
    history = await bob.history(conversation.conversation_id)
    assert [message.text for message in history.messages] == [f"message {n}" for n in range(5)]
    assert [m.create_time.ToMilliseconds() for m in history.messages] == sorted(
        m.create_time.ToMilliseconds() for m in history.messages
    )


async def test_a_repeat_gets_the_first_outcome_whatever_it_says(ann: Person, bob: Person) -> None:
    conversation = await ann.direct(bob.user_id)
    first = await ann.send(conversation.conversation_id, "one", "key")
    await ann.send(conversation.conversation_id, "two")
    repeats = await asyncio.gather(*(ann.send(conversation.conversation_id, f"again {n}", "key") for n in range(10)))
    assert all(repeat == first for repeat in repeats)
    assert [m.text for m in (await bob.history(conversation.conversation_id)).messages] == ["one", "two"]


async def test_both_sides_and_every_call_get_one_direct_conversation(ann: Person, bob: Person) -> None:
    conversations = await asyncio.gather(*(p.direct(o.user_id) for p, o in [(ann, bob), (bob, ann)] * 5))
    assert len({conversation.conversation_id for conversation in conversations}) == 1


async def test_sync_tells_of_edits_and_deletions_once_each(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    sent = [await ann.send(key, f"message {n}") for n in range(4)]
    edited = await ann.edit(key, sent[0].message_id, "edited")
    await ann.edit(key, sent[1].message_id, "to go")
    tombstone = await ann.delete(key, sent[1].message_id)
    assert (tombstone.text, tombstone.seq) == ("", 2)
    answer = await bob.sync(key, 0)
    assert [m.seq for m in answer.messages] == [3, 4, 1, 2]
    assert [m.rev for m in answer.messages] == sorted(m.rev for m in answer.messages)
    assert answer.messages[2].text == "edited"
    assert answer.messages[2].rev == edited.rev
    assert answer.conversation.rev == tombstone.rev
    assert not answer.has_more


async def test_someone_who_is_not_in_a_conversation_gets_nothing_of_it(ann: Person, bob: Person) -> None:
    group = await ann.create_group("Launch", bob.user_id)
    await ann.send(group.conversation_id, "hello")
    await ann.remove(group.conversation_id, bob.user_id)
    for call in (
        bob.send(group.conversation_id, "still here"),
        bob.history(group.conversation_id),
        bob.sync(group.conversation_id, 0),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_pages_of_long_messages_are_shorter_and_miss_none(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    for n in range(40):
        await ann.send(key, f"{n} " + "x" * 16_000)
    seen: list[int] = []
    before: int | None = None
    while True:
        page = await bob.history(key, page_size=200, **({} if before is None else {"before_seq": before}))
        assert 0 < page.ByteSize() < 600_000
        seen = [m.seq for m in page.messages] + seen
        if not page.has_more:
            break
        before = page.messages[0].seq
    assert seen == list(range(1, 41))
    synced: list[int] = []
    rev = 0
    while True:
        answer = await bob.sync(key, rev, page_size=200)
        assert answer.ByteSize() < 600_000
        synced += [m.seq for m in answer.messages]
        if not answer.has_more:
            break
        rev = answer.messages[-1].rev
    assert synced == list(range(1, 41))
