"""Full jitter: from 0 to a ceiling that doubles up to a cap."""

from hypothesis import given
from hypothesis import strategies as st
from parley_client.options import Backoff


@given(
    base=st.floats(min_value=0.001, max_value=10),
    cap=st.floats(min_value=0.001, max_value=600),
    attempt=st.integers(min_value=0, max_value=100_000),
    draw=st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_a_wait_lies_between_nothing_and_its_ceiling(base: float, cap: float, attempt: int, draw: float) -> None:
    backoff = Backoff(base, cap)

    delay = backoff.delay_seconds(attempt, lambda: draw)

    assert 0 <= delay <= backoff.ceiling_seconds(attempt) <= cap


def test_ceilings_double_up_to_the_cap() -> None:
    backoff = Backoff(base_seconds=0.25, cap_seconds=3.0)

    assert [backoff.ceiling_seconds(attempt) for attempt in range(6)] == [0.25, 0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_draw_spreads_a_wait_over_all_of_its_range() -> None:
    backoff = Backoff(base_seconds=1.0, cap_seconds=60.0)

    assert [backoff.delay_seconds(2, iter([draw]).__next__) for draw in (0.0, 0.5, 0.75)] == [0.0, 2.0, 3.0]
