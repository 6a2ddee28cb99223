"""Tests of two replicas that write to one conversation, which Envoy makes rare: one order, and no gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest

from services.chat.change_writer import CONFLICTS
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import Person, RunningChat, running_chat

ROUNDS = 60


def conflicts() -> float:
    """Returns the number of writes that have conflicted so far."""
    return next(sample.value for metric in CONFLICTS.collect() for sample in metric.samples if "total" in sample.name)


@pytest.fixture
async def other_chat(
    auth: RunningAuth, mongodb_uri: str, redis_url: str, database_name: str
) -> AsyncIterator[RunningChat]:
    """A second replica on the database of `chat`."""
    async with running_chat(auth, mongodb_uri, redis_url, database_name) as running:
        yield running


@pytest.fixture
def elsewhere(other_chat: RunningChat, bob: Person) -> Person:
    """Bob, through the second replica."""
    return Person(other_chat, bob.user_id, bob.name, bob.metadata)


async def test_two_replicas_number_one_conversation_without_gaps(ann: Person, bob: Person, elsewhere: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    before = conflicts()

    async def talk(person: Person) -> list[int]:
        return [(await person.send(key, f"{person.user_id} {n}")).seq for n in range(ROUNDS)]

    seqs = await asyncio.gather(talk(ann), talk(elsewhere))
    assert conflicts() > before, "the replicas never conflicted: this test shows nothing"
    assert sorted([*seqs[0], *seqs[1]]) == list(range(1, 2 * ROUNDS + 1))
    assert all(own == sorted(own) for own in seqs)
    history = await ann.history(key, page_size=200)
    assert [m.seq for m in history.messages] == list(range(1, 2 * ROUNDS + 1))
    times = [m.create_time.ToMilliseconds() for m in history.messages]
    assert times == sorted(times)


async def test_a_message_repeated_through_both_replicas_at_once_is_there_once(
    ann: Person, bob: Person, elsewhere: Person
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    receipts = await asyncio.gather(
        *(person.send(key, "hello", f"key {n}") for n in range(20) for person in (bob, elsewhere, bob, elsewhere))
    )
    assert len({receipt.message_id for receipt in receipts}) == 20
    assert {receipt.seq for receipt in receipts} == set(range(1, 21))
    assert len((await ann.history(key, page_size=200)).messages) == 20


async def insistently(attempt: Callable[[], Awaitable[object]]) -> None:
    """Repeats an attempt that failed with CONTENDED, which means that nothing was written."""
    while True:
        try:
            await attempt()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ABORTED:
                raise
        else:
            return


async def test_changes_and_messages_through_both_replicas_keep_one_log(
    ann: Person, bob: Person, elsewhere: Person
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    first = await ann.send(key, "to be edited")

    async def edit() -> None:
        for n in range(ROUNDS // 4):
            await insistently(lambda text=f"edit {n}": ann.edit(key, first.message_id, text))  # type: ignore[misc]

    async def talk() -> None:
        for n in range(ROUNDS):
            await elsewhere.send(key, f"message {n}")

    await asyncio.gather(edit(), talk())
    answer = await ann.sync(key, 0, page_size=200)
    assert answer.conversation.rev == 1 + 1 + ROUNDS + ROUNDS // 4  # created, the first message, the rest
    assert [m.seq for m in sorted(answer.messages, key=lambda m: m.seq)] == list(range(1, ROUNDS + 2))
    assert next(m.text for m in answer.messages if m.message_id == first.message_id) == f"edit {ROUNDS // 4 - 1}"


async def test_a_member_added_through_one_replica_may_be_mentioned_at_once_through_another(
    ann: Person, bob: Person, elsewhere: Person, auth: RunningAuth, organization_id: str
) -> None:
    group = await ann.create_group("Launch", bob.user_id)
    await elsewhere.send(group.conversation_id, "this replica knows the group now")
    for _ in range(5):
        newcomer = await auth.sign_in_new(organization_id, "employee")
        await ann.add(group.conversation_id, newcomer.user_id)
        sent = await elsewhere.send(group.conversation_id, "welcome", mentions=[newcomer.user_id])
        latest = (await ann.history(group.conversation_id, page_size=1)).messages[-1]
        assert (latest.message_id, list(latest.mentions)) == (sent.message_id, [newcomer.user_id])


async def test_a_removed_member_sends_nothing_more_through_any_replica(
    ann: Person, bob: Person, elsewhere: Person
) -> None:
    for n in range(5):
        group = await ann.create_group(f"group {n}", bob.user_id)
        await elsewhere.send(group.conversation_id, "here")
        await ann.remove(group.conversation_id, bob.user_id)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await elsewhere.send(group.conversation_id, "still here?")
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert [m.text for m in (await ann.history(group.conversation_id)).messages] == ["here"]
