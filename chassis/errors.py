"""The one tree of errors that use cases raise and edges translate; it knows nothing of gRPC or HTTP.

`category` is a canonical code (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto), which
decides how a caller reacts; `reason` is stable and UPPER_SNAKE, for programs; `message` is for people and never
holds a secret or another user's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar

from structlog.typing import FilteringBoundLogger

from chassis.process.logs import log_incident


class Category(IntEnum):
    """The canonical codes that Parley uses, by their numbers on the wire."""

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
        message: a sentence for the person who reads it.
        fields: for each bad field, by its name in the contract, what is wrong with it.
        retry_after_ms: after how many milliseconds a repeat may succeed; None where none will.
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
    """The request is wrong whatever the state of the system."""

    category = Category.INVALID_ARGUMENT


class DeadlineExceededError(AppError):
    """It took too long; whether it happened is unknown."""

    category = Category.DEADLINE_EXCEEDED


class NotFoundError(AppError):
    """There is no such thing, as far as the caller may know."""

    category = Category.NOT_FOUND


class AlreadyExistsError(AppError):
    """What was to be made is there already."""

    category = Category.ALREADY_EXISTS


class PermissionDeniedError(AppError):
    """The caller is known, and may not."""

    category = Category.PERMISSION_DENIED


class ResourceExhaustedError(AppError):
    """A limit or a full queue; a repeat after `retry_after_ms` may succeed."""

    category = Category.RESOURCE_EXHAUSTED


class FailedPreconditionError(AppError):
    """The system is not in the state that this needs."""

    category = Category.FAILED_PRECONDITION


class AbortedError(AppError):
    """It lost to something concurrent; a repeat may succeed."""

    category = Category.ABORTED


class UnimplementedError(AppError):
    """There is no such operation."""

    category = Category.UNIMPLEMENTED


class InternalError(AppError):
    """A fault of ours; the details stand in the log under the incident id."""

    category = Category.INTERNAL


class UnavailableError(AppError):
    """Something that this needs can't be reached now; a repeat may succeed."""

    category = Category.UNAVAILABLE


class UnauthenticatedError(AppError):
    """The caller is not known, or no longer."""

    category = Category.UNAUTHENTICATED


class RemoteError(AppError):
    """A failure that another service reported in a category without a class of its own."""

    def __init__(self, category: Category, reason: str, message: str) -> None:
        self.category = category  # type: ignore[misc]  # per instance here alone
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
    """Makes the error of a category, for edges that translate one from its wire form."""
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
