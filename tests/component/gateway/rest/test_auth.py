"""Signing in and out over HTTP."""

from __future__ import annotations

import secrets
import time
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from parley.auth.v1 import user_pb2

from gateway.rest.auth import SESSION
from tests.component.auth_service import PASSWORD, auth_settings, drop_database, running_auth
from tests.component.gateway.rest.harness import Harness, Person, answer_of, problem_of, serving_rest
from tests.rest_shapes import check_shape

SHARED_SECRET = "a secret of at least thirty-two bytes"


async def log_in(http: httpx.AsyncClient, email: str, password: str = PASSWORD, **given: Any) -> httpx.Response:
    return await http.post("/api/auth/login", json={"email": email, "password": password}, **given)


async def test_an_address_and_a_password_give_tokens(house: Harness, organization: str) -> None:
    ada = await house.join(organization, "admin")
    answer = answer_of(await log_in(house.http, ada.signed_in.user.email))
    check_shape(answer, SESSION)
    assert answer["user"]["userId"] == ada.id
    assert 0 < answer["expiresIn"] <= house.auth.settings.access_token_seconds


async def test_a_wrong_password_and_an_unknown_address_look_alike(house: Harness, organization: str) -> None:
    ada = await house.join(organization, "admin")
    wrong = await log_in(house.http, ada.signed_in.user.email, "not the password")
    unknown = await log_in(house.http, "nobody@nowhere.example")
    assert problem_of(wrong) == (401, "UNAUTHENTICATED", "INVALID_CREDENTIALS")
    assert wrong.content == unknown.content
    assert wrong.headers["www-authenticate"] == 'Bearer realm="parley"'


async def test_a_refresh_token_gives_new_tokens_that_work(house: Harness, organization: str) -> None:
    ada = await house.join(organization, "admin")
    answer = answer_of(
        await house.http.post("/api/auth/refresh", json={"refreshToken": ada.signed_in.tokens.refresh_token})
    )
    check_shape(answer, SESSION)
    me = await house.http.get("/api/users/me", headers={"authorization": f"Bearer {answer['accessToken']}"})
    assert answer_of(me)["user"]["userId"] == ada.id


async def test_an_unknown_refresh_token_is_refused(house: Harness) -> None:
    response = await house.http.post("/api/auth/refresh", json={"refreshToken": "made-up"})
    assert problem_of(response) == (401, "UNAUTHENTICATED", "INVALID_REFRESH_TOKEN")


async def test_after_logging_out_the_refresh_token_is_worthless(house: Harness, organization: str) -> None:
    ada = await house.join(organization, "admin")
    assert await ada.post("/api/auth/logout") == {}
    response = await house.http.post("/api/auth/refresh", json={"refreshToken": ada.signed_in.tokens.refresh_token})
    assert response.status_code == 401


async def test_the_crms_own_token_gives_tokens_without_a_sign_up(house: Harness, organization_id: str) -> None:
    issuer = f"https://{organization_id}.example"
    await house.auth.create_organization(
        organization_id,
        trusted_issuers=[
            user_pb2.TrustedIssuer(issuer=issuer, audience="parley", algorithm="HS256", shared_secret=SHARED_SECRET)
        ],
    )
    claims = {"iss": issuer, "aud": "parley", "sub": "crm-7", "name": "Ada", "role": "sales", "exp": time.time() + 60}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SHARED_SECRET))
    answer = answer_of(await house.http.post("/api/auth/exchange", json={"token": token}))
    check_shape(answer, SESSION)
    assert (answer["user"]["userId"], answer["user"]["role"]) == ("crm-7", "sales")


async def test_a_token_of_nobody_we_trust_is_refused(house: Harness) -> None:
    response = await house.http.post("/api/auth/exchange", json={"token": "a.b.c"})
    assert response.status_code == 401


async def test_attempts_are_counted_by_the_address_that_our_proxy_saw(mongodb_uri: str, redis_url: str) -> None:
    """What the client itself writes into X-Forwarded-For changes nothing."""
    settings = auth_settings(mongodb_uri, redis_url, sign_in_address_attempts=3)
    address = f"2001:db8:{secrets.randbelow(0xFFFF):x}:{secrets.randbelow(0xFFFF):x}::1"
    try:
        async with running_auth(mongodb_uri, redis_url, settings=settings) as auth, serving_rest(auth) as http:
            for attempt in range(4):
                forwarded = {"x-forwarded-for": f"198.51.100.{attempt}, {address}"}
                response = await log_in(http, f"{attempt}@nowhere.example", headers=forwarded)
                if attempt < 3:
                    assert response.status_code == 401
            assert problem_of(response) == (429, "RESOURCE_EXHAUSTED", "TOO_MANY_ATTEMPTS")
            assert int(response.headers["retry-after"]) >= 1
            elsewhere = await log_in(http, "x@nowhere.example", headers={"x-forwarded-for": "203.0.113.77"})
            assert elsewhere.status_code == 401
    finally:
        await drop_database(settings)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_of_a_token_may_be_written_in_any_case(house: Harness, organization: str, scheme: str) -> None:
    ada = await house.join(organization, "admin")
    authorization = {"authorization": f"{scheme} {ada.signed_in.access_token}"}
    assert (await house.http.get("/api/users/me", headers=authorization)).status_code == 200


async def test_a_services_token_is_no_users(house: Harness, organization: str) -> None:
    authorization = {"authorization": f"Bearer {await house.auth.service_token(organization)}"}
    response = await house.http.get("/api/users/me", headers=authorization)
    assert problem_of(response) == (403, "PERMISSION_DENIED", "USER_REQUIRED")


async def test_a_token_of_another_key_is_no_token(house: Harness, organization: str) -> None:
    ada = await house.join(organization, "admin")
    head, claims, _ = ada.signed_in.access_token.split(".")
    forged = Person(house.http, ada.signed_in)
    for token in (f"{head}.{claims}.{'A' * 86}", f"eyJhbGciOiJub25lIn0.{claims}.", "nonsense", f"{head}.{claims}"):
        response = await forged.request("GET", "/api/users/me", headers={"authorization": f"Bearer {token}"})
        assert problem_of(response) == (401, "UNAUTHENTICATED", "TOKEN_INVALID")
        assert response.headers["www-authenticate"] == 'Bearer realm="parley", error="invalid_token"'
