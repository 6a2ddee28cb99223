"""Fixtures: the auth service, run once for all tests that need no settings of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.ports import PortClaims
from tests.component.auth_service import RunningAuth, running_auth


@pytest.fixture(scope="session")
async def auth(mongodb_uri: str, redis_url: str) -> AsyncIterator[RunningAuth]:
    """A running service."""
    async with running_auth(mongodb_uri, redis_url) as running:
        yield running


@pytest.fixture
async def organization(auth: RunningAuth, organization_id: str) -> str:
    """The id of an existing organization that no other test uses."""
    await auth.create_organization(organization_id)
    return organization_id


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port on loopback on which nothing listens, now or later."""
    ports = PortClaims()
    yield ports.claim_any()
    ports.release()
