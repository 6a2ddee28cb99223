"""Fixtures: auth, a replica of chat, and two users of one organization."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.component.auth_service import RunningAuth, running_auth
from tests.component.chat.running import Person, RunningChat, running_chat


@pytest.fixture(scope="session")
async def auth(mongodb_uri: str, redis_url: str) -> AsyncIterator[RunningAuth]:
    """Auth, shared by all tests; each uses an organization of its own."""
    async with running_auth(mongodb_uri, redis_url, scopes=["streams.subscribe"]) as running:
        yield running


@pytest.fixture
async def chat(auth: RunningAuth, mongodb_uri: str, redis_url: str, database_name: str) -> AsyncIterator[RunningChat]:
    """A replica of chat with a database of its own."""
    async with running_chat(auth, mongodb_uri, redis_url, database_name) as running:
        yield running


@pytest.fixture
async def ann(auth: RunningAuth, chat: RunningChat, organization_id: str) -> Person:
    """A user with the role of manager."""
    await auth.create_organization(organization_id)
    return chat.as_user(await auth.sign_in_new(organization_id, "manager"))


@pytest.fixture
async def bob(auth: RunningAuth, chat: RunningChat, organization_id: str, ann: Person) -> Person:
    """An employee of the same organization."""
    return chat.as_user(await auth.sign_in_new(organization_id, "employee"))
