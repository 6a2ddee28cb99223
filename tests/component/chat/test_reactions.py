"""Tests of reactions through chat's gRPC server."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from emoji import EMOJI_DATA
from parley.chat.v1 import chat_pb2

from chassis.rpc.status import from_rpc_error
from services.chat.reactions import MAX_EMOJI
from tests.component.chat.running import Person


def reactions_of(message: chat_pb2.Message) -> dict[str, list[str]]:
    return {reaction.emoji: list(reaction.user_ids) for reaction in message.reactions}


async def test_a_user_has_one_reaction_of_each_emoji(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    message_id = (await ann.send(key, "one")).message_id
    first = await bob.react(key, message_id, "👍")
    again = await bob.react(key, message_id, "👍")
    assert again == first
    await bob.react(key, message_id, "❤")
    await ann.react(key, message_id, "❤\ufe0f")
    synced = await ann.sync(key, 0)
    assert [(m.rev, reactions_of(m)) for m in synced.messages] == [
        (synced.conversation.rev, {"👍": [bob.user_id], "❤\ufe0f": [bob.user_id, ann.user_id]})
    ]
    assert synced.messages[0].text == "one"
    assert not synced.messages[0].HasField("edit_time")
    await bob.react(key, message_id, "❤", active=False)
    gone = await bob.react(key, message_id, "👍", active=False)
    assert reactions_of(gone) == {"❤\ufe0f": [ann.user_id]}
    assert await bob.react(key, message_id, "👍", active=False) == gone


async def test_reactions_at_the_same_time_all_count(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    message_id = (await ann.send(key, "one")).message_id
    emoji = ["👍", "🎉", "😄", "🚀", "👀"]
    await asyncio.gather(*(person.react(key, message_id, one) for one in emoji for person in (ann, bob)))
    (message,) = (await bob.history(key)).messages
    found = reactions_of(message)
    assert set(found) == set(emoji)
    assert all(sorted(users) == sorted([ann.user_id, bob.user_id]) for users in found.values())


async def test_a_message_takes_a_limited_number_of_emoji(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    message_id = (await ann.send(key, "one")).message_id
    emoji = [text for text, data in EMOJI_DATA.items() if data["status"] == 2][: MAX_EMOJI + 1]
    for one in emoji[:MAX_EMOJI]:
        await ann.react(key, message_id, one)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await bob.react(key, message_id, emoji[MAX_EMOJI])
    assert from_rpc_error(refused.value).reason == "TOO_MANY_REACTIONS"
    joined = await bob.react(key, message_id, emoji[0])
    assert len(joined.reactions) == MAX_EMOJI


async def test_a_deleted_message_has_and_takes_no_reactions(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    message_id = (await ann.send(key, "one")).message_id
    await bob.react(key, message_id, "👍")
    assert not (await ann.delete(key, message_id)).reactions
    for active in (True, False):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await bob.react(key, message_id, "👍", active=active)
        assert from_rpc_error(refused.value).reason == "MESSAGE_DELETED"
