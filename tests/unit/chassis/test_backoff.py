"""Exponential backoff with full jitter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chassis.backoff import Backoff

policies = st.builds(Backoff, st.floats(0.001, 1.0), st.floats(1.0, 60.0))
counts = st.integers(0, 100_000)
draws = st.floats(0.0, 1.0)


@given(policies, counts, draws)
def test_no_delay_is_negative_or_above_the_cap(policy: Backoff, failures: int, drawn: float) -> None:
    assert 0 <= policy.delay_seconds(failures, lambda: drawn) <= policy.cap_seconds


@given(policies, counts, draws)
def test_the_ceiling_doubles_with_each_failure_up_to_the_cap(policy: Backoff, failures: int, drawn: float) -> None:
    ceiling, next_ceiling = (policy.delay_seconds(count, lambda: 1.0) for count in (failures, failures + 1))
    assert next_ceiling == min(policy.cap_seconds, 2 * ceiling)
    assert policy.delay_seconds(failures, lambda: drawn) == ceiling * drawn


@given(policies)
def test_the_ceiling_starts_at_the_base(policy: Backoff) -> None:
    assert policy.delay_seconds(0, lambda: 1.0) == policy.base_seconds


@given(policies, st.integers(0, 40))
def test_delays_differ_between_callers(policy: Backoff, failures: int) -> None:
    delays = {policy.delay_seconds(failures) for _ in range(20)}
    assert len(delays) > 1
