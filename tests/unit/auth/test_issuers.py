"""Tests of trusted issuers: the addresses that may be fetched, and the profile in a token."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import UnauthenticatedError
from services.auth.domain import ClaimNames, Role
from services.auth.issuer_tokens import claimed_issuer
from services.auth.key_sets import is_key_set_url
from services.auth.profile import read_profile


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example/jwks.json",
        "https://crm.example:8443/keys?tenant=1",
        "http://127.0.0.1:9000/jwks",
        "http://[::1]:9000/jwks",
        "http://localhost/jwks",
    ],
)
def test_key_sets_come_over_https_or_from_loopback(url: str) -> None:
    assert is_key_set_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "crm.example/jwks",
        "http://crm.example/jwks",
        "http://127.0.0.1.crm.example/jwks",
        "http://localhost.crm.example/jwks",
        "http://169.254.169.254/latest",
        "http://0.0.0.0/jwks",
        "http://10.0.0.1/jwks",
        "ftp://crm.example/jwks",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@crm.example/jwks",
        "https://crm.example:0/jwks",
        "https://crm.example:99999/jwks",
        "https://crm.example/jwks#part",
        "https://crm.example/a b",
        "https://crm.example/\n",
        "https://[::1/jwks",
        "https://crm.exämple/jwks",
    ],
)
def test_and_from_nowhere_else(url: str) -> None:
    assert not is_key_set_url(url)


def test_a_token_without_claims_but_for_the_user_says_nothing_more() -> None:
    profile = read_profile({"sub": "7"}, ClaimNames())
    assert (profile.user_id, profile.name, profile.email, profile.role, profile.teams) == ("7", None, None, None, None)


def test_claims_are_read_by_the_names_that_the_organization_gave() -> None:
    names = ClaimNames(user_id="uid", name="full", email="mail", role="kind", teams="groups")
    claims = {"uid": 42, "full": " Ann ", "mail": "a@b.example", "kind": "sales", "groups": ["x", "y", "x"], "sub": "?"}
    profile = read_profile(claims, names)
    assert (profile.user_id, profile.name, profile.email) == ("42", "Ann", "a@b.example")
    assert (profile.role, profile.teams) == (Role.SALES, ("x", "y"))


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("sub", None),
        ("sub", ""),
        ("sub", True),
        ("sub", -1),
        ("sub", 1.5),
        ("sub", "a/b"),
        ("sub", "a" * 65),
        ("sub", ["a"]),
        ("name", "a" * 101),
        ("name", "a\nb"),
        ("name", "  "),
        ("name", 7),
        ("email", "nobody"),
        ("email", {"a": 1}),
        ("role", "root"),
        ("role", "ADMIN"),
        ("role", ["admin"]),
        ("teams", "east"),
        ("teams", [1]),
        ("teams", [""]),
        ("teams", ["a" * 65]),
        ("teams", [str(number) for number in range(51)]),
    ],
)
def test_a_claim_that_is_no_good_is_named(claim: str, value: Any) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        read_profile({"sub": "7"} | {claim: value}, ClaimNames())
    assert refused.value.reason == "INVALID_TOKEN"
    assert claim in refused.value.message


def token_with(payload: bytes) -> str:
    return "e30." + base64.urlsafe_b64encode(payload).rstrip(b"=").decode() + ".c2ln"


def test_the_issuer_that_a_token_claims_is_read() -> None:
    assert claimed_issuer(token_with(json.dumps({"iss": "https://crm.example"}).encode())) == "https://crm.example"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c.d",
        "e30.!!!.c2ln",
        token_with(b"not json"),
        token_with(b"[]"),
        token_with(b"{}"),
        token_with(b'{"iss": 7}'),
        token_with(b'{"iss": ""}'),
        token_with(b"[" * 5_000),
        token_with(b"\xff\xfe"),
        token_with(json.dumps({"iss": "x", "pad": "y" * 20_000}).encode()),
    ],
)
def test_what_is_no_token_with_an_issuer_is_refused(token: str) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        claimed_issuer(token)
    assert refused.value.reason == "INVALID_TOKEN"


@given(st.text(max_size=100))
def test_no_text_breaks_the_reading_of_tokens(token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        claimed_issuer(token)
