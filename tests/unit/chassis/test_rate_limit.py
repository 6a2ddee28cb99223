"""Tests of the generic cell rate algorithm and of limits by key."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.rate_limit import KeyedLimiter, Rate, conform

RATE = Rate(burst=5, window_seconds=50)
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
            most = rate.burst + (times[last] - start) / rate.interval_seconds
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
    assert len(conforming_times(rate, [0.0] * (rate.burst + 3))) == rate.burst


def test_an_attempt_given_back_may_be_made_again() -> None:
    limiter: KeyedLimiter[str] = KeyedLimiter(Time(), 100)
    for _ in range(RATE.burst):
        assert limiter.attempt("key", RATE) == 0
    assert limiter.attempt("key", RATE) == pytest.approx(RATE.interval_seconds)
    limiter.refund("key", RATE)
    assert limiter.attempt("key", RATE) == 0
    assert limiter.attempt("key", RATE) > 0


def test_giving_back_what_was_never_counted_gives_no_credit() -> None:
    limiter: KeyedLimiter[str] = KeyedLimiter(Time(), 100)
    limiter.refund("key", RATE)
    for _ in range(RATE.burst):
        assert limiter.attempt("key", RATE) == 0
    assert limiter.attempt("key", RATE) > 0


def test_the_limiter_forgets_the_least_recently_used_key_first() -> None:
    limiter: KeyedLimiter[str] = KeyedLimiter(Time(), max_keys=2)
    once = Rate(1, 10)
    assert [limiter.attempt(key, once) for key in ("a", "b")] == [0, 0]
    assert limiter.attempt("a", once) > 0
    assert limiter.attempt("c", once) == 0  # pushes "b" out
    assert limiter.attempt("a", once) > 0
    assert limiter.attempt("b", once) == 0
