"""The errors that use cases raise and edges translate, independent of gRPC and HTTP.

`category` is a canonical code (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto), which
determines how a caller reacts. `reason` is stable and UPPER_SNAKE, for programs. `message` is for people, and never
contains a secret or another user's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar

from structlog.typing import FilteringBoundLogger

from chassis.process.logs import log_incident


class Category(IntEnum):
    """The canonical codes that Parley uses, with their numbers on the wire."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class AppError(Exception):
    """An expected failure. Raise one of the subclasses.

    Args:
        reason: stable, UPPER_SNAKE.
        message: a sentence for people.
        fields: what is wrong with each invalid field, by its name in the contract.
        retry_after_ms: the delay after which a repeat may succeed, in ms; None if no repeat will.
    """

    category: ClassVar[Category] = Category.UNKNOWN

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        fields: Mapping[str, str] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(f"{self.category.name} {reason}: {message}")
        self.reason = reason
        self.message = message
        self.fields = dict(fields or {})
        self.retry_after_ms = retry_after_ms


class InvalidArgumentError(AppError):
    """The request is invalid, independent of the system's state."""

    category = Category.INVALID_ARGUMENT


class DeadlineExceededError(AppError):
    """The call took too long; its outcome is unknown."""

    category = Category.DEADLINE_EXCEEDED


class NotFoundError(AppError):
    """The resource doesn't exist, or the caller may not know that it does."""

    category = Category.NOT_FOUND


class AlreadyExistsError(AppError):
    """The resource to create exists already."""

    category = Category.ALREADY_EXISTS


class PermissionDeniedError(AppError):
    """The caller is authenticated, but not allowed to do this."""

    category = Category.PERMISSION_DENIED


class ResourceExhaustedError(AppError):
    """A limit is reached or a queue is full; a repeat after `retry_after_ms` may succeed."""

    category = Category.RESOURCE_EXHAUSTED


class FailedPreconditionError(AppError):
    """The system is not in the state that the operation requires."""

    category = Category.FAILED_PRECONDITION


class AbortedError(AppError):
    """A concurrent operation won; a repeat may succeed."""

    category = Category.ABORTED


class UnimplementedError(AppError):
    """The operation doesn't exist."""

    category = Category.UNIMPLEMENTED


class InternalError(AppError):
    """A fault of the server; the log has the details under the incident id."""

    category = Category.INTERNAL


class UnavailableError(AppError):
    """A dependency is unreachable for now; a repeat may succeed."""

    category = Category.UNAVAILABLE


class UnauthenticatedError(AppError):
    """The caller has no valid credentials."""

    category = Category.UNAUTHENTICATED


class RemoteError(AppError):
    """An error of another service in a category that has no class."""

    def __init__(self, category: Category, reason: str, message: str) -> None:
        self.category = category  # type: ignore[misc]  # per instance in this class only
        super().__init__(reason, message)


_CLASSES: dict[Category, type[AppError]] = {
    cls.category: cls for cls in AppError.__subclasses__() if cls is not RemoteError
}


def make_error(
    category: Category,
    reason: str,
    message: str,
    *,
    fields: Mapping[str, str] | None = None,
    retry_after_ms: int | None = None,
) -> AppError:
    """Makes an error from its wire form."""
    cls = _CLASSES.get(category)
    if cls is None:
        return RemoteError(category, reason, message)
    return cls(reason, message, fields=fields, retry_after_ms=retry_after_ms)


def unexpected_error(log: FilteringBoundLogger, event: str, error: BaseException, **fields: object) -> InternalError:
    """Logs an unexpected error, and returns the error to show instead: it has the incident id and nothing else.

    Args:
        log: the logger of the part of the process where the error was caught.
        event: the name of the log event.
        error: the unexpected error.
        fields: further fields of the log event.
    """
    return InternalError("INTERNAL", f"an unexpected error; incident {log_incident(log, event, error, **fields)}")
