"""Tests of sealed values, passwords and refresh tokens."""

from __future__ import annotations

import asyncio
import base64
import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ResourceExhaustedError, UnauthenticatedError
from services.auth.passwords import Passwords, make_hasher
from services.auth.sealing import Sealer, UnsealError
from services.auth.sessions import RefreshToken, parse_refresh_token

CHEAP = make_hasher(1, 1_024, 1)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_was_sealed_opens_in_its_context(value: bytes, context: str) -> None:
    sealer = Sealer(bytes(32))
    assert sealer.open(sealer.seal(value, context), context) == value


def test_what_was_sealed_opens_in_no_other_context_under_no_other_key_and_not_when_changed() -> None:
    sealer = Sealer(bytes(32))
    sealed = sealer.seal(b"secret", "here")
    assert b"secret" not in sealed
    with pytest.raises(UnsealError):
        sealer.open(sealed, "there")
    with pytest.raises(UnsealError):
        Sealer(bytes(31) + b"1").open(sealed, "here")
    for changed in (b"", sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(UnsealError):
            sealer.open(changed, "here")


async def test_a_password_matches_its_own_hash_alone() -> None:
    with closing(Passwords(CHEAP, workers=1, queue=8)) as passwords:
        stored = await passwords.hash("correct horse")
        assert stored.startswith("$argon2id$")
        assert await passwords.matches("correct horse", stored)
        assert not await passwords.matches("correct horsf", stored)
        assert not await passwords.matches("correct horse", None)
        assert not await passwords.matches("correct horse", "damaged")


async def test_a_hash_of_other_parameters_is_outdated() -> None:
    with closing(Passwords(CHEAP, workers=1, queue=8)) as passwords:
        assert not passwords.is_outdated(await passwords.hash("password"))
        assert passwords.is_outdated(make_hasher(2, 1_024, 1).hash("password"))


async def test_past_the_queue_passwords_are_refused_and_taken_again_afterwards() -> None:
    with closing(Passwords(CHEAP, workers=1, queue=1)) as passwords:
        release = threading.Event()
        blocked = [asyncio.ensure_future(passwords._run(release.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ResourceExhaustedError) as refused:
            await passwords.hash("password")
        assert refused.value.reason == "OVERLOADED"
        release.set()
        await asyncio.gather(*blocked)
        assert await passwords.hash("password")


@given(st.binary(min_size=64, max_size=64))
def test_a_refresh_token_reads_back(raw: bytes) -> None:
    text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    token = parse_refresh_token(text)
    assert token.encode() == text
    assert (token.family, token.secret) == (raw[16:32], raw[32:])


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_refresh_tokens(text: str) -> None:
    try:
        token = parse_refresh_token(text)
    except UnauthenticatedError as error:
        assert error.reason == "INVALID_REFRESH_TOKEN"
    else:
        assert len(token.secret) == 32


def test_a_successor_depends_on_the_salt_and_keeps_the_family() -> None:
    token = RefreshToken("A" * 22, b"f" * 16, b"s" * 32)
    one, other = token.successor(b"1" * 32), token.successor(b"2" * 32)
    assert one == token.successor(b"1" * 32)
    assert len({token.secret, one.secret, other.secret}) == 3
    assert one.session_id == token.session_id
    assert one.family == token.family
