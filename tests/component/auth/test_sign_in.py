"""Tests of signing in with a password, and of its limits."""

from __future__ import annotations

import asyncio
import secrets

import grpc
import pytest
from parley.auth.v1 import auth_pb2
from pymongo import AsyncMongoClient

from chassis.errors import Category
from chassis.rpc.channel import Metadata
from tests.component.auth.expectations import refused
from tests.component.auth_service import PASSWORD, RunningAuth, auth_settings, drop_database, running_auth


def fresh_email() -> str:
    return f"{secrets.token_hex(8)}@demo.example"


async def sign_in(
    auth: RunningAuth, email: str, password: str = PASSWORD, *, address: str = "", metadata: Metadata = ()
) -> auth_pb2.SignInResponse:
    request = auth_pb2.SignInRequest(email=email, password=password, client_address=address)
    return await auth.auth.SignIn(request, metadata=metadata, timeout=20)


async def test_a_user_signs_in_whatever_the_case_of_the_address(auth: RunningAuth, organization: str) -> None:
    email = fresh_email()
    made = await auth.create_user(organization, "lead", email=email, password=PASSWORD, teams=["east"])
    response = await sign_in(auth, email.upper())
    assert response.user == made
    assert response.tokens.access_token.count(".") == 2
    assert len(response.tokens.refresh_token) == 86


async def test_failures_look_exactly_alike(auth: RunningAuth, organization: str) -> None:
    enabled, disabled, exchanged = fresh_email(), fresh_email(), fresh_email()
    await auth.create_user(organization, "sales", email=enabled, password=PASSWORD)
    await auth.create_user(organization, "sales", email=disabled, password=PASSWORD, disabled=True)
    await auth.create_user(organization, "sales", email=exchanged)
    seen = set()
    for email, password in [
        (enabled, "wrong"),
        (disabled, PASSWORD),
        (disabled, "wrong"),
        (exchanged, PASSWORD),
        (fresh_email(), PASSWORD),
        ("no address", PASSWORD),
    ]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await sign_in(auth, email, password)
        seen.add((caught.value.code(), caught.value.details(), tuple(caught.value.trailing_metadata() or ())))
    assert len(seen) == 1
    assert next(iter(seen))[0] is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("email", "password", "fields"),
    [
        ("", "password", ["email"]),
        ("a" * 255, "password", ["email"]),
        ("a@demo.example", "", ["password"]),
        ("a@demo.example", "p" * 1_025, ["password"]),
        ("a@demo.example", "ü" * 513, ["password"]),
        ("", "", ["email", "password"]),
    ],
)
async def test_bad_input_is_named(auth: RunningAuth, email: str, password: str, fields: list[str]) -> None:
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", *fields):
        await sign_in(auth, email, password)


async def test_past_the_limit_even_the_right_password_waits(mongodb_uri: str, redis_url: str) -> None:
    settings = auth_settings(mongodb_uri, redis_url, sign_in_account_attempts=3, sign_in_window_seconds=3_600)
    async with running_auth(mongodb_uri, redis_url, settings=settings) as auth:
        organization, email = f"org-{secrets.token_hex(8)}", fresh_email()
        await auth.create_organization(organization)
        await auth.create_user(organization, "sales", email=email, password=PASSWORD)
        for _ in range(3):
            with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
                await sign_in(auth, email, "wrong")
        with refused(Category.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS") as refusal:
            await sign_in(auth, email)
        assert 0 < refusal.retry_after_ms <= 1_200_000
    await drop_database(settings)


async def test_successful_sign_ins_are_not_limited(mongodb_uri: str, redis_url: str) -> None:
    settings = auth_settings(
        mongodb_uri, redis_url, sign_in_account_attempts=2, sign_in_address_attempts=1_000, sign_in_window_seconds=3_600
    )
    async with running_auth(mongodb_uri, redis_url, settings=settings) as auth:
        organization, email = f"org-{secrets.token_hex(8)}", fresh_email()
        await auth.create_organization(organization)
        await auth.create_user(organization, "sales", email=email, password=PASSWORD)
        for _ in range(6):
            await sign_in(auth, email)
    await drop_database(settings)


async def test_attempts_at_once_can_not_slip_past_the_limit(mongodb_uri: str, redis_url: str) -> None:
    settings = auth_settings(mongodb_uri, redis_url, sign_in_account_attempts=3, sign_in_window_seconds=3_600)
    async with running_auth(mongodb_uri, redis_url, settings=settings) as auth:
        email = fresh_email()
        attempts = [sign_in(auth, email, "wrong") for _ in range(12)]
        errors = await asyncio.gather(*attempts, return_exceptions=True)
        codes = [error.code() for error in errors if isinstance(error, grpc.aio.AioRpcError)]
        assert codes.count(grpc.StatusCode.UNAUTHENTICATED) == 3
        assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 9
    await drop_database(settings)


def address_of(number: int) -> str:
    """Returns an address for a test, in a random network, because counts outlive a test."""
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{number}"


async def test_an_address_is_limited_as_the_gateway_names_it(mongodb_uri: str, redis_url: str) -> None:
    settings = auth_settings(mongodb_uri, redis_url, sign_in_address_attempts=2, sign_in_window_seconds=3_600)
    async with running_auth(mongodb_uri, redis_url, settings=settings) as auth:
        service = await auth.service_metadata()
        address = address_of(1)
        for _ in range(2):
            with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
                await sign_in(auth, fresh_email(), address=address, metadata=service)
        with refused(Category.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS"):
            await sign_in(auth, fresh_email(), address=address, metadata=service)
        with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
            await sign_in(auth, fresh_email(), address=address_of(2), metadata=service)
    await drop_database(settings)


async def test_only_the_last_forwarded_address_counts_and_no_claim_of_the_caller(
    mongodb_uri: str, redis_url: str
) -> None:
    settings = auth_settings(mongodb_uri, redis_url, sign_in_address_attempts=2, sign_in_window_seconds=3_600)
    async with running_auth(mongodb_uri, redis_url, settings=settings) as auth:
        real = address_of(1)
        for number in range(2):
            with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
                await sign_in(
                    auth,
                    fresh_email(),
                    address=address_of(number),
                    metadata=(("x-forwarded-for", f"{address_of(number)}, {real}"),),
                )
        with refused(Category.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS"):
            await sign_in(
                auth,
                fresh_email(),
                address=address_of(9),
                metadata=(("x-forwarded-for", f"{address_of(9)},{real}"),),
            )
    await drop_database(settings)


async def test_a_password_is_hashed_again_when_the_cost_has_changed(mongodb_uri: str, redis_url: str) -> None:
    settings = auth_settings(mongodb_uri, redis_url)
    organization, email = f"org-{secrets.token_hex(8)}", fresh_email()
    async with running_auth(mongodb_uri, redis_url, settings=settings) as auth:
        await auth.create_organization(organization)
        await auth.create_user(organization, "sales", email=email, password=PASSWORD)
    costlier = settings.model_copy(update={"password_time_cost": 2})
    async with running_auth(mongodb_uri, redis_url, settings=costlier) as auth:
        for _ in range(2):
            await sign_in(auth, email)
        with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
            await sign_in(auth, email, "wrong")
    async with AsyncMongoClient[dict[str, str]](mongodb_uri) as client:
        document = await client[settings.mongodb_database]["users"].find_one({})
    assert document is not None
    assert ",t=2," in document["password_hash"]
    await drop_database(settings)


async def test_a_new_password_replaces_the_old_one_and_ends_open_sessions(auth: RunningAuth, organization: str) -> None:
    signed_in = await auth.sign_in_new(organization, "sales")
    await auth.update_user(organization, signed_in.user_id, password="another password")
    with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
        await sign_in(auth, signed_in.user.email)
    await sign_in(auth, signed_in.user.email, "another password")
    with refused(Category.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN"):
        await auth.auth.RefreshToken(
            auth_pb2.RefreshTokenRequest(refresh_token=signed_in.tokens.refresh_token), timeout=20
        )
