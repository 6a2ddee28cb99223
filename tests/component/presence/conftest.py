"""Fixtures: a real auth service, two replicas of presence on their own Valkey, and users and gateways."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from chassis.rpc.channel import Metadata
from deploy.local.process import ManagedProcess
from services.presence.settings import Settings
from tests.component.auth_service import RunningAuth, running_auth
from tests.component.presence.harness import Gateway, User, presence_settings, replica
from tests.component.presence.servers import running_valkey

CreateUser = Callable[..., Awaitable[User]]
Attach = Callable[..., Awaitable[Gateway]]


@pytest.fixture(scope="session")
async def auth(mongodb_uri: str, redis_url: str) -> AsyncIterator[RunningAuth]:
    """The auth service, shared by tests with one organization each."""
    async with running_auth(mongodb_uri, redis_url, scopes=["streams.subscribe"]) as running:
        yield running


@pytest.fixture(scope="session")
async def own_valkey() -> AsyncIterator[tuple[ManagedProcess, str]]:
    """A Valkey for presence only."""
    with TemporaryDirectory(prefix="parley-presence-") as folder:
        async with running_valkey(Path(folder)) as running:
            yield running


@pytest.fixture
async def valkey(own_valkey: tuple[ManagedProcess, str]) -> AsyncIterator[Redis]:
    """A client of presence's Valkey, after emptying it."""
    async with Redis.from_url(own_valkey[1]) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def settings(
    auth: RunningAuth, mongodb_uri: str, own_valkey: tuple[ManagedProcess, str], valkey: Redis, database_name: str
) -> AsyncIterator[Settings]:
    """The settings of both replicas; drops their database afterwards."""
    yield presence_settings(auth, mongodb_uri, own_valkey[1], database_name)
    async with AsyncMongoClient[dict[str, object]](mongodb_uri) as client:
        await client.drop_database(database_name)


@pytest.fixture
async def replica_a(settings: Settings) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the first replica."""
    async with replica(settings) as channel:
        yield channel


@pytest.fixture
async def replica_b(settings: Settings) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the second replica."""
    async with replica(settings) as channel:
        yield channel


@pytest.fixture
async def gateway_metadata(auth: RunningAuth) -> Metadata:
    """The metadata of a gateway's calls."""
    return await auth.service_metadata()


@pytest.fixture
async def attach(gateway_metadata: Metadata) -> AsyncIterator[Attach]:
    """Attaches gateways to replicas; disconnects them when the test ends."""
    async with AsyncExitStack() as stack:

        async def attach(channel: grpc.aio.Channel, gateway_id: str = "") -> Gateway:
            gateway = Gateway(channel, gateway_metadata, gateway_id or f"gateway-{secrets.token_hex(4)}")
            return await stack.enter_async_context(gateway)

        yield attach


@pytest.fixture
async def create_user(auth: RunningAuth, organization_id: str) -> CreateUser:
    """Creates users of the test's organization."""
    await auth.create_organization(organization_id)

    async def create_user(role: str = "employee", organization: str = organization_id) -> User:
        return User(await auth.sign_in_new(organization, role), organization, role)

    return create_user


@pytest.fixture
async def ann(create_user: CreateUser) -> User:
    """A member of staff."""
    return await create_user()


@pytest.fixture
async def bob(create_user: CreateUser) -> User:
    """Another member of staff."""
    return await create_user()
