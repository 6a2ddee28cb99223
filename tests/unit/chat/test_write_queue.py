"""Tests of the write queue: order and exclusivity within a conversation, and quarantine without delay for others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from services.chat.sequencing import Draft
from services.chat.write_queue import Batch, ChangeItem, SendItem, WriteQueue


def send(conversation_id: str, key: str = "") -> SendItem:
    return SendItem(Draft("acme", conversation_id, "ann", "Ann", "", key, key, 1, "hello"), lambda _: None)


def change() -> ChangeItem[None]:
    async def make() -> None:
        pass

    return ChangeItem(make, asyncio.get_running_loop().create_future())


def keys(taken: Batch) -> list[str]:
    return [item.draft.client_message_id for item in taken.sends]


async def take_now(queue: WriteQueue, max_sends: int = 10) -> Batch | None:
    """Returns the batch that can be taken without waiting, or None."""
    taking = asyncio.create_task(queue.take(max_sends))
    for _ in range(3):
        await asyncio.sleep(0)
    if taking.done():
        return taking.result()
    taking.cancel()
    return None


async def test_a_conversation_in_somebodys_hands_is_nobody_elses() -> None:
    queue = WriteQueue()
    queue.put("a", send("a", "1"))
    queue.put("b", send("b", "2"))
    first = await queue.take(1)
    assert keys(first) == ["1"]
    queue.put("a", send("a", "3"))
    second = await queue.take(10)
    assert keys(second) == ["2"]
    assert await take_now(queue) is None
    queue.release(first)
    assert keys(await queue.take(10)) == ["3"]


async def test_a_change_is_taken_alone_and_nothing_passes_it() -> None:
    queue = WriteQueue()
    first, made, last = send("a", "1"), change(), send("a", "2")
    for item in (first, made, last):
        queue.put("a", item)
    taken = await queue.take(10)
    assert keys(taken) == ["1"]
    queue.release(taken)
    taken = await queue.take(10)
    assert (taken.change, taken.sends) == (made, [])
    queue.release(taken)
    assert keys(await queue.take(10)) == ["2"]


async def test_what_is_left_over_comes_first_in_its_mailbox_and_behind_the_other_conversations() -> None:
    queue = WriteQueue()
    for key in ("1", "2"):
        queue.put("a", send("a", key))
    taken = await queue.take(10)
    queue.put("a", send("a", "3"))
    queue.put("b", send("b", "4"))
    queue.release(taken, taken.sends)
    assert keys(await queue.take(10)) == ["4", "1", "2", "3"]


async def quarantine(queue: WriteQueue, conversation_ids: Iterable[str]) -> None:
    """Puts conversations into quarantine."""
    for conversation_id in conversation_ids:
        queue.put(conversation_id, send(conversation_id, conversation_id))
    taken = await queue.take(10)
    for item in taken.sends:
        item.unknown_outcomes = 2
    queue.release(taken, taken.sends)


async def test_suspects_are_taken_alone_and_one_at_a_time() -> None:
    queue = WriteQueue()
    await quarantine(queue, ("a", "b"))
    queue.put("c", send("c", "1"))
    quarantined = await queue.take(10)
    assert keys(quarantined) == ["a"]
    assert keys(await queue.take(10)) == ["1"]
    assert await take_now(queue) is None
    queue.release(quarantined)
    assert keys(await queue.take(10)) == ["b"]


async def test_a_suspect_that_stays_one_leaves_the_others_their_turn() -> None:
    queue = WriteQueue()
    await quarantine(queue, ("a",))
    taken_keys = []
    for number in range(6):
        queue.put("c", send("c", str(number)))
        taken = await queue.take(10)
        taken_keys += keys(taken)
        queue.release(taken, [item for item in taken.sends if item.unknown_outcomes])
    assert {"0", "1", "2", "3", "4"} <= set(taken_keys)
    assert taken_keys.count("a") == 3


class Office:
    """A write queue, its writers, and the items taken from each conversation."""

    def __init__(self) -> None:
        self.queue = WriteQueue()
        self.put: dict[str, list[str]] = {}
        self.seen: dict[str, list[str]] = {}
        self.out: list[Batch] = []

    def bring(self, conversation_id: str, key: str) -> None:
        self.queue.put(conversation_id, send(conversation_id, key))
        self.put.setdefault(conversation_id, []).append(key)

    async def take(self, max_sends: int) -> bool:
        taken = await take_now(self.queue, max_sends)
        if taken is None:
            return False
        in_hands = {conversation_id for other in self.out for conversation_id in other.conversation_ids}
        assert not in_hands & set(taken.conversation_ids)
        self.out.append(taken)
        return True

    def finish(self, taken: Batch, done_each: int) -> None:
        """Completes up to `done_each` items of each conversation, and releases the rest."""
        done: dict[str, int] = {}
        left = []
        for item in taken.sends:
            conversation_id = item.draft.conversation_id
            if done.get(conversation_id, 0) < done_each:
                done[conversation_id] = done.get(conversation_id, 0) + 1
                self.seen.setdefault(conversation_id, []).append(item.draft.client_message_id)
            else:
                left.append(item)
        self.out.remove(taken)
        self.queue.release(taken, left)


@given(st.data())
async def test_whatever_happens_every_item_is_taken_once_and_each_conversation_in_order(data: st.DataObject) -> None:
    office = Office()
    for step in range(data.draw(st.integers(1, 60))):
        match data.draw(st.sampled_from(("bring", "bring", "take", "finish"))):
            case "bring":
                office.bring(data.draw(st.sampled_from("abcd")), str(step))
            case "take":
                await office.take(data.draw(st.integers(1, 4)))
            case _ if office.out:
                index = data.draw(st.integers(0, len(office.out) - 1))
                office.finish(office.out[index], data.draw(st.integers(0, 4)))
    for taken in list(office.out):
        office.finish(taken, 0)
    while await office.take(3):
        office.finish(office.out[0], 3)
    assert office.seen == office.put
