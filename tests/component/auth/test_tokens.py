"""Tests of access tokens: their claims, and which tokens are rejected."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from parley.auth.v1 import auth_pb2, directory_pb2

from chassis.errors import Category
from chassis.identity import TokenVerifier, jwt_header
from chassis.rpc.channel import bearer, fetch_keys, open_channel
from tests.component.auth.clocks import MovableClock
from tests.component.auth.expectations import refused
from tests.component.auth_service import RunningAuth, SignedIn, running_auth


@pytest.fixture
async def ann(auth: RunningAuth, organization: str) -> SignedIn:
    return await auth.sign_in_new(organization, "lead", teams=["east", "west"])


async def get_self(auth: RunningAuth, signed_in: SignedIn, token: str) -> directory_pb2.GetUserResponse:
    request = directory_pb2.GetUserRequest(user_id=signed_in.user_id)
    return await auth.directory.GetUser(request, metadata=bearer(token), timeout=20)


def part(token: str, index: int) -> dict[str, Any]:
    text = token.split(".")[index]
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return document


def encoded(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


async def jwks(auth: RunningAuth) -> str:
    return (await auth.auth.ListKeys(auth_pb2.ListKeysRequest(), timeout=20)).jwks


async def test_a_token_says_who_the_user_is(auth: RunningAuth, organization: str, ann: SignedIn) -> None:
    claims = part(ann.access_token, 1)
    assert set(claims) == {"sub", "org", "role", "teams", "name", "sid", "rev", "iat", "exp"}
    assert (claims["sub"], claims["org"], claims["role"]) == (ann.user_id, organization, "lead")
    assert (claims["teams"], claims["name"]) == (["east", "west"], ann.user.name)
    assert claims["exp"] - claims["iat"] == auth.settings.access_token_seconds
    assert claims["exp"] == ann.tokens.expire_time.seconds


async def test_other_processes_verify_tokens_with_the_published_keys(auth: RunningAuth, ann: SignedIn) -> None:
    async with open_channel(auth.target) as channel:
        identity = await TokenVerifier(lambda: fetch_keys(channel)).verify(ann.access_token)
    assert (identity.user_id, identity.role, identity.teams) == (ann.user_id, "lead", ("east", "west"))


async def test_no_private_part_of_a_key_is_published(auth: RunningAuth) -> None:
    for key in json.loads(await jwks(auth))["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


async def test_without_a_token_there_is_no_directory(auth: RunningAuth, ann: SignedIn) -> None:
    with refused(Category.UNAUTHENTICATED, "TOKEN_MISSING"):
        await auth.directory.GetUser(directory_pb2.GetUserRequest(user_id=ann.user_id), timeout=20)


async def test_a_token_of_another_key_is_not_taken(auth: RunningAuth, ann: SignedIn) -> None:
    claims, key_id = part(ann.access_token, 1), jwt_header(ann.access_token)["kid"]
    foreign = ECKey.generate_key("P-256")
    for header in ({"alg": "ES256", "kid": key_id}, {"alg": "ES256", "kid": "other"}, {"alg": "ES256"}):
        with refused(Category.UNAUTHENTICATED, "TOKEN_INVALID"):
            await get_self(auth, ann, jwt.encode(header, claims, foreign))


async def test_a_token_signed_with_the_public_key_as_a_secret_is_not_taken(auth: RunningAuth, ann: SignedIn) -> None:
    public = json.loads(await jwks(auth))["keys"][0]
    pem = ECKey.import_key(public).as_pem(private=False)
    header = {"alg": "HS256", "typ": "JWT", "kid": public["kid"]}
    signed = f"{encoded(header)}.{ann.access_token.split('.')[1]}"
    for secret in (pem, pem.strip(), json.dumps(public).encode()):
        signature = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), "sha256")).rstrip(b"=").decode()
        with refused(Category.UNAUTHENTICATED, "TOKEN_INVALID"):
            await get_self(auth, ann, f"{signed}.{signature}")


async def test_tokens_that_were_changed_are_not_taken(auth: RunningAuth, ann: SignedIn) -> None:
    header, payload, signature = ann.access_token.split(".")
    claims = part(ann.access_token, 1)
    for token in (
        f"{encoded({'alg': 'none', 'kid': jwt_header(ann.access_token)['kid']})}.{payload}.",
        f"{encoded({'alg': 'none'})}.{payload}.{signature}",
        f"{header}.{encoded(claims | {'role': 'admin'})}.{signature}",
        f"{header}.{encoded(claims | {'org': 'other'})}.{signature}",
        f"{header}.{encoded(claims | {'exp': int(time.time()) + 10_000_000})}.{signature}",
        f"{header}.{payload}.{signature[:-8]}AAAAAAAA",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        "x",
        "..",
        base64.urlsafe_b64encode(b"[" * 3_000).decode() + ".e30.AA",
        "A" * 6_000,  # gRPC itself rejects longer headers
    ):
        with refused(Category.UNAUTHENTICATED, "TOKEN_INVALID"):
            await get_self(auth, ann, token)


async def test_another_scheme_is_not_a_bearer_token(auth: RunningAuth, ann: SignedIn) -> None:
    with refused(Category.UNAUTHENTICATED, "TOKEN_INVALID"):
        await auth.directory.GetUser(
            directory_pb2.GetUserRequest(user_id=ann.user_id),
            metadata=(("authorization", f"Basic {ann.access_token}"),),
            timeout=20,
        )


async def test_a_token_expires(mongodb_uri: str, redis_url: str, organization_id: str) -> None:
    clock = MovableClock()
    async with running_auth(mongodb_uri, redis_url, unix_time=clock) as auth:
        await auth.create_organization(organization_id)
        ann = await auth.sign_in_new(organization_id, "lead")
        clock.move(auth.settings.access_token_seconds - 1)
        assert (await get_self(auth, ann, ann.access_token)).user == ann.user
        clock.move(1)
        with refused(Category.UNAUTHENTICATED, "TOKEN_EXPIRED"):
            await get_self(auth, ann, ann.access_token)
