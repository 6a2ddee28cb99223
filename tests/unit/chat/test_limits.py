"""Tests of the limit on messages of one user."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ResourceExhaustedError
from services.chat.limits import RateLimit


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@given(pauses=st.lists(st.floats(min_value=0, max_value=0.5), min_size=1, max_size=80))
def test_never_more_than_the_burst_and_what_the_rate_gives(pauses: list[float]) -> None:
    clock, admitted = Clock(), 0
    limit = RateLimit(per_second=10, burst=5, now=clock)
    for pause in pauses:
        clock.seconds += pause
        try:
            limit.admit("acme", "ann")
        except ResourceExhaustedError:
            continue
        admitted += 1
        assert admitted <= 5 + 10 * (clock.seconds - 100.0) + 1e-6


def test_a_user_who_waits_as_long_as_required_may_send_and_others_are_not_affected() -> None:
    clock = Clock()
    limit = RateLimit(per_second=10, burst=3, now=clock)
    for _ in range(3):
        limit.admit("acme", "ann")
    with pytest.raises(ResourceExhaustedError) as refused:
        limit.admit("acme", "ann")
    assert (refused.value.reason, refused.value.retry_after_ms) == ("RATE_LIMITED", 100)
    limit.admit("acme", "bob")
    limit.admit("initech", "ann")
    clock.seconds += (refused.value.retry_after_ms or 0) / 1_000 + 1e-9
    limit.admit("acme", "ann")
