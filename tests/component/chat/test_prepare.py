"""Tests that replicas may start concurrently on an empty database."""

from __future__ import annotations

import asyncio
from typing import Any

from pymongo import AsyncMongoClient

from services.chat.store import ChatStore


async def test_many_replicas_may_prepare_an_empty_database_at_once(mongodb_uri: str, database_name: str) -> None:
    clients = [AsyncMongoClient[dict[str, Any]](mongodb_uri) for _ in range(6)]
    try:
        await asyncio.gather(*(ChatStore(client, database_name).prepare() for client in clients))
        names = await clients[0].get_database(database_name).list_collection_names()
        assert {"log", "conversations", "members"} <= set(names)
    finally:
        await clients[0].drop_database(database_name)
        await asyncio.gather(*(client.close() for client in clients))
