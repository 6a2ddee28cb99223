"""Tests that chat publishes recent entries again, and no others, after its store was restored and Redis is empty."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from parley.chat.v1 import chat_pb2, event_pb2
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from services.chat import bus
from services.chat.republish import publish_again
from services.chat.store import ChatStore
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import Person, running_chat

SHARDS = 4


@pytest.fixture(scope="module")
async def own_databases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """Databases of this module alone, which it may empty."""
    directory: Path = tmp_path_factory.mktemp("databases")
    async with LocalStack(directory, services=(), options=StackOptions()) as stack:
        yield stack


async def published(url: str) -> list[event_pb2.Event]:
    """Returns all events of the log, in order."""
    async with bus.open_log(url, shards=SHARDS, retention_seconds=3_600) as log:
        entries = await log.after(dict.fromkeys(range(SHARDS), "0-0"))
    return [event for entry in entries if not entry.is_mark for event in bus.parse(entry.payload)]


def messages(events: list[event_pb2.Event], conversation_id: str) -> list[int]:
    """Returns the seqs of a conversation's new messages among the events."""
    created = [event.message_created.message for event in events if event.WhichOneof("payload") == "message_created"]
    return [message.seq for message in created if message.conversation_id == conversation_id]


async def seen_by(person: Person, conversation_id: str) -> chat_pb2.Conversation:
    """Returns a conversation without read times, which are written later."""
    conversation = await person.conversation(conversation_id)
    for member in conversation.members:
        member.ClearField("read_time")
    return conversation


async def forget_redis(url: str) -> None:
    redis = Redis.from_url(url)
    await redis.flushall()
    await redis.aclose()


async def test_entries_after_a_moment_are_published_again_and_conversations_stay_as_they_are(
    auth: RunningAuth, own_databases: LocalStack, database_name: str, organization_id: str
) -> None:
    uri, url = own_databases.mongodb_uri, own_databases.redis_url

    def running() -> Any:
        return running_chat(auth, uri, url, database_name, event_shards=SHARDS, replica_timeout_seconds=2.0)

    await auth.create_organization(organization_id)
    ann_signed = await auth.sign_in_new(organization_id, "manager")
    bob_signed = await auth.sign_in_new(organization_id, "employee")
    async with running() as chat:
        ann = chat.as_user(ann_signed)
        quiet, busy = [(await ann.create_group(n, bob_signed.user_id)).conversation_id for n in ("quiet", "busy")]
        for n in range(5):
            await ann.send(quiet, f"message {n}")
            await ann.send(busy, f"message {n}")
        await asyncio.sleep(0.01)
        moment_ms = int(time.time() * 1_000)
        new = (await ann.create_group("new", bob_signed.user_id)).conversation_id
        for n in range(5):
            await ann.send(busy, f"later {n}")
        await ann.edit(busy, (await ann.send(busy, "last")).message_id, "edited")
        await ann.send(new, "hello")
        before = [await seen_by(ann, key) for key in (quiet, busy, new)]
    await forget_redis(url)
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        assert await publish_again(ChatStore(client, database_name), moment_ms) == 2
        # Repeated, as after an interruption: a conversation that was set back has no recent change any more.
        assert await publish_again(ChatStore(client, database_name), moment_ms) == 1
    async with running() as chat:
        async with asyncio.timeout(30):
            while not await _all_again(url, busy, new):
                await asyncio.sleep(0.1)
        ann = chat.as_user(ann_signed)
        after = [await seen_by(ann, key) for key in (quiet, busy, new)]
    events = await published(url)
    assert messages(events, quiet) == []
    assert messages(events, busy) == [6, 7, 8, 9, 10, 11]
    assert after == before


async def _all_again(url: str, busy: str, new: str) -> bool:
    events = await published(url)
    return (messages(events, busy)[-1:], messages(events, new)) == ([11], [1])
