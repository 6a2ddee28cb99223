"""Fixtures of component tests: real databases, and pytest-grpc's fixtures made asynchronous.

pytest-grpc's own server is synchronous, and its fake one is no server; this one is the chassis's, with its interceptor
around every method. A module gives `grpc_service` (a chassis Service), and gets `grpc_server`, `grpc_addr`,
`grpc_channel` and, with `grpc_stub_cls`, `grpc_stub`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from chassis.process.settings import ServiceSettings
from chassis.rpc.channel import open_channel
from chassis.rpc.server import Service, serving
from deploy.local.stack import LocalStack


@pytest.fixture(scope="session")
async def databases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, str]]:
    """A MongoDB replica set and a Valkey, as (uri, url): those of the environment, or our own for this session."""
    given = os.environ.get("PARLEY_MONGODB_URI"), os.environ.get("PARLEY_REDIS_URL")
    if given[0] and given[1]:
        yield given[0], given[1]
        return
    async with LocalStack(tmp_path_factory.mktemp("databases"), services=()) as stack:
        yield stack.mongodb_uri, stack.redis_url


@pytest.fixture(scope="session")
def mongodb_uri(databases: tuple[str, str]) -> str:
    """A real MongoDB replica set; tests use a database each."""
    return databases[0]


@pytest.fixture(scope="session")
def redis_url(databases: tuple[str, str]) -> str:
    """A real Valkey or Redis; tests use an organization each."""
    return databases[1]


@pytest.fixture
def database_name() -> str:
    """A name that no other test uses."""
    return f"test_{secrets.token_hex(8)}"


@pytest.fixture
def organization_id() -> str:
    """An organization that no other test uses."""
    return f"org-{secrets.token_hex(8)}"


@pytest.fixture
def grpc_settings() -> ServiceSettings:
    """The settings of the server; a module may give its own."""
    return ServiceSettings(
        listen="127.0.0.1:0",
        redis_url="redis://unused",
        mongodb_uri="mongodb://unused",
        auth_target="127.0.0.1:1",
        service_name="tests",
        service_secret=SecretStr("unused"),
        drain_seconds=2.0,
    )


@pytest.fixture
async def grpc_server(grpc_service: Service, grpc_settings: ServiceSettings) -> AsyncIterator[str]:
    """The address of a real server of `grpc_service`."""
    async with serving(grpc_service, grpc_settings) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def grpc_addr(grpc_server: str) -> str:
    """Where `grpc_server` is reached."""
    return grpc_server


@pytest.fixture
async def grpc_channel(grpc_addr: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to `grpc_server`."""
    async with open_channel(grpc_addr) as channel:
        yield channel


@pytest.fixture
def grpc_stub(grpc_stub_cls: Callable[[grpc.aio.Channel], Any], grpc_channel: grpc.aio.Channel) -> Any:
    """A stub of `grpc_stub_cls`."""
    return grpc_stub_cls(grpc_channel)
