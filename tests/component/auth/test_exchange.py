"""Tests of exchanging a CRM's tokens: which are accepted, and how they create or update the user."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from parley.auth.v1 import auth_pb2, directory_pb2, user_pb2

from chassis.errors import Category
from tests.component.auth.clocks import MovableClock
from tests.component.auth.crm import AUDIENCE, Crm, SharedSecretCrm, http, make_key, running_crm
from tests.component.auth.expectations import refused
from tests.component.auth_service import PASSWORD, RunningAuth, running_auth


@pytest.fixture
def crm() -> SharedSecretCrm:
    return SharedSecretCrm()


@pytest.fixture
async def trusting(auth: RunningAuth, organization_id: str, crm: SharedSecretCrm) -> str:
    """An organization that trusts the CRM."""
    await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
    return organization_id


async def exchange(auth: RunningAuth, token: str) -> auth_pb2.ExchangeTokenResponse:
    return await auth.auth.ExchangeToken(auth_pb2.ExchangeTokenRequest(token=token), timeout=20)


def claims_of(crm: SharedSecretCrm | Crm, now: float | None = None, **claims: Any) -> dict[str, Any]:
    """Returns valid claims with some changes; None omits a claim."""
    issued = int(time.time() if now is None else now)
    good = {
        "iss": crm.issuer,
        "aud": AUDIENCE,
        "iat": issued,
        "exp": issued + 300,
        "sub": "crm:42",
        "name": "Ann Other",
        "role": "sales",
        "teams": ["east"],
    }
    return {name: value for name, value in (good | claims).items() if value is not None}


async def test_a_user_is_made_and_signed_in(auth: RunningAuth, trusting: str, crm: SharedSecretCrm) -> None:
    email = f"{secrets.token_hex(8)}@crm.example"
    response = await exchange(auth, crm.sign(claims_of(crm, email=email)))
    user = response.user
    assert (user.user_id, user.organization_id, user.name) == ("crm:42", trusting, "Ann Other")
    assert (user.role, list(user.teams), user.email) == (user_pb2.ROLE_SALES, ["east"], email)
    refreshed = await auth.auth.RefreshToken(
        auth_pb2.RefreshTokenRequest(refresh_token=response.tokens.refresh_token), timeout=20
    )
    assert refreshed.user == user


async def test_a_known_user_is_updated_and_what_is_not_said_stays(
    auth: RunningAuth, trusting: str, crm: SharedSecretCrm
) -> None:
    made = (await exchange(auth, crm.sign(claims_of(crm)))).user
    said_less = claims_of(crm, role="lead", name=None, teams=None)
    updated = (await exchange(auth, crm.sign(said_less))).user
    assert (updated.role, updated.name, updated.teams) == (user_pb2.ROLE_LEAD, made.name, made.teams)
    assert updated.create_time.ToNanoseconds() == made.create_time.ToNanoseconds()
    same = (await exchange(auth, crm.sign(claims_of(crm, role=None)))).user
    assert same.role == user_pb2.ROLE_LEAD


async def test_exchanges_at_once_make_one_user(auth: RunningAuth, trusting: str, crm: SharedSecretCrm) -> None:
    tokens = [crm.sign(claims_of(crm, name=f"Ann {number}")) for number in range(8)]
    responses = await asyncio.gather(*(exchange(auth, token) for token in tokens))
    assert {response.user.user_id for response in responses} == {"crm:42"}
    listed = await auth.directory.ListUsers(
        directory_pb2.ListUsersRequest(), metadata=await auth.service_metadata(trusting), timeout=20
    )
    assert len(listed.users) == 1


async def test_a_disabled_account_is_refused_and_stays_as_it_is(
    auth: RunningAuth, trusting: str, crm: SharedSecretCrm
) -> None:
    await auth.create_user(trusting, "sales", user_id="crm:42", name="Before", disabled=True)
    with refused(Category.UNAUTHENTICATED, "ACCOUNT_DISABLED"):
        await exchange(auth, crm.sign(claims_of(crm)))
    user = await auth.directory.GetUser(
        directory_pb2.GetUserRequest(user_id="crm:42"), metadata=await auth.service_metadata(trusting), timeout=20
    )
    assert (user.user.name, user.user.disabled) == ("Before", True)


async def test_an_address_of_another_account_is_left_out(
    auth: RunningAuth, trusting: str, crm: SharedSecretCrm
) -> None:
    elsewhere = f"org-{secrets.token_hex(8)}"
    await auth.create_organization(elsewhere)
    taken = await auth.sign_in_new(elsewhere, "sales")
    response = await exchange(auth, crm.sign(claims_of(crm, email=taken.user.email)))
    assert (response.user.email, response.user.organization_id) == ("", trusting)
    assert (await exchange(auth, crm.sign(claims_of(crm, email=taken.user.email)))).user == response.user
    assert (await auth.sign_in(taken.user.email)).user == taken.user


async def test_the_last_administrator_is_not_demoted_by_a_token(
    auth: RunningAuth, trusting: str, crm: SharedSecretCrm
) -> None:
    await exchange(auth, crm.sign(claims_of(crm, role="admin")))
    with refused(Category.FAILED_PRECONDITION, "LAST_ADMIN"):
        await exchange(auth, crm.sign(claims_of(crm, role="sales")))
    assert (await exchange(auth, crm.sign(claims_of(crm, role=None)))).user.role == user_pb2.ROLE_ADMIN


async def test_claims_have_the_names_that_the_organization_gave(auth: RunningAuth, organization_id: str) -> None:
    crm = SharedSecretCrm()
    issuer = crm.trusted
    issuer.claims.CopyFrom(user_pb2.ClaimNames(user_id="uid", role="https://crm.example/role"))
    await auth.create_organization(organization_id, trusted_issuers=[issuer])
    claims = claims_of(crm, role=None) | {"uid": 7, "https://crm.example/role": "agent_l1"}
    user = (await exchange(auth, crm.sign(claims))).user
    assert (user.user_id, user.role) == ("7", user_pb2.ROLE_AGENT_L1)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": int(time.time()) - 60},
        {"exp": "tomorrow"},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": True},
        {"nbf": int(time.time()) + 3_600},
        {"iat": int(time.time()) + 3_600},
        {"aud": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": []},
        {"sub": None},
        {"sub": "a/b"},
        {"role": None},
        {"role": "root"},
        {"name": "x" * 101},
        {"email": "nobody"},
        {"teams": "east"},
    ],
)
async def test_a_token_whose_claims_do_not_hold_is_refused(
    auth: RunningAuth, trusting: str, crm: SharedSecretCrm, changes: dict[str, Any]
) -> None:
    with refused(Category.UNAUTHENTICATED, "INVALID_TOKEN"):
        await exchange(auth, crm.sign(claims_of(crm, **changes)))


async def test_an_audience_among_several_and_a_clock_slightly_off_are_fine(
    auth: RunningAuth, trusting: str, crm: SharedSecretCrm
) -> None:
    now = int(time.time())
    claims = claims_of(crm, aud=["other", AUDIENCE], exp=now - 20, nbf=now + 20, iat=now + 20)
    assert (await exchange(auth, crm.sign(claims))).user.user_id == "crm:42"


async def test_an_untrusted_issuer_is_refused(auth: RunningAuth) -> None:
    stranger = SharedSecretCrm()
    with refused(Category.UNAUTHENTICATED, "UNTRUSTED_ISSUER"):
        await exchange(auth, stranger.sign(claims_of(stranger)))


async def test_forged_tokens_are_refused(auth: RunningAuth, trusting: str, crm: SharedSecretCrm) -> None:
    claims = claims_of(crm)
    good = crm.sign(claims)
    header, payload, signature = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg": "none"}').rstrip(b"=").decode()
    rsa = RSAKey.generate_key(2_048)
    for token in (
        crm.sign(claims, secret=secrets.token_urlsafe(32)),
        jwt.encode({"alg": "HS512"}, claims, OctKey.import_key(crm.secret * 2), algorithms=["HS512"]),
        jwt.encode({"alg": "RS256", "jwk": rsa.as_dict(private=False)}, claims, rsa),
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload[:-1]}.{signature}",
        "",
        "x",
        "a.b.c",
        "é.é.é",
    ):
        with refused(Category.UNAUTHENTICATED, "INVALID_TOKEN"):
            await exchange(auth, token)


async def test_parley_s_own_tokens_are_not_exchanged(auth: RunningAuth, organization: str) -> None:
    ann = await auth.sign_in_new(organization, "sales")
    with refused(Category.UNAUTHENTICATED, "INVALID_TOKEN"):
        await exchange(auth, ann.access_token)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 prefers the name Ed25519; CRMs still use this one
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_published_key_verifies(auth: RunningAuth, organization_id: str, algorithm: str) -> None:
    async with running_crm(algorithm) as crm:
        await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
        for _ in range(3):
            assert (await exchange(auth, crm.sign(claims_of(crm)))).user.user_id == "crm:42"
        assert crm.fetches == 1
        with refused(Category.UNAUTHENTICATED, "INVALID_TOKEN"):
            await exchange(auth, crm.sign(claims_of(crm), key=make_key(algorithm, "first")))


async def test_a_published_key_is_no_shared_secret(auth: RunningAuth, organization_id: str) -> None:
    async with running_crm("RS256") as crm:
        await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
        public = json.dumps(crm.key.as_dict(private=False))
        forged = jwt.encode({"alg": "HS256", "kid": "first"}, claims_of(crm), OctKey.import_key(public))
        with refused(Category.UNAUTHENTICATED, "INVALID_TOKEN"):
            await exchange(auth, forged)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def timed(mongodb_uri: str, redis_url: str, clock: MovableClock) -> AsyncIterator[RunningAuth]:
    """A service whose clock the test moves."""
    async with running_auth(mongodb_uri, redis_url, unix_time=clock) as running:
        yield running


async def test_a_new_key_is_fetched_when_a_token_names_it_but_not_at_every_turn(
    timed: RunningAuth, clock: MovableClock, organization_id: str
) -> None:
    async with running_crm("ES256") as crm:
        await timed.create_organization(organization_id, trusted_issuers=[crm.trusted])
        await exchange(timed, crm.sign(claims_of(crm, clock())))
        rotated = make_key("ES256", "second")
        for _ in range(5):
            with refused(Category.UNAUTHENTICATED, "INVALID_TOKEN"):
                await exchange(timed, crm.sign(claims_of(crm, clock()), key=rotated))
        assert crm.fetches == 1, "unknown keys cost their makers nothing, so they must not cost the issuer"
        crm.keys = [rotated]
        clock.move(timed.settings.issuer_refetch_seconds)
        assert await exchange(timed, crm.sign(claims_of(crm, clock()), key=rotated))
        assert crm.fetches == 2


async def test_a_withdrawn_key_is_forgotten_in_time(
    timed: RunningAuth, clock: MovableClock, organization_id: str
) -> None:
    async with running_crm("ES256") as crm:
        await timed.create_organization(organization_id, trusted_issuers=[crm.trusted])
        await exchange(timed, crm.sign(claims_of(crm, clock())))
        crm.keys = [make_key("ES256", "second")]
        clock.move(timed.settings.issuer_keys_seconds + 1)
        with refused(Category.UNAUTHENTICATED, "INVALID_TOKEN"):
            await exchange(timed, crm.sign(claims_of(crm, clock())))


async def test_exchanges_at_once_fetch_the_keys_once(auth: RunningAuth, organization_id: str) -> None:
    async with running_crm("ES256") as crm:
        await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
        tokens = [crm.sign(claims_of(crm, sub=f"user-{number}")) for number in range(8)]
        await asyncio.gather(*(exchange(auth, token) for token in tokens))
        assert crm.fetches == 1


COMPRESSED = gzip.compress(b'{"keys": []}')


@pytest.mark.parametrize(
    "answer",
    [
        http(302, b"", "location: https://elsewhere.example/jwks.json"),
        http(500, b"oops"),
        http(404, b'{"keys": []}'),
        http(200, b"not json"),
        http(200, b"[]"),
        http(200, b'{"keys": {}}'),
        http(200, b"[" * 50_000),
        http(200, COMPRESSED, "content-encoding: gzip"),
        http(200, b'{"keys": []' + b" " * 300_000 + b"}"),
        b"no http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\ncut off",
    ],
)
async def test_while_the_keys_can_not_be_had_the_caller_is_to_come_back(
    auth: RunningAuth, organization_id: str, answer: bytes
) -> None:
    async with running_crm("ES256") as crm:
        crm.answer = answer
        await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
        for _ in range(2):
            with refused(Category.UNAVAILABLE, "ISSUER_UNAVAILABLE") as refusal:
                await exchange(auth, crm.sign(claims_of(crm)))
            assert refusal.retry_after_ms == 5_000
        assert crm.fetches == 1


async def test_a_redirect_is_not_followed(timed: RunningAuth, clock: MovableClock, organization_id: str) -> None:
    async with running_crm("ES256") as crm, running_crm("ES256") as target:
        target.keys = crm.keys
        crm.answer = http(302, b"", f"location: {target.url}")
        await timed.create_organization(organization_id, trusted_issuers=[crm.trusted])
        with refused(Category.UNAVAILABLE, "ISSUER_UNAVAILABLE"):
            await exchange(timed, crm.sign(claims_of(crm, clock())))
        assert target.fetches == 0
        crm.answer = b""
        clock.move(timed.settings.issuer_refetch_seconds)
        assert await exchange(timed, crm.sign(claims_of(crm, clock())))


async def test_keys_that_are_no_good_are_passed_over(auth: RunningAuth, organization_id: str) -> None:
    async with running_crm("ES256") as crm:
        other_use = make_key("ES256", "first").as_dict(private=False) | {"use": "enc"}
        documents = [
            {},
            [],
            {"kty": "ML-DSA"},
            {"kty": "EC"},
            other_use,
            make_key("RS256", "first").as_dict(private=False),
        ]
        documents.append(crm.key.as_dict(private=False))
        crm.answer = http(200, json.dumps({"keys": documents}).encode())
        await auth.create_organization(organization_id, trusted_issuers=[crm.trusted])
        assert (await exchange(auth, crm.sign(claims_of(crm)))).user.user_id == "crm:42"


async def test_an_exchanged_user_without_a_password_does_not_sign_in_with_one(
    auth: RunningAuth, trusting: str, crm: SharedSecretCrm
) -> None:
    email = f"{secrets.token_hex(8)}@crm.example"
    await exchange(auth, crm.sign(claims_of(crm, email=email)))
    for password in (PASSWORD, "None", " "):
        with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
            await auth.sign_in(email, password)
