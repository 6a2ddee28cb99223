"""Tests of changing the key-encryption key while the service runs, without a visible effect."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from parley.auth.v1 import auth_pb2
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from chassis.identity import TokenVerifier
from services.auth.sealing import UnsealError
from services.auth.settings import Settings
from services.auth.wiring import wire
from tests.component.auth.crm import SharedSecretCrm
from tests.component.auth.test_exchange import claims_of
from tests.component.auth_service import TIMEOUT_SECONDS, RunningAuth, auth_settings, drop_database, running_auth


def new_key() -> SecretStr:
    return SecretStr(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())


@pytest.fixture
async def old(mongodb_uri: str, redis_url: str) -> AsyncIterator[Settings]:
    """The settings of auth before its key changes."""
    settings = auth_settings(mongodb_uri, redis_url)
    yield settings
    await drop_database(settings)


def with_changes(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update=changes)


def running(settings: Settings) -> Any:
    return running_auth(settings.mongodb_uri, settings.redis_url, settings=settings)


async def published(auth: RunningAuth) -> str:
    response = await auth.auth.ListKeys(auth_pb2.ListKeysRequest(), timeout=TIMEOUT_SECONDS)
    return response.jwks


async def exchange(auth: RunningAuth, crm: SharedSecretCrm) -> str:
    """Signs in with a token signed with the secret that the issuer shares with Parley."""
    request = auth_pb2.ExchangeTokenRequest(token=crm.sign(claims_of(crm)))
    return (await auth.auth.ExchangeToken(request, timeout=TIMEOUT_SECONDS)).tokens.access_token


async def test_a_key_follows_another_step_by_step(old: Settings, organization_id: str) -> None:
    crm, following = SharedSecretCrm(), new_key()
    async with running(old) as auth:
        await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
        token, keys = await exchange(auth, crm), await published(auth)
    known_to_all = with_changes(old, previous_key_encryption_keys=(following,))
    swapped = with_changes(old, key_encryption_key=following, previous_key_encryption_keys=(old.key_encryption_key,))
    async with running(known_to_all) as earlier, running(swapped) as later:
        for auth in (earlier, later):
            assert await published(auth) == keys
            assert await exchange(auth, crm)
    async with running(with_changes(old, key_encryption_key=following)) as auth:
        assert await published(auth) == keys
        assert await exchange(auth, crm)
        identity = await TokenVerifier(lambda: published(auth)).verify(token)
        assert identity.organization_id == organization_id


async def test_what_was_sealed_under_the_key_before_is_so_no_more(old: Settings, organization_id: str) -> None:
    crm, following = SharedSecretCrm(), new_key()
    async with running(old) as auth:
        await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
    async with running(
        with_changes(old, key_encryption_key=following, previous_key_encryption_keys=(old.key_encryption_key,))
    ):
        pass
    with pytest.raises(UnsealError):
        async with wire(old):
            pass
    async with AsyncMongoClient[dict[str, Any]](old.mongodb_uri) as client:  # it must fail without signing keys too
        await client[old.mongodb_database]["signing_keys"].delete_many({})
    with pytest.raises(UnsealError):
        async with wire(old):
            pass


async def test_a_key_that_was_lost_costs_new_keys_and_the_secrets_of_issuers(
    old: Settings, organization_id: str
) -> None:
    """Does what docs/operations.md says for this case."""
    crm = SharedSecretCrm()
    async with running(old) as auth:
        await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
        ann = await auth.sign_in_new(organization_id, "manager")
    async with AsyncMongoClient[dict[str, Any]](old.mongodb_uri) as client:
        database = client[old.mongodb_database]
        await database["signing_keys"].delete_many({})
        await database["organizations"].update_many({}, {"$set": {"trusted_issuers": []}})
    async with running(with_changes(old, key_encryption_key=new_key())) as auth:
        request = auth_pb2.RefreshTokenRequest(refresh_token=ann.tokens.refresh_token)
        assert (await auth.auth.RefreshToken(request, timeout=TIMEOUT_SECONDS)).tokens.access_token
