"""A conversation that is read while its members change is of one moment."""

from __future__ import annotations

import asyncio

from parley.chat.v1 import conversation_pb2

from tests.component.chat.running import TIMEOUT, Person

CHANGES = 60
READERS = 8


async def change_members(owner: Person, conversation_id: str, user_id: str) -> None:
    """Adds a user and removes them again, many times."""
    request = conversation_pb2.RemoveMemberRequest(conversation_id=conversation_id, user_id=user_id)
    for _ in range(CHANGES):
        await owner.add(conversation_id, user_id)
        await owner.chat.conversations.RemoveMember(request, metadata=owner.metadata, timeout=TIMEOUT)


async def test_the_count_is_that_of_the_listed_members(ann: Person, bob: Person) -> None:
    group = await ann.create_group("a group")
    changing = asyncio.create_task(change_members(ann, group.conversation_id, bob.user_id))
    torn: list[tuple[int, int]] = []
    reads = 0

    async def read() -> None:
        nonlocal reads
        while not changing.done():
            views = [await ann.conversation(group.conversation_id), *(await ann.list()).conversations]
            reads += len(views)
            torn.extend((v.member_count, len(v.members)) for v in views if v.member_count != len(v.members))

    await asyncio.gather(*(read() for _ in range(READERS)))
    await changing
    assert reads > READERS
    assert not torn
