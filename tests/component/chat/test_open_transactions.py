"""Tests that a transaction which a killed process left open is aborted, and delays only what conflicts with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from tests.component.auth_service import RunningAuth
from tests.component.chat.running import Person, RunningChat, running_chat


@pytest.fixture
async def chat(auth: RunningAuth, mongodb_uri: str, redis_url: str, database_name: str) -> AsyncIterator[RunningChat]:
    """A replica that expires the leases of others quickly."""
    async with running_chat(auth, mongodb_uri, redis_url, database_name, replica_timeout_seconds=4.0) as running:
        yield running


async def test_a_transaction_that_a_dead_life_left_open_is_ended_and_holds_nobody_up(
    ann: Person, bob: Person, mongodb_uri: str, database_name: str
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    others = [(await ann.create_group(f"group {n}", bob.user_id)).conversation_id for n in range(4)]
    await ann.send(key, "before")
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_uri)
    async with client, client.start_session() as session:
        database = client[database_name]
        await session.start_transaction()
        await database["log"].insert_one({"_id": "unfinished", "c": key, "r": 3, "e": 5}, session=session)
        life = {"_id": "dead-1", "replica": "dead", "dead": False, "beat": datetime.now(UTC)}
        await database["replicas"].insert_one(life | {"sessions": [bytes(session.session_id["id"])]})
        blocked = asyncio.create_task(ann.send(key, "behind it"))
        for number in range(20):
            for other in others:
                await ann.send(other, f"message {number}")
        assert (await blocked).seq == 2
        assert await database["log"].find_one({"_id": "unfinished"}) is None
    assert [m.text for m in (await bob.history(key)).messages] == ["before", "behind it"]
