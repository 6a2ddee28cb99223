"""Tests of the limits on sign-ins, with and without Redis, and of the addresses that they apply to."""

from __future__ import annotations

import pytest

from chassis.errors import ResourceExhaustedError
from chassis.rate_limit import Rate
from services.auth.limits import (
    FallbackLimiter,
    LimiterUnavailableError,
    LocalLimiter,
    SignInLimits,
    host_of,
    subscriber_of,
)

RATE = Rate(burst=5, window_seconds=50)


class Time:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class BrokenOrNot:
    """A shared limiter whose Redis may fail."""

    def __init__(self) -> None:
        self.broken = False
        self.asked = 0
        self._limiter = LocalLimiter(Time())

    async def attempt(self, key: str, rate: Rate) -> float:
        self._ask()
        return await self._limiter.attempt(key, rate)

    async def refund(self, key: str, rate: Rate) -> None:
        self._ask()
        await self._limiter.refund(key, rate)

    def _ask(self) -> None:
        self.asked += 1
        if self.broken:
            raise LimiterUnavailableError


async def test_without_redis_attempts_are_neither_refused_nor_unlimited() -> None:
    time, shared = Time(), BrokenOrNot()
    limiter = FallbackLimiter(shared, LocalLimiter(time), time)
    shared.broken = True
    waits = [await limiter.attempt("key", RATE) for _ in range(RATE.burst + 1)]
    assert waits[:-1] == [0] * RATE.burst
    assert waits[-1] > 0
    await limiter.refund("key", RATE)
    assert await limiter.attempt("key", RATE) == 0
    assert shared.asked == 1, "Redis is not asked for every attempt while it is away"


async def test_redis_is_asked_again_after_a_while() -> None:
    time, shared = Time(), BrokenOrNot()
    limiter = FallbackLimiter(shared, LocalLimiter(time), time)
    shared.broken = True
    await limiter.attempt("key", RATE)
    shared.broken = False
    time.now += 60
    waits = [await limiter.attempt("key", RATE) for _ in range(RATE.burst + 1)]
    assert waits[:-1] == [0] * RATE.burst, "what was counted here alone does not count there"
    assert waits[-1] > 0


def limits(by_account: int, by_address: int) -> SignInLimits:
    return SignInLimits(LocalLimiter(Time()), Rate(by_account, 60), Rate(by_address, 60))


async def test_one_account_is_limited_whatever_the_addresses_and_the_spelling() -> None:
    sign_in = limits(by_account=2, by_address=100)
    await sign_in.admit("Ann@Demo.example", "192.0.2.1")
    await sign_in.admit("ann@demo.example", "192.0.2.2")
    with pytest.raises(ResourceExhaustedError) as refused:
        await sign_in.admit("ANN@DEMO.EXAMPLE", "192.0.2.3")
    assert refused.value.reason == "TOO_MANY_ATTEMPTS"
    assert refused.value.retry_after_ms == 30_000
    await sign_in.admit("bob@demo.example", "192.0.2.3")


async def test_one_address_is_limited_whatever_the_accounts() -> None:
    sign_in = limits(by_account=100, by_address=2)
    await sign_in.admit("a@demo.example", "2001:db8::1")
    await sign_in.admit("b@demo.example", "2001:db8::2")
    with pytest.raises(ResourceExhaustedError):
        await sign_in.admit("c@demo.example", "2001:db8::3")
    await sign_in.admit("c@demo.example", "2001:db8:0:1::1")


@pytest.mark.parametrize(
    ("address", "subscriber"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix:/tmp/socket", ""),
        ("192.0.2.7:1234", ""),
        ("", ""),
    ],
)
def test_an_address_stands_for_its_subscriber(address: str, subscriber: str) -> None:
    assert subscriber_of(address) == subscriber


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.7:50123", "192.0.2.7"),
        ("ipv6:[2001:db8::1]:50123", "2001:db8::1"),
        ("ipv6:%5B::1%5D:50123", "::1"),
        ("unix:/run/parley.sock", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_peer(peer: str, host: str) -> None:
    assert host_of(peer) == host
