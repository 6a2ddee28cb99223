"""Runs the notify service in the test process, with its own database and event log."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from parley.notify.v1 import notification_pb2_grpc
from pymongo import AsyncMongoClient

from chassis.rpc.channel import open_channel
from chassis.rpc.server import serving
from services.notify.settings import Settings
from services.notify.wiring import wire
from tests.component.auth_service import RunningAuth
from tests.component.notify.chat_log import ChatLog, Conversation
from tests.component.notify.user import User


def notify_settings(auth: RunningAuth, mongodb_uri: str, redis_url: str, **overrides: object) -> Settings:
    """Returns settings for tests: nothing shared with other tests, and short delays."""
    service, secret = auth.service_credentials
    values: dict[str, object] = {
        "mongodb_uri": mongodb_uri,
        "redis_url": redis_url,
        "mongodb_database": f"test_notify_{secrets.token_hex(8)}",
        "chat_log": f"test-chat-{secrets.token_hex(8)}",
        "replica": f"replica-{secrets.token_hex(4)}",
        "auth_target": auth.target,
        "service_name": service,
        "service_secret": secret,
        "drain_seconds": 2.0,
        "coalesce_ms": 20,
        "claim_idle_seconds": 0.5,
    }
    return Settings.model_validate(values | overrides)


def another_replica(settings: Settings, **overrides: object) -> Settings:
    """Returns the settings of another replica of the same service."""
    return settings.model_copy(update={"replica": f"replica-{secrets.token_hex(4)}", **overrides})


@asynccontextmanager
async def running_notify(settings: Settings) -> AsyncIterator[notification_pb2_grpc.NotificationServiceStub]:
    """Runs a replica on a free port; yields a stub for it."""
    async with (
        wire(settings) as service,
        serving(service, settings) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield notification_pb2_grpc.NotificationServiceStub(channel)


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Any]:
    """Opens the service's database; drops it on leaving."""
    async with AsyncMongoClient[dict[str, Any]](settings.mongodb_uri, w="majority", tz_aware=True) as client:
        try:
            yield client[settings.mongodb_database]
        finally:
            await client.drop_database(settings.mongodb_database)


@dataclass(frozen=True, slots=True)
class Harness:
    """A running service, chat's event log, and factories of users and conversations."""

    auth: RunningAuth
    settings: Settings
    stub: notification_pb2_grpc.NotificationServiceStub
    chat: ChatLog
    database: Any
    organization_id: str

    async def create_user(self, user_id: str, role: str = "employee", organization_id: str = "") -> User:
        """Creates a user and signs them in."""
        signed_in = await self.auth.sign_in_new(organization_id or self.organization_id, role, user_id=user_id)
        return User(signed_in.user, signed_in.metadata, self.stub)

    def conversation(self, *members: str, name: str = "Sales", organization_id: str = "") -> Conversation:
        """Makes a conversation of users."""
        return Conversation(self.chat, organization_id or self.organization_id, members, name)
