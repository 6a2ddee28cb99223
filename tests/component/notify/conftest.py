"""Fixtures: a notify service for each test, with real databases and a real auth service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from parley.notify.v1.notification_pb2_grpc import NotificationServiceStub

from chassis.rpc.server import Service
from services.notify.settings import Settings
from services.notify.wiring import wire
from tests.component.auth_service import RunningAuth, running_auth
from tests.component.notify.chat_log import ChatLog, opened_chat_log
from tests.component.notify.harness import Harness, notify_settings, opened_database
from tests.component.notify.user import User


@pytest.fixture(scope="session")
async def auth(mongodb_uri: str, redis_url: str) -> AsyncIterator[RunningAuth]:
    """A running auth service; the tests' service has the scopes of notify's callers."""
    async with running_auth(mongodb_uri, redis_url, scopes=["notifications.write", "streams.subscribe"]) as running:
        yield running


@pytest.fixture
async def organization(auth: RunningAuth, organization_id: str) -> str:
    """An organization that auth knows."""
    await auth.create_organization(organization_id)
    return organization_id


@pytest.fixture
def settings(auth: RunningAuth, mongodb_uri: str, redis_url: str) -> Settings:
    """The settings of a service with empty stores."""
    return notify_settings(auth, mongodb_uri, redis_url)


@pytest.fixture
async def chat(settings: Settings) -> AsyncIterator[ChatLog]:
    """Chat's event log."""
    async with opened_chat_log(settings) as opened:
        yield opened


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Any]:
    """The service's database."""
    async with opened_database(settings) as opened:
        yield opened


@pytest.fixture
def grpc_settings(settings: Settings) -> Settings:
    """The server's settings."""
    return settings


@pytest.fixture
async def grpc_service(settings: Settings, chat: ChatLog, database: Any) -> AsyncIterator[Service]:
    """One replica."""
    async with wire(settings) as service:
        yield service


@pytest.fixture
def grpc_stub_cls() -> type[NotificationServiceStub]:
    """The class of `grpc_stub`."""
    return NotificationServiceStub


@pytest.fixture
def harness(  # noqa: PLR0917  # pytest passes fixtures by name
    auth: RunningAuth,
    settings: Settings,
    grpc_stub: NotificationServiceStub,
    chat: ChatLog,
    database: Any,
    organization: str,
) -> Harness:
    """One running replica with its log, store and clients."""
    return Harness(auth, settings, grpc_stub, chat, database, organization)


@pytest.fixture
async def ann(harness: Harness) -> User:
    """A user."""
    return await harness.create_user("ann")


@pytest.fixture
async def ben(harness: Harness) -> User:
    """Another user of the same organization."""
    return await harness.create_user("ben")
