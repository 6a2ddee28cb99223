"""The renewal times of tokens."""

import base64

import msgspec
import pytest
from parley_client.auth_api import Tokens
from parley_client.tokens import access_token_of


def jwt(claims: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()

    return f"{part({'alg': 'ES256'})}.{part(claims)}.signature"


def test_the_life_that_came_with_a_token_counts_from_its_arrival() -> None:
    token = access_token_of(Tokens(jwt({"exp": 1}), expires_in=900.0), now=10_000.0)

    assert token.renew_at == 10_000.0 + 720.0


def test_without_it_the_tokens_own_claims_count() -> None:
    token = access_token_of(Tokens(jwt({"iat": 9_900, "exp": 10_800})), now=10_000.0)

    assert token.renew_at == 9_900 + 720.0


def test_a_token_from_the_future_is_taken_for_new() -> None:
    token = access_token_of(Tokens(jwt({"iat": 20_000, "exp": 10_100})), now=10_000.0)

    assert token.renew_at == 10_000.0 + 80.0


def test_an_expired_token_is_due_for_renewal() -> None:
    token = access_token_of(Tokens(jwt({"iat": 1_000, "exp": 1_900})), now=10_000.0)

    assert token.renew_at is not None
    assert token.renew_at < 10_000.0


@pytest.mark.parametrize(
    "text", ["opaque", "a.b.c", "a.%%%.c", jwt({"exp": "soon"}), jwt([]), jwt({}), "..", "a.b.c.d", "ä.ö.ü"]
)
def test_a_token_that_says_nothing_is_renewed_when_it_is_refused(text: str) -> None:
    assert access_token_of(Tokens(text), now=10_000.0).renew_at is None


def test_tokens_do_not_show_in_logs() -> None:
    tokens = Tokens("secret-access", "secret-refresh", 900.0)

    assert "secret" not in f"{tokens!r} {access_token_of(tokens, now=0.0)!r}"
