"""One stack for all WebSocket tests; each test has an organization of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.ports import LOOPBACK, PortClaims
from tests.component.auth_service import RunningAuth, SignedIn, running_auth
from tests.component.gateway.websocket.harness import (
    Databases,
    Harness,
    Targets,
    running_chat,
    running_gateway,
    running_notify,
    running_presence,
)

SCOPES = ("users.act", "streams.subscribe", "revocations.watch", "directory.read", "notifications.write")


@pytest.fixture(scope="session")
def stores(mongodb_uri: str, redis_url: str) -> Databases:
    """The databases of the services."""
    return Databases(mongodb_uri, redis_url)


@pytest.fixture(scope="session")
async def auth(stores: Databases) -> AsyncIterator[RunningAuth]:
    """The auth service."""
    async with running_auth(stores.mongodb_uri, stores.redis_url, scopes=SCOPES) as running:
        yield running


@pytest.fixture(scope="session")
async def stack(auth: RunningAuth, stores: Databases) -> AsyncIterator[Harness]:
    """All services and a gateway."""
    async with (
        running_chat(auth, stores) as chat,
        running_presence(auth, stores) as presence,
        running_notify(auth, stores) as notify,
    ):
        targets = Targets(chat, presence, notify)
        async with running_gateway(auth, targets) as gateway:
            yield Harness(auth, targets, gateway)


@pytest.fixture
async def organization(auth: RunningAuth, organization_id: str) -> str:
    """An organization that no other test uses."""
    await auth.create_organization(organization_id)
    return organization_id


@pytest.fixture
async def ann(auth: RunningAuth, organization: str) -> SignedIn:
    """A manager."""
    return await auth.sign_in_new(organization, "manager", name="Ann")


@pytest.fixture
async def bob(auth: RunningAuth, organization: str) -> SignedIn:
    """A member of staff of the same organization."""
    return await auth.sign_in_new(organization, "employee", name="Bob")


@pytest.fixture
def address() -> Iterator[str]:
    """An address reserved for the test; nothing need listen there."""
    ports = PortClaims()
    yield f"{LOOPBACK}:{ports.claim_any()}"
    ports.release()
