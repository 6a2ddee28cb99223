"""One house for all tests of the HTTP interface; each test has an organization of its own in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.rest import readiness
from tests.component.auth_service import running_auth
from tests.component.gateway.rest.harness import Harness, serving_chat, serving_notify, serving_presence, serving_rest


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """Services here share one event loop with the tests, and may be asked when it is busy for long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readiness, "_ASK_SECONDS", 20.0)
        yield


@pytest.fixture(scope="session")
async def house(mongodb_uri: str, redis_url: str) -> AsyncIterator[Harness]:
    """The services and the HTTP interface before them."""
    async with (
        running_auth(mongodb_uri, redis_url, scopes=("notifications.write", "streams.subscribe")) as auth,
        serving_chat(auth, mongodb_uri, redis_url) as chat_target,
        serving_notify(auth, mongodb_uri, redis_url) as notify_target,
        serving_presence(auth, mongodb_uri, redis_url) as presence_target,
        serving_rest(
            auth, chat_target=chat_target, notify_target=notify_target, presence_target=presence_target
        ) as http,
    ):
        yield Harness(auth, http, notify_target)


@pytest.fixture
async def organization(house: Harness, organization_id: str) -> str:
    """An organization that no other test uses."""
    await house.auth.create_organization(organization_id)
    return organization_id
