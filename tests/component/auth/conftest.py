"""The real auth service, run once for all tests of it that need no settings of their own."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from tests.component.auth_service import RunningAuth, running_auth


@pytest.fixture(scope="session")
async def auth(mongodb_uri: str, redis_url: str) -> AsyncIterator[RunningAuth]:
    """A running service."""
    async with running_auth(mongodb_uri, redis_url) as running:
        yield running


@pytest.fixture
async def organization(auth: RunningAuth, organization_id: str) -> str:
    """The id of an organization that is there, and that no other test uses."""
    await auth.create_organization(organization_id)
    return organization_id


@pytest.fixture
def unused_port() -> int:
    """A port on loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
