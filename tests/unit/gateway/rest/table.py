"""The table of operations as the gateway serves it, for tests that only look at it: its services are never called."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from pydantic import SecretStr

from gateway.rest.app import table
from gateway.rest.operation import Group
from gateway.rest.readiness import Readiness
from gateway.settings import Settings
from gateway.upstream.clients import open_upstreams
from gateway.upstream.user_cache import UserCache, fetch_users

NOWHERE = "127.0.0.1:1"


@asynccontextmanager
async def looked_at() -> AsyncIterator[tuple[Group, ...]]:
    """Makes the table, on channels that are never used."""
    settings = Settings(
        auth_target=NOWHERE,
        chat_target=NOWHERE,
        presence_target=NOWHERE,
        notify_target=NOWHERE,
        service_name="gateway",
        service_secret=SecretStr("unused"),
    )
    async with open_upstreams(settings) as upstreams:
        people = UserCache(partial(fetch_users, upstreams))
        yield table(upstreams, people, Readiness(upstreams, lambda: False), settings.trusted_proxies)
