"""Limits of attempts: what conforms, what is given back, and what happens without Redis."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ResourceExhaustedError
from services.auth.limits import (
    FallbackLimiter,
    LimiterUnavailableError,
    LocalLimiter,
    Rate,
    SignInLimits,
    conform,
    subscriber_of,
)

RATE = Rate(attempts=5, window_seconds=50)
gaps = st.lists(st.floats(min_value=0, max_value=40), max_size=60)
rates = st.builds(Rate, st.integers(1, 20), st.floats(min_value=1, max_value=1_000))


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def conforming_times(rate: Rate, between: list[float]) -> list[float]:
    arrival, now, times = -math.inf, 0.0, []
    for gap in between:
        now += gap
        arrival, wait = conform(arrival, now, rate)
        if wait == 0:
            times.append(now)
    return times


@given(rates, gaps)
def test_no_stretch_of_time_has_more_than_the_burst_and_what_came_back_meanwhile(
    rate: Rate, between: list[float]
) -> None:
    times = conforming_times(rate, between)
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            most = rate.attempts + (times[last] - start) / rate.interval_seconds
            assert last - first + 1 <= most + 1e-3


@given(rates, gaps)
def test_an_attempt_after_the_wait_conforms_and_one_clearly_before_does_not(rate: Rate, between: list[float]) -> None:
    arrival, now = -math.inf, 0.0
    for gap in between:
        now += gap
        arrival, wait = conform(arrival, now, rate)
        if wait > 0:
            assert conform(arrival, now + wait, rate)[1] == 0
            assert conform(arrival, now + wait / 2, rate)[1] > 0


@given(rates)
def test_a_whole_burst_conforms_at_once_and_nothing_more(rate: Rate) -> None:
    assert len(conforming_times(rate, [0.0] * (rate.attempts + 3))) == rate.attempts


async def test_an_attempt_given_back_may_be_made_again() -> None:
    limiter = LocalLimiter(Time())
    for _ in range(RATE.attempts):
        assert await limiter.attempt("key", RATE) == 0
    assert await limiter.attempt("key", RATE) == pytest.approx(RATE.interval_seconds)
    await limiter.give_back("key", RATE)
    assert await limiter.attempt("key", RATE) == 0
    assert await limiter.attempt("key", RATE) > 0


async def test_giving_back_what_was_never_counted_gives_no_credit() -> None:
    limiter = LocalLimiter(Time())
    await limiter.give_back("key", RATE)
    for _ in range(RATE.attempts):
        assert await limiter.attempt("key", RATE) == 0
    assert await limiter.attempt("key", RATE) > 0


async def test_the_local_limiter_forgets_the_least_recently_used_key_first() -> None:
    limiter = LocalLimiter(Time(), max_keys=2)
    once = Rate(1, 10)
    assert [await limiter.attempt(key, once) for key in ("a", "b")] == [0, 0]
    assert await limiter.attempt("a", once) > 0
    assert await limiter.attempt("c", once) == 0  # pushes "b" out
    assert await limiter.attempt("a", once) > 0
    assert await limiter.attempt("b", once) == 0


class BrokenOrNot:
    """A shared limiter whose Redis comes and goes."""

    def __init__(self) -> None:
        self.broken = False
        self.asked = 0
        self._limiter = LocalLimiter(Time())

    async def attempt(self, key: str, rate: Rate) -> float:
        self._ask()
        return await self._limiter.attempt(key, rate)

    async def give_back(self, key: str, rate: Rate) -> None:
        self._ask()
        await self._limiter.give_back(key, rate)

    def _ask(self) -> None:
        self.asked += 1
        if self.broken:
            raise LimiterUnavailableError


async def test_without_redis_attempts_are_neither_refused_nor_unlimited() -> None:
    time, shared = Time(), BrokenOrNot()
    limiter = FallbackLimiter(shared, LocalLimiter(time), time)
    shared.broken = True
    waits = [await limiter.attempt("key", RATE) for _ in range(RATE.attempts + 1)]
    assert waits[:-1] == [0] * RATE.attempts
    assert waits[-1] > 0
    await limiter.give_back("key", RATE)
    assert await limiter.attempt("key", RATE) == 0
    assert shared.asked == 1, "Redis is not asked for every attempt while it is away"


async def test_redis_is_asked_again_after_a_while() -> None:
    time, shared = Time(), BrokenOrNot()
    limiter = FallbackLimiter(shared, LocalLimiter(time), time)
    shared.broken = True
    await limiter.attempt("key", RATE)
    shared.broken = False
    time.now += 60
    waits = [await limiter.attempt("key", RATE) for _ in range(RATE.attempts + 1)]
    assert waits[:-1] == [0] * RATE.attempts, "what was counted here alone does not count there"
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
