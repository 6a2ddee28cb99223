"""Tests that chat's log can be sharded by the key in deploy/k8s/sharding/log.js."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from services.chat.store import ChatStore, open_client

_SCRIPT: Final = Path(__file__).parents[3] / "deploy" / "k8s" / "sharding" / "log.js"


@pytest.fixture
async def indexes(mongodb_uri: str, database_name: str) -> AsyncIterator[dict[str, dict[str, Any]]]:
    """The log's indexes by name, as the migrations create them."""
    async with open_client(mongodb_uri) as client:
        await ChatStore(client, database_name).prepare()
        yield dict(await client[database_name]["log"].index_information())
        await client.drop_database(database_name)


def _shard_key() -> list[str]:
    statement = re.search(
        r'^sh\.shardCollection\("parley_chat\.log", \{ (\w+): 1 \}\);$', _SCRIPT.read_text(), re.MULTILINE
    )
    assert statement is not None
    return [statement[1]]


async def test_what_is_unique_on_each_shard_is_unique_everywhere(indexes: dict[str, dict[str, Any]]) -> None:
    key = _shard_key()
    unique = [index["key"] for name, index in indexes.items() if index.get("unique")]

    assert len(unique) == 2
    assert all([field for field, _ in index][: len(key)] == key for index in unique)


async def test_an_index_of_all_entries_begins_with_the_key(indexes: dict[str, dict[str, Any]]) -> None:
    key = _shard_key()
    complete = [index["key"] for index in indexes.values() if "partialFilterExpression" not in index]

    assert any([field for field, _ in index][: len(key)] == key for index in complete)
