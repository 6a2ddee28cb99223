"""The backoff of restarts."""

from deploy.local.supervision import RestartPolicy


def test_the_first_restart_is_quick_and_later_ones_ever_slower_up_to_a_limit() -> None:
    policy = RestartPolicy(first_delay_seconds=0.25, max_delay_seconds=15)
    delays = [policy.delay_seconds(failures) for failures in range(1, 9)]
    assert delays == [0.25, 0.5, 1, 2, 4, 8, 15, 15]
    assert policy.delay_seconds(10_000) == 15
