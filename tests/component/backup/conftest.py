"""Fixtures of the backup tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from backup.connection import Client, connected
from tests.component.backup.stores import Store, new_store


@pytest.fixture
async def client(mongodb_uri: str) -> AsyncIterator[Client]:
    async with connected(mongodb_uri) as client:
        yield client


@pytest.fixture
async def store(client: Client) -> AsyncIterator[Store]:
    async with new_store(client) as store:
        yield store
