"""The real services and gateways in this process, each started again by the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.component.auth_service import RunningAuth, running_auth
from tests.component.conftest import databases, mongodb_uri, organization_id, redis_url
from tests.component.gateway.websocket.conftest import SCOPES
from tests.component.gateway.websocket.harness import Databases

__all__ = ["databases", "mongodb_uri", "organization_id", "redis_url"]


@pytest.fixture(scope="session")
def stores(mongodb_uri: str, redis_url: str) -> Databases:
    """The databases of the services."""
    return Databases(mongodb_uri, redis_url)


@pytest.fixture(scope="session")
async def auth(stores: Databases) -> AsyncIterator[RunningAuth]:
    """The auth service."""
    async with running_auth(stores.mongodb_uri, stores.redis_url, scopes=SCOPES) as running:
        yield running


@pytest.fixture
async def organization(auth: RunningAuth, organization_id: str) -> str:
    """An organization that no other test uses."""
    await auth.create_organization(organization_id)
    return organization_id
