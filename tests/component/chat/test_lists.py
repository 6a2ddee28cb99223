"""Tests that lists and views are exact: they contain everything that was acknowledged before the call."""

from __future__ import annotations

import asyncio

from parley.chat.v1 import chat_pb2

from tests.component.chat.running import Person


async def test_a_view_has_all_that_was_acknowledged_before_it_was_asked_for(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    for n in range(1, 121):
        sent = await ann.send(key, f"message {n}")
        mine, theirs, listed = await asyncio.gather(ann.conversation(key), bob.conversation(key), bob.list())
        assert (mine.seq, mine.unread_count, mine.last_message.message_id) == (n, 0, sent.message_id)
        assert (theirs.seq, theirs.unread_count, theirs.last_message.message_id) == (n, n, sent.message_id)
        assert [(c.seq, c.unread_count) for c in listed.conversations] == [(n, n)]
        if n % 10 == 0:
            await asyncio.sleep(0.07)  # shifts the summary writes relative to the loop


async def test_pages_hold_every_conversation_once_latest_activity_first(ann: Person, bob: Person) -> None:
    groups = [(await ann.create_group(f"group {n}", bob.user_id)).conversation_id for n in range(13)]
    for key in (groups[3], groups[7], groups[3]):
        await ann.send(key, "hello")
        await asyncio.sleep(0.002)  # activity has a resolution of 1 ms
    conversations: list[chat_pb2.Conversation] = []
    token = ""
    while True:
        page = await ann.list(page_size=5, page_token=token)
        conversations += page.conversations
        token = page.next_page_token
        if not token:
            break
    keys = [c.conversation_id for c in conversations]
    assert sorted(keys) == sorted(groups)
    assert keys[:2] == [groups[3], groups[7]]
    times = [c.last_activity_time.ToMilliseconds() for c in conversations]
    assert times == sorted(times, reverse=True)
