"""Failures as HTTP answers: the one table of statuses, the body that every failure has, and its headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec
from starlette.responses import Response

from chassis.errors import AppError, Category, InvalidArgumentError, NotFoundError, UnimplementedError, unexpected_error
from chassis.process.logs import logger
from gateway.wire.json_objects import error_object

STATUSES: Final[Mapping[Category, int]] = {
    Category.CANCELLED: 503,
    Category.UNKNOWN: 500,
    Category.INVALID_ARGUMENT: 400,
    Category.DEADLINE_EXCEEDED: 504,
    Category.NOT_FOUND: 404,
    Category.ALREADY_EXISTS: 409,
    Category.PERMISSION_DENIED: 403,
    Category.RESOURCE_EXHAUSTED: 429,
    Category.FAILED_PRECONDITION: 409,
    Category.ABORTED: 409,
    Category.OUT_OF_RANGE: 400,
    Category.UNIMPLEMENTED: 501,
    Category.INTERNAL: 500,
    Category.UNAVAILABLE: 503,
    Category.DATA_LOSS: 500,
    Category.UNAUTHENTICATED: 401,
}
_INTERNAL_SERVER_ERROR: Final = 500
_UNAUTHORIZED: Final = 401

_log = logger("http")


class BodyTooLargeError(InvalidArgumentError):
    """The body is over the limit."""

    status: ClassVar[int] = 413


class UnsupportedMediaTypeError(InvalidArgumentError):
    """The body is not said to be JSON."""

    status: ClassVar[int] = 415


class PathNotFoundError(NotFoundError):
    """Nothing answers at this path."""


class MethodNotAllowedError(UnimplementedError):
    """The path does not answer this method; `allowed` are those that it does."""

    status: ClassVar[int] = 405

    def __init__(self, allowed: str) -> None:
        super().__init__("METHOD_NOT_ALLOWED", f"this path takes {allowed}")
        self.allowed = allowed


def status_of(error: AppError) -> int:
    """The HTTP status of a failure: its own where HTTP has a finer one, else its category's."""
    status: int = getattr(error, "status", STATUSES[error.category])
    return status


def problem_response(error: Exception, *, route: str, request_id: str) -> Response:
    """Makes the answer to a request that failed, and logs it when the fault is ours.

    What is unexpected gets an incident id; the text of it stands in the log alone.
    """
    if not isinstance(error, AppError) or status_of(error) == _INTERNAL_SERVER_ERROR:
        error = unexpected_error(_log, "http_failed", error, route=route, request_id=request_id)
    return Response(
        msgspec.json.encode({"error": error_object(error)}),
        status_code=status_of(error),
        headers=_headers(error),
        media_type="application/json",
    )


def _headers(error: AppError) -> dict[str, str]:
    headers = {}
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1_000))  # whole seconds, rounded up
    if status_of(error) == _UNAUTHORIZED:
        headers["WWW-Authenticate"] = _challenge(error.reason)
    if isinstance(error, MethodNotAllowedError):
        headers["Allow"] = error.allowed
    return headers


def _challenge(reason: str) -> str:
    """See RFC 6750, section 3: without a token in the request, the answer names no error."""
    shown = reason.startswith("TOKEN_") and reason != "TOKEN_MISSING"
    return 'Bearer realm="parley"' + (', error="invalid_token"' if shown else "")
