"""Tests of signing keys: created once, published before they sign, kept until all tokens they signed have expired."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from chassis.errors import UnavailableError
from chassis.identity import jwt_header
from services.auth.clock import clock as make_clock
from services.auth.key_store import KeyStore
from services.auth.keys import KeyRing, KeySchedule
from services.auth.sealing import Sealer, UnsealError
from services.auth.store import Database, open_database
from services.auth.tokens import TokenSigner
from services.auth.wiring import wire
from tests.component.auth.clocks import MovableClock
from tests.component.auth_service import auth_settings, drop_database, running_auth

DAY_SECONDS = 86_400
SCHEDULE = KeySchedule(
    rotation=timedelta(days=7),
    publication=timedelta(days=1),
    token_lifetime=timedelta(minutes=15),
    check=timedelta(seconds=60),
)
KEY = bytes(range(32))


@pytest.fixture
async def database(mongodb_uri: str, database_name: str) -> AsyncIterator[Database]:
    async with open_database(mongodb_uri, database_name) as opened:
        yield opened
        await opened.client.drop_database(database_name)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


def ring(database: Database, clock: MovableClock, key: bytes = KEY) -> KeyRing:
    return KeyRing(KeyStore(database), Sealer(key), make_clock(clock), SCHEDULE)


async def published(keys: KeyRing) -> list[str]:
    return [key["kid"] for key in json.loads(await keys.jwks())["keys"]]


async def test_replicas_that_start_at_once_make_one_key(database: Database, clock: MovableClock) -> None:
    replicas = [ring(database, clock) for _ in range(8)]
    await asyncio.gather(*(replica.refresh() for replica in replicas))
    assert len({replica.signing_key().key_id for replica in replicas}) == 1
    assert {tuple(await published(replica)) for replica in replicas} == {(replicas[0].signing_key().key_id,)}


async def test_replicas_that_rotate_at_once_make_one_key(database: Database, clock: MovableClock) -> None:
    replicas = [ring(database, clock) for _ in range(4)]
    await asyncio.gather(*(replica.refresh() for replica in replicas))
    clock.move(6 * DAY_SECONDS)
    await asyncio.gather(*(replica.refresh() for replica in replicas))
    assert len({tuple(await published(replica)) for replica in replicas}) == 1
    assert len(await published(replicas[0])) == 2


async def test_a_key_is_published_for_a_day_before_it_signs_and_until_its_tokens_have_expired(
    database: Database, clock: MovableClock
) -> None:
    keys = ring(database, clock)
    await keys.refresh()
    first = keys.signing_key().key_id

    clock.move(6 * DAY_SECONDS - 1)
    await keys.refresh()
    assert await published(keys) == [first]

    clock.move(1)
    await keys.refresh()
    second = (await published(keys))[1]
    clock.move(DAY_SECONDS - 1)
    await keys.refresh()
    assert (await published(keys), keys.signing_key().key_id) == ([first, second], first)

    clock.move(1)
    assert keys.signing_key().key_id == second, "no refresh is needed for the change"
    await keys.refresh()
    assert await published(keys) == [first, second]

    clock.move(SCHEDULE.token_lifetime.total_seconds())
    await keys.refresh()
    assert first in await published(keys)

    clock.move(600)
    await keys.refresh()
    assert await published(keys) == [second]


async def test_after_a_long_absence_the_old_key_signs_until_the_next_was_published_for_a_day(
    database: Database, clock: MovableClock
) -> None:
    await ring(database, clock).refresh()
    clock.move(100 * DAY_SECONDS)
    keys = ring(database, clock)
    await keys.refresh()
    first, second = await published(keys)
    assert keys.signing_key().key_id == first
    clock.move(DAY_SECONDS)
    await keys.refresh()
    assert keys.signing_key().key_id == second


async def test_over_many_rotations_a_token_s_key_is_published_for_as_long_as_the_token_is_valid(
    database: Database, clock: MovableClock
) -> None:
    keys = ring(database, clock)
    await keys.refresh()
    signer = TokenSigner(keys, make_clock(clock), SCHEDULE.token_lifetime, SCHEDULE.token_lifetime)
    known_yesterday = set(await published(keys))
    signed_with = set()
    for _ in range(30):
        for _ in range(2):
            key_id = jwt_header(signer.for_service("chat", [], "").text)["kid"]
            signed_with.add(key_id)
            assert key_id in known_yesterday
            clock.move(SCHEDULE.token_lifetime.total_seconds())
            await keys.refresh()
            assert key_id in await published(keys)
        known_yesterday = set(await published(keys))
        clock.move(DAY_SECONDS - 2 * SCHEDULE.token_lifetime.total_seconds())
        await keys.refresh()
    assert len(signed_with) == 5
    assert len(await published(keys)) <= 2


async def test_private_keys_are_not_readable_in_the_database(
    mongodb_uri: str, database: Database, database_name: str, clock: MovableClock
) -> None:
    keys = ring(database, clock)
    await keys.refresh()
    private = str(keys.signing_key().key.as_dict(private=True)["d"])
    async with AsyncMongoClient[dict[str, object]](mongodb_uri) as client:
        document = await client[database_name]["signing_keys"].find_one({})
    assert document is not None
    assert private not in str(document)
    with pytest.raises(UnsealError):
        await ring(database, clock, key=bytes(32)).refresh()


async def test_a_wrong_key_encryption_key_keeps_the_service_from_starting(mongodb_uri: str, redis_url: str) -> None:
    settings = auth_settings(mongodb_uri, redis_url)
    async with running_auth(mongodb_uri, redis_url, settings=settings):
        pass
    wrong = settings.model_copy(update={"key_encryption_key": SecretStr("A" * 43)})
    with pytest.raises(UnsealError):
        async with wire(wrong):
            pass
    await drop_database(settings)


async def test_two_replicas_take_each_other_s_tokens(mongodb_uri: str, redis_url: str, organization_id: str) -> None:
    settings = auth_settings(mongodb_uri, redis_url)
    async with (
        running_auth(mongodb_uri, redis_url, settings=settings) as one,
        running_auth(mongodb_uri, redis_url, settings=settings) as other,
    ):
        await one.create_organization(organization_id)
        ann = await other.sign_in_new(organization_id, "lead")
        assert jwt_header(ann.access_token)["kid"] == jwt_header(await one.service_token())["kid"]
    await drop_database(settings)


async def test_while_the_database_is_away_callers_are_to_come_back(unused_port: int) -> None:
    uri = f"mongodb://127.0.0.1:{unused_port}/?directConnection=true"
    async with AsyncMongoClient[dict[str, Any]](uri, timeoutMS=100) as client:
        with pytest.raises(UnavailableError) as away:
            await KeyStore(client["absent"]).all()
    assert (away.value.reason, away.value.retry_after_ms) == ("STORE_UNAVAILABLE", 1_000)
