"""The rate limit on new connections."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import UnavailableError
from gateway.transports.rate_limit import RateLimiter


@given(
    st.integers(1, 50),
    st.integers(1, 20),
    st.lists(st.floats(0, 2, allow_nan=False), min_size=1, max_size=200),
)
def test_never_more_than_the_burst_and_what_time_adds(per_second: int, burst: int, steps: list[float]) -> None:
    now = 0.0
    limiter = RateLimiter(per_second, burst, lambda: now)
    let_in = 0
    for step in steps:
        now += step
        try:
            limiter.acquire()
        except UnavailableError as refusal:
            assert refusal.retry_after_ms
            assert refusal.retry_after_ms >= 1_000
        else:
            let_in += 1
        assert let_in <= burst + now * per_second + 1e-6


def test_after_the_wait_there_is_room_again() -> None:
    now = 0.0
    limiter = RateLimiter(1, 1, lambda: now)
    limiter.acquire()
    with pytest.raises(UnavailableError):
        limiter.acquire()
    now = 1.0
    limiter.acquire()
