"""Tests of services' tokens: which services get one, and what it permits."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
from parley.auth.v1 import auth_pb2, directory_pb2
from pydantic import SecretStr

from chassis.errors import Category
from chassis.identity import TokenVerifier
from chassis.rpc.channel import ServiceTokens, bearer, fetch_keys, open_channel
from services.auth.settings import ServiceCredential
from tests.component.auth.expectations import refused
from tests.component.auth_service import SERVICE, RunningAuth, auth_settings, drop_database, running_auth

SECRET = secrets.token_urlsafe(24)
OWN = f"org-{secrets.token_hex(8)}"


@pytest.fixture(scope="module")
async def auth(mongodb_uri: str, redis_url: str) -> AsyncIterator[RunningAuth]:
    """A service with a second reader, limited to one organization."""
    settings = auth_settings(mongodb_uri, redis_url)
    reader = ServiceCredential(
        secret=SecretStr(SECRET), scopes=frozenset({"directory.read"}), organizations=frozenset({OWN})
    )
    credentials = settings.service_credentials | {"reader": reader}
    settings = settings.model_copy(update={"service_credentials": credentials})
    async with running_auth(mongodb_uri, redis_url, settings=settings) as running:
        await running.create_organization(OWN)
        yield running
    await drop_database(settings)


async def issue(auth: RunningAuth, service: str, secret: str, organization_id: str = "") -> str:
    response = await auth.auth.IssueServiceToken(
        auth_pb2.IssueServiceTokenRequest(service=service, secret=secret, organization_id=organization_id), timeout=20
    )
    return response.access_token


async def test_a_token_names_the_service_its_scopes_and_the_organization(auth: RunningAuth) -> None:
    async with open_channel(auth.target) as channel:
        verifier = TokenVerifier(lambda: fetch_keys(channel))
        reader = await verifier.verify(await issue(auth, "reader", SECRET, OWN))
        everywhere = await verifier.verify(await issue(auth, *auth.service_credentials))
    assert (reader.service, reader.scopes, reader.organization_id) == ("reader", frozenset({"directory.read"}), OWN)
    assert (everywhere.service, everywhere.organization_id, everywhere.user_id) == (SERVICE, "", "")


@pytest.mark.parametrize(
    ("service", "secret"),
    [("reader", "wrong"), ("reader", ""), ("", ""), ("nobody", SECRET), (SERVICE, SECRET), ("reader", SECRET + " ")],
    ids=["wrong", "empty", "nothing", "unknown", "another's", "longer"],
)
async def test_an_unknown_service_and_a_wrong_secret_look_alike(auth: RunningAuth, service: str, secret: str) -> None:
    with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
        await issue(auth, service, secret, OWN)


@pytest.mark.parametrize("organization_id", ["", "another"])
async def test_a_service_gets_tokens_for_its_own_organizations_alone(auth: RunningAuth, organization_id: str) -> None:
    with refused(Category.PERMISSION_DENIED, "ORGANIZATION_NOT_ALLOWED"):
        await issue(auth, "reader", SECRET, organization_id)


@pytest.mark.parametrize("organization_id", ["a/b", "*", "x" * 65, "ö"])
async def test_a_malformed_organization_is_named(auth: RunningAuth, organization_id: str) -> None:
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "organizationId"):
        await issue(auth, *auth.service_credentials, organization_id)


async def test_a_token_allows_what_its_scopes_say(auth: RunningAuth) -> None:
    metadata = bearer(await issue(auth, "reader", SECRET, OWN))
    assert not (await auth.directory.ListUsers(directory_pb2.ListUsersRequest(), metadata=metadata, timeout=20)).users
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        await auth.directory.CreateUser(directory_pb2.CreateUserRequest(), metadata=metadata, timeout=20)
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        await auth.directory.CheckContacts(directory_pb2.CheckContactsRequest(), metadata=metadata, timeout=20)
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        call = auth.auth.WatchRevocations(auth_pb2.WatchRevocationsRequest(), metadata=metadata, timeout=20)
        await call.read()


async def test_a_token_of_no_organization_reads_no_directory(auth: RunningAuth) -> None:
    with refused(Category.PERMISSION_DENIED, "ORGANIZATION_REQUIRED"):
        await auth.directory.ListUsers(
            directory_pb2.ListUsersRequest(), metadata=await auth.service_metadata(), timeout=20
        )


async def test_the_chassis_gets_its_tokens_here(auth: RunningAuth) -> None:
    async with open_channel(auth.target) as channel:
        tokens = ServiceTokens(channel, "reader", SECRET)
        metadata = await tokens.metadata(OWN)
        assert metadata == await tokens.metadata(OWN)
        assert await auth.directory.ListUsers(directory_pb2.ListUsersRequest(), metadata=metadata, timeout=20)
