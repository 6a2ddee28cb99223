"""Tests that chat publishes from the store what Redis lost before all subscribers had read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from parley.chat.v1 import event_pb2
from redis.asyncio import Redis

from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from services.chat import bus, summaries
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import Person, RunningChat, running_chat

SHARDS = 4


@pytest.fixture(scope="module")
async def own_databases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """Databases of this module alone, which it may empty."""
    directory: Path = tmp_path_factory.mktemp("databases")
    async with LocalStack(directory, services=(), options=StackOptions()) as stack:
        yield stack


@pytest.fixture
async def chat(auth: RunningAuth, own_databases: LocalStack, database_name: str) -> AsyncIterator[RunningChat]:
    """A replica on those databases."""
    uri, url = own_databases.mongodb_uri, own_databases.redis_url
    async with running_chat(auth, uri, url, database_name, event_shards=SHARDS) as running:
        yield running


async def held(url: str) -> list[event_pb2.Event]:
    """Returns the events that the log has now, in order."""
    async with bus.open_log(url, shards=SHARDS, retention_seconds=3_600) as log:
        entries = await log.after(dict.fromkeys(range(SHARDS), "0-0"))
    return [event for entry in entries if not entry.is_mark for event in bus.parse(entry.payload)]


async def events_of(url: str, conversation_id: str) -> list[event_pb2.MessageCreated]:
    """Returns the events of a conversation's messages."""
    created = [event.message_created for event in await held(url) if event.WhichOneof("payload") == "message_created"]
    return [event for event in created if event.message.conversation_id == conversation_id]


async def published_seqs(url: str, conversation_id: str) -> list[int]:
    """Returns the seqs of these messages."""
    return [event.message.seq for event in await events_of(url, conversation_id)]


async def until_read(url: str, conversation_id: str, user_id: str, seq: int) -> None:
    """Waits for the event that a user has read up to a seq."""
    async with asyncio.timeout(60):
        while not [
            event
            for event in await held(url)
            if event.receipt_updated.conversation_id == conversation_id
            and (event.receipt_updated.user_id, event.receipt_updated.read_seq) == (user_id, seq)
        ]:
            await asyncio.sleep(0.05)


async def test_what_was_published_a_moment_before_redis_lost_all_is_published_again(
    ann: Person, bob: Person, own_databases: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "_REPLAY_POINT_SECONDS", 60.0)  # however slow the test, nothing counts as read
    url = own_databases.redis_url
    quiet, busy = [(await ann.create_group(name, bob.user_id)).conversation_id for name in ("quiet", "busy")]
    for n in range(10):
        await ann.send(quiet, f"message {n}")
        await ann.send(busy, f"message {n}")
    async with asyncio.timeout(30):
        while await published_seqs(url, busy) != list(range(1, 11)):
            await asyncio.sleep(0.05)
    await until_read(url, quiet, ann.user_id, 10)
    redis = Redis.from_url(url)
    await redis.flushall()
    await redis.aclose()
    for n in range(10, 20):
        await ann.send(busy, f"message {n}")

    async def again(conversation_id: str) -> list[int]:
        return list(dict.fromkeys(await published_seqs(url, conversation_id)))

    async with asyncio.timeout(60):
        while (await again(quiet), sorted(await again(busy))) != (list(range(1, 11)), list(range(1, 21))):
            await asyncio.sleep(0.1)
    assert {event.sender_name for event in await events_of(url, quiet)} == {ann.name}
    await until_read(url, quiet, ann.user_id, 10)  # senders' marks are published again, although they are stored
