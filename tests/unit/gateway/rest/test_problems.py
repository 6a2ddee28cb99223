"""How failures look over HTTP."""

from __future__ import annotations

import json

import pytest
from starlette.responses import Response

from chassis.errors import (
    AppError,
    Category,
    InternalError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    make_error,
)
from gateway.rest.errors import (
    BodyTooLargeError,
    MethodNotAllowedError,
    PathNotFoundError,
    UnsupportedMediaTypeError,
    problem_response,
)


def answer(error: Exception) -> Response:
    return problem_response(error, route="/here", request_id="r1")


def error_of(response: Response) -> dict[str, object]:
    error: dict[str, object] = json.loads(bytes(response.body))["error"]
    return error


@pytest.mark.parametrize(
    ("category", "status"),
    [
        (Category.CANCELLED, 503),
        (Category.UNKNOWN, 500),
        (Category.INVALID_ARGUMENT, 400),
        (Category.DEADLINE_EXCEEDED, 504),
        (Category.NOT_FOUND, 404),
        (Category.ALREADY_EXISTS, 409),
        (Category.PERMISSION_DENIED, 403),
        (Category.RESOURCE_EXHAUSTED, 429),
        (Category.FAILED_PRECONDITION, 409),
        (Category.ABORTED, 409),
        (Category.OUT_OF_RANGE, 400),
        (Category.UNIMPLEMENTED, 501),
        (Category.INTERNAL, 500),
        (Category.UNAVAILABLE, 503),
        (Category.DATA_LOSS, 500),
        (Category.UNAUTHENTICATED, 401),
    ],
)
def test_each_category_has_its_status(category: Category, status: int) -> None:
    assert answer(make_error(category, "REASON", "a sentence")).status_code == status


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BodyTooLargeError("BODY_TOO_LARGE", "too large"), 413, "INVALID_ARGUMENT"),
        (UnsupportedMediaTypeError("UNSUPPORTED_MEDIA_TYPE", "no JSON"), 415, "INVALID_ARGUMENT"),
        (MethodNotAllowedError("GET, HEAD"), 405, "UNIMPLEMENTED"),
        (PathNotFoundError("PATH_NOT_FOUND", "nothing here"), 404, "NOT_FOUND"),
    ],
)
def test_what_http_says_more_finely_has_its_own_status(error: AppError, status: int, code: str) -> None:
    response = answer(error)
    assert response.status_code == status
    assert error_of(response)["code"] == code


def test_a_failure_says_code_reason_and_message_and_no_more() -> None:
    response = answer(make_error(Category.NOT_FOUND, "USER_NOT_FOUND", "there is no such user"))
    assert json.loads(bytes(response.body)) == {
        "error": {"code": "NOT_FOUND", "reason": "USER_NOT_FOUND", "message": "there is no such user"}
    }
    assert response.headers["content-type"] == "application/json"


def test_bad_fields_are_named() -> None:
    response = answer(InvalidArgumentError("INVALID_FIELDS", "text is missing", fields={"text": "is missing"}))
    assert error_of(response)["fields"] == {"text": "is missing"}


@pytest.mark.parametrize(("milliseconds", "seconds"), [(1, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60")])
def test_when_to_come_back_is_said_in_whole_seconds_rounded_up(milliseconds: int, seconds: str) -> None:
    response = answer(ResourceExhaustedError("RATE_LIMITED", "slow down", retry_after_ms=milliseconds))
    assert response.headers["retry-after"] == seconds
    assert error_of(response)["retryAfterMs"] == milliseconds


def test_without_a_time_to_come_back_none_is_said() -> None:
    response = answer(UnavailableError("GONE", "gone"))
    assert "retry-after" not in response.headers
    assert "retryAfterMs" not in error_of(response)


@pytest.mark.parametrize(
    ("reason", "challenge"),
    [
        ("TOKEN_MISSING", 'Bearer realm="parley"'),
        ("TOKEN_EXPIRED", 'Bearer realm="parley", error="invalid_token"'),
        ("TOKEN_INVALID", 'Bearer realm="parley", error="invalid_token"'),
        ("INVALID_CREDENTIALS", 'Bearer realm="parley"'),
    ],
)
def test_a_401_says_what_to_show(reason: str, challenge: str) -> None:
    assert answer(UnauthenticatedError(reason, "no")).headers["www-authenticate"] == challenge


def test_a_405_says_what_the_path_takes() -> None:
    assert answer(MethodNotAllowedError("GET, HEAD")).headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "error", [ValueError("secret text"), InternalError("INTERNAL", "secret text"), RuntimeError("secret text")]
)
def test_a_fault_of_ours_shows_an_incident_and_nothing_else(error: Exception) -> None:
    response = answer(error)
    assert response.status_code == 500
    assert error_of(response)["reason"] == "INTERNAL"
    assert "incident" in str(error_of(response)["message"])
    assert b"secret" not in bytes(response.body)
