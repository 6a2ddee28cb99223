"""Tokens are renewed in time, once for all callers."""

import asyncio
from collections.abc import Callable

import pytest
from parley_client.auth_api import Tokens
from parley_client.errors import ConnectionLostError, ParleyError
from parley_client.options import Options
from parley_client.tokens import AccessToken, ProvidedTokens, TokenRenewer

from tests.unit.client.fake_time import FakeClock, settle

_LIFE_SECONDS = 100.0


class Issuer:
    """A token provider: token-1, token-2, ..., and the errors that a test queues."""

    def __init__(self) -> None:
        self.count = 0
        self.errors: list[ParleyError] = []

    async def __call__(self) -> Tokens:
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        self.count += 1
        return Tokens(f"token-{self.count}", expires_in=_LIFE_SECONDS)


class Recipient:
    """The recipient of renewed tokens."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.error: Exception | None = None

    async def __call__(self, token: AccessToken) -> None:
        self.tokens.append(token.value)
        if self.error is not None:
            raise self.error


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def source(issuer: Issuer, clock: FakeClock) -> ProvidedTokens:
    return ProvidedTokens(issuer, clock)


@pytest.fixture
def keep(source: ProvidedTokens, clock: FakeClock) -> Callable[[Recipient], TokenRenewer]:
    return lambda recipient: TokenRenewer(source, Options(clock=clock, random=lambda: 0.5), recipient)


async def test_the_first_token_is_kept(source: ProvidedTokens, issuer: Issuer) -> None:
    tokens = await asyncio.gather(source.current(), source.current())

    assert {token.value for token in tokens} == {"token-1"}
    assert issuer.count == 1


async def test_many_who_are_refused_the_same_token_renew_it_once(source: ProvidedTokens, issuer: Issuer) -> None:
    old = await source.current()

    tokens = await asyncio.gather(*(source.renew(old) for _ in range(3)))

    assert {token.value for token in tokens} == {"token-2"}
    assert issuer.count == 2


async def test_a_provider_may_give_a_token_alone(clock: FakeClock) -> None:
    async def provide() -> str:
        return "opaque"

    assert await ProvidedTokens(provide, clock).current() == AccessToken("opaque")


async def test_a_token_is_replaced_and_shown_before_it_expires(
    keep: Callable[[Recipient], TokenRenewer], source: ProvidedTokens, clock: FakeClock
) -> None:
    recipient = Recipient()
    keeping = asyncio.create_task(keep(recipient).run(await source.current()))
    await settle()

    await clock.advance(_LIFE_SECONDS * 0.79)
    assert recipient.tokens == []
    await clock.advance(_LIFE_SECONDS * 0.02)
    assert recipient.tokens == ["token-2"]
    await clock.advance(_LIFE_SECONDS * 0.81)
    assert recipient.tokens == ["token-2", "token-3"]
    keeping.cancel()


async def test_a_token_that_was_renewed_elsewhere_is_left_alone(
    keep: Callable[[Recipient], TokenRenewer], source: ProvidedTokens, clock: FakeClock, issuer: Issuer
) -> None:
    recipient = Recipient()
    first = await source.current()
    keeping = asyncio.create_task(keep(recipient).run(first))
    await clock.advance(_LIFE_SECONDS * 0.5)
    await source.renew(first)

    await clock.advance(_LIFE_SECONDS * 0.31)

    assert (issuer.count, recipient.tokens) == (2, [])
    keeping.cancel()


async def test_a_renewal_that_failed_for_now_is_tried_again_soon(
    keep: Callable[[Recipient], TokenRenewer], source: ProvidedTokens, clock: FakeClock, issuer: Issuer
) -> None:
    recipient = Recipient()
    keeping = asyncio.create_task(keep(recipient).run(await source.current()))
    issuer.errors = [ParleyError("UNAVAILABLE", "ANY"), ParleyError("RESOURCE_EXHAUSTED", "ANY", retry_after_ms=3_000)]
    await settle()
    await clock.advance(_LIFE_SECONDS * 0.81)
    await clock.advance(1)
    assert recipient.tokens == []

    await clock.advance(5)

    assert recipient.tokens == ["token-2"]
    keeping.cancel()


async def test_a_refused_renewal_is_not_hammered(
    keep: Callable[[Recipient], TokenRenewer], source: ProvidedTokens, clock: FakeClock, issuer: Issuer
) -> None:
    keeping = asyncio.create_task(keep(Recipient()).run(await source.current()))
    issuer.errors = [ParleyError("UNAUTHENTICATED", "REVOKED")] * 100
    await settle()
    await clock.advance(_LIFE_SECONDS * 0.81)

    for _ in range(59):
        await clock.advance(1)

    assert len(issuer.errors) == 99
    keeping.cancel()


@pytest.mark.parametrize("error", [ConnectionLostError("session.refresh"), ParleyError("UNAUTHENTICATED", "ANY")])
async def test_a_token_that_could_not_be_shown_is_kept_for_the_next_connection(
    keep: Callable[[Recipient], TokenRenewer], source: ProvidedTokens, clock: FakeClock, error: Exception
) -> None:
    recipient = Recipient()
    recipient.error = error
    keeping = asyncio.create_task(keep(recipient).run(await source.current()))
    await settle()

    await clock.advance(_LIFE_SECONDS * 0.81)

    assert not keeping.done()
    assert (await source.current()).value == "token-2"
    keeping.cancel()
