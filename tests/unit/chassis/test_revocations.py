"""Tests of the cache of revocations."""

from __future__ import annotations

import pytest

from chassis.errors import UnauthenticatedError
from chassis.identity import Identity
from chassis.revocations import RevocationCache

NOW = 1_000_000.0
SKEW = 60.0


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> float:
        """Returns the Unix time, in s."""
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> RevocationCache:
    return RevocationCache(clock, capacity=3)


def identity(
    user_id: str = "ann", session_id: str = "s1", revision: int = 5, organization_id: str = "acme"
) -> Identity:
    return Identity(organization_id, user_id, "sales", (), "", session_id, "", frozenset(), NOW + 900, revision)


SERVICE = Identity("", "", "", (), "", "", "crm", frozenset(), NOW + 900)


def reason(cache: RevocationCache, caller: Identity) -> str:
    refusal = cache.refusal(caller)
    return refusal.reason if refusal else ""


def test_a_session_s_tokens_are_refused_and_no_others(cache: RevocationCache) -> None:
    cache.revoke_session("acme", "ann", "s1", NOW + 900)
    assert reason(cache, identity()) == "TOKEN_REVOKED"
    for other in (identity(session_id="s2"), identity("bob"), identity(organization_id="other"), SERVICE):
        assert reason(cache, other) == ""


def test_a_user_s_earlier_tokens_are_refused_and_no_others(cache: RevocationCache) -> None:
    cache.revoke_user("acme", "ann", 6, NOW + 900, disabled=True)
    assert reason(cache, identity()) == "ACCOUNT_DISABLED"
    for other in (identity(revision=6), identity("bob"), identity(organization_id="other"), SERVICE):
        assert reason(cache, other) == ""
    cache.revoke_user("acme", "ann", 8, NOW + 900, disabled=False)
    assert reason(cache, identity(revision=7)) == "TOKEN_REVOKED"


def test_an_earlier_revocation_that_comes_later_allows_nothing(cache: RevocationCache) -> None:
    cache.revoke_user("acme", "ann", 8, NOW + 800, disabled=False)
    cache.revoke_user("acme", "ann", 6, NOW + 900, disabled=True)
    assert reason(cache, identity(revision=7)) == "TOKEN_REVOKED"


def test_repeats_take_no_room(cache: RevocationCache) -> None:
    for _ in range(10):
        cache.revoke_session("acme", "ann", "s1", NOW + 900)
        cache.revoke_user("acme", "ann", 6, NOW + 900, disabled=False)
    assert len(cache) == 2


def test_revocations_are_forgotten_once_their_tokens_have_expired(cache: RevocationCache, clock: Clock) -> None:
    cache.revoke_session("acme", "ann", "s1", NOW + 900)
    cache.revoke_user("acme", "ann", 6, NOW + 900, disabled=False)
    clock.time = NOW + 900 + SKEW
    cache.revoke_session("acme", "bob", "s2", NOW + 1_800)
    assert len(cache) == 1
    assert reason(cache, identity()) == ""


def test_the_oldest_are_forgotten_when_there_are_too_many(cache: RevocationCache) -> None:
    for number in range(4):
        cache.revoke_session("acme", "ann", f"s{number}", NOW + 900 + number)
    assert len(cache) == 3
    assert [reason(cache, identity(session_id=f"s{number}")) for number in range(4)] == ["", *["TOKEN_REVOKED"] * 3]


def test_a_revocation_that_was_replaced_is_not_forgotten_with_the_first(cache: RevocationCache, clock: Clock) -> None:
    cache.revoke_user("acme", "ann", 6, NOW + 100, disabled=False)
    cache.revoke_user("acme", "ann", 7, NOW + 900, disabled=False)
    clock.time = NOW + 100 + SKEW
    cache.revoke_session("acme", "bob", "s2", NOW + 900)
    assert reason(cache, identity()) == "TOKEN_REVOKED"


def test_who_watches_hears_of_its_own_revocation(cache: RevocationCache) -> None:
    heard: list[UnauthenticatedError] = []
    with cache.watching(identity(), heard.append):
        cache.revoke_session("acme", "ann", "s2", NOW + 900)
        cache.revoke_session("acme", "bob", "s3", NOW + 900)
        assert heard == []
        cache.revoke_session("acme", "ann", "s1", NOW + 900)
    cache.revoke_user("acme", "ann", 6, NOW + 900, disabled=True)
    assert [refusal.reason for refusal in heard] == ["TOKEN_REVOKED"]
