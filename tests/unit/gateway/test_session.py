"""A session admits requests, and enforces the limits of a connection."""

from __future__ import annotations

import pytest
from parley.chat.v1.message_pb2 import Draft

from chassis.errors import AppError, InvalidArgumentError, PermissionDeniedError, UnimplementedError
from gateway.sessions.commands import Malformed, Reject, Request, SendMessage
from gateway.sessions.session import Close, Execute, FrameRate, Reply
from tests.unit.gateway.fixtures import LIMITS, identity, session

SEND = Request(1, "message.send", SendMessage(Draft()))
MALFORMED = Request(0, "unknown", Malformed(InvalidArgumentError("MALFORMED_FRAME", "not JSON")))
REFUSED = Request(2, "unknown", Reject(UnimplementedError("UNKNOWN_OP", "no such op")))


def test_a_good_request_is_carried_out() -> None:
    subject = session()
    assert isinstance(subject.admit(SEND), Execute)
    assert subject.in_flight == 1


def test_a_bad_request_is_answered_with_its_error_and_is_not_in_flight() -> None:
    subject = session()
    effect = subject.admit(REFUSED)
    assert isinstance(effect, Reply)
    assert effect.error.reason == "UNKNOWN_OP"
    assert subject.in_flight == 0


def test_the_tenth_malformed_frame_in_a_row_ends_the_connection() -> None:
    subject = session()
    effects = [subject.admit(MALFORMED) for _ in range(10)]
    assert all(isinstance(effect, Reply) for effect in effects[:9])
    last = effects[9]
    assert isinstance(last, Close)
    assert last.code == 4400


@pytest.mark.parametrize("readable", [SEND, REFUSED])
def test_a_readable_frame_among_malformed_ones_resets_the_count(readable: Request) -> None:
    subject = session()
    for _ in range(3):
        for _ in range(9):
            assert isinstance(subject.admit(MALFORMED), Reply)
        subject.admit(readable)


def test_more_requests_than_may_be_unanswered_are_refused_until_one_is_answered() -> None:
    subject = session()
    assert [type(subject.admit(SEND)) for _ in range(4)] == [Execute, Execute, Execute, Reply]
    refusal = subject.admit(SEND)
    assert isinstance(refusal, Reply)
    assert refusal.error.reason == "TOO_MANY_REQUESTS"
    assert refusal.error.retry_after_ms
    subject.answered()
    assert isinstance(subject.admit(SEND), Execute)


def test_a_flood_of_frames_ends_the_connection() -> None:
    rate = FrameRate(LIMITS.frames_per_second)
    ends = [rate.count(100.0 + n / 1_000) for n in range(20)]
    flood = next(end for end in ends if end is not None)
    assert flood.code == 4429


def test_frames_at_the_permitted_rate_are_no_flood() -> None:
    rate = FrameRate(LIMITS.frames_per_second)
    assert [rate.count(100.0 + n / 5) for n in range(200)] == [None] * 200


def test_a_newer_token_of_the_same_user_takes_over() -> None:
    subject = session()
    subject.refresh(identity(name="Anna", expires_at=2_000_000_900.0), "newer")
    assert subject.token == "newer"
    assert subject.identity.expires_at == 2_000_000_900.0
    assert subject.actor.name == "Anna"
    assert subject.actor.connection_id == subject.connection_id


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (identity("bob"), PermissionDeniedError),
        (identity(organization_id="other"), PermissionDeniedError),
        (identity(expires_at=1_999_999_999.0), InvalidArgumentError),
    ],
)
def test_another_users_token_or_an_older_one_changes_nothing(other: object, error: type[AppError]) -> None:
    subject = session()
    with pytest.raises(error):
        subject.refresh(other, "other")  # type: ignore[arg-type]
    assert subject.token == "token"
    assert subject.identity == identity()
