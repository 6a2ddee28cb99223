"""A running notify service with real databases and a real auth service, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.notify.settings import Settings
from tests.component.auth_service import RunningAuth, running_auth
from tests.component.notify.chat_log import ChatLog, opened_chat_log
from tests.component.notify.person import Person
from tests.component.notify.running import Stage, notify_settings, opened_database, running_notify


@pytest.fixture(scope="session")
async def auth(mongodb_uri: str, redis_url: str) -> AsyncIterator[RunningAuth]:
    """A running auth service; its tests' service may do what callers of notify may."""
    async with running_auth(mongodb_uri, redis_url, scopes=["notifications.write", "streams.subscribe"]) as running:
        yield running


@pytest.fixture
async def organization(auth: RunningAuth, organization_id: str) -> str:
    """An organization that auth knows."""
    await auth.create_organization(organization_id)
    return organization_id


@pytest.fixture
def settings(auth: RunningAuth, mongodb_uri: str, redis_url: str) -> Settings:
    """The settings of the replica that `stage` runs."""
    return notify_settings(auth, mongodb_uri, redis_url)


@pytest.fixture
async def chat(settings: Settings) -> AsyncIterator[ChatLog]:
    """The log that chat would write."""
    async with opened_chat_log(settings) as opened:
        yield opened


@pytest.fixture
async def stage(auth: RunningAuth, settings: Settings, chat: ChatLog, organization: str) -> AsyncIterator[Stage]:
    """One running replica."""
    async with opened_database(settings) as database, running_notify(settings) as stub:
        yield Stage(auth, settings, stub, chat, database, organization)


@pytest.fixture
async def ann(stage: Stage) -> Person:
    """A user."""
    return await stage.person("ann")


@pytest.fixture
async def ben(stage: Stage) -> Person:
    """Another user of the same organization."""
    return await stage.person("ben")
