"""Reconnection after each kind of failure, as the protocol's table of close codes says."""

import pytest
from parley_client.connection import STABLE_SECONDS, Decision, ReconnectionPolicy, Retry, Stop
from parley_client.errors import (
    AccountDisabledError,
    MalformedFramesError,
    ParleyError,
    SessionRefusedError,
    UnauthenticatedError,
    UpgradeRefusedError,
)
from parley_client.options import Backoff


@pytest.fixture
def policy() -> ReconnectionPolicy:
    """Draws half of each ceiling: 0.5, 1, 2, 4, 8, 8, ... seconds."""
    return ReconnectionPolicy(Backoff(base_seconds=1.0, cap_seconds=16.0), lambda: 0.5)


def closed(policy: ReconnectionPolicy, code: int, lasted: float = 60.0, after_ms: int | None = None) -> Decision:
    return policy.closed(code, lasted_seconds=lasted, reconnect_after_ms=after_ms)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 4408, 4999])
def test_most_ends_are_followed_by_a_new_connection_with_jitter(policy: ReconnectionPolicy, code: int) -> None:
    assert closed(policy, code) == Retry(0.5)


@pytest.mark.parametrize(("code", "error"), [(4400, MalformedFramesError), (4403, AccountDisabledError)])
def test_some_ends_are_final(policy: ReconnectionPolicy, code: int, error: type[SessionRefusedError]) -> None:
    decision = closed(policy, code)

    assert isinstance(decision, Stop)
    assert type(decision.error) is error


def test_an_announced_delay_is_kept_to_the_millisecond(policy: ReconnectionPolicy) -> None:
    assert closed(policy, 1012, after_ms=1_234) == Retry(1.234)
    assert closed(policy, 1001, after_ms=0) == Retry(0.0)


def test_an_expired_token_is_renewed_before_connecting_again(policy: ReconnectionPolicy) -> None:
    assert closed(policy, 4401) == Retry(0.5, renew_token=True)


def test_too_much_is_answered_by_waiting_longer(policy: ReconnectionPolicy) -> None:
    assert closed(policy, 4429) == Retry(4.0)


def test_failures_in_a_row_back_off_up_to_the_cap(policy: ReconnectionPolicy) -> None:
    delays = [policy.unreachable().after_seconds for _ in range(7)]

    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_a_session_that_lasted_starts_the_waits_over(policy: ReconnectionPolicy) -> None:
    for _ in range(4):
        policy.unreachable()

    assert closed(policy, 1006, lasted=STABLE_SECONDS) == Retry(0.5)


def test_a_server_that_accepts_and_drops_sees_longer_and_longer_waits(policy: ReconnectionPolicy) -> None:
    decisions = [closed(policy, 1006, lasted=0.1) for _ in range(3)]

    assert decisions == [Retry(0.5), Retry(1.0), Retry(2.0)]


def test_a_refused_token_is_renewed_once_and_then_given_up(policy: ReconnectionPolicy) -> None:
    assert policy.upgrade_refused(401, None) == Retry(0.0, renew_token=True)

    decision = policy.upgrade_refused(401, None)

    assert isinstance(decision, Stop)
    assert type(decision.error) is UnauthenticatedError


def test_a_token_that_was_taken_may_be_renewed_again_when_it_is_refused_later(policy: ReconnectionPolicy) -> None:
    policy.upgrade_refused(401, None)
    closed(policy, 1006, lasted=0.1)

    assert policy.upgrade_refused(401, None) == Retry(0.0, renew_token=True)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_tried_again_no_sooner_than_asked(policy: ReconnectionPolicy, status: int) -> None:
    assert policy.upgrade_refused(status, 3_000) == Retry(3.5)


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 410, 426])
def test_a_status_that_will_not_pass_is_final(policy: ReconnectionPolicy, status: int) -> None:
    decision = policy.upgrade_refused(status, None)

    assert isinstance(decision, Stop)
    assert isinstance(decision.error, UpgradeRefusedError)
    assert decision.error.status == status


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED", "INTERNAL"])
def test_a_sign_in_that_failed_for_now_is_tried_again(policy: ReconnectionPolicy, code: str) -> None:
    assert policy.sign_in_failed(ParleyError(code, "ANY", retry_after_ms=2_000)) == Retry(2.5)


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "INVALID_ARGUMENT", "PERMISSION_DENIED", "NOT_FOUND"])
def test_a_sign_in_that_was_refused_is_final(policy: ReconnectionPolicy, code: str) -> None:
    decision = policy.sign_in_failed(ParleyError(code, "INVALID_CREDENTIALS"))

    assert isinstance(decision, Stop)
    assert type(decision.error) is UnauthenticatedError
