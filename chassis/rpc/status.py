"""Converts errors to and from their gRPC form: a canonical code, and details as https://google.aip.dev/193 defines."""

from __future__ import annotations

from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from chassis.errors import AppError, Category, make_error

DOMAIN: Final = "parley"
DETAILS_KEY: Final = "grpc-status-details-bin"
CODES: Final[dict[Category, grpc.StatusCode]] = {
    Category(code.value[0]): code for code in grpc.StatusCode if code.value[0]
}
_CATEGORIES: Final = {code: category for category, code in CODES.items()}


def to_status(error: AppError) -> Status:
    """Encodes an error: ErrorInfo, then BadRequest and RetryInfo if they apply."""
    status = Status(code=int(error.category), message=error.message)
    status.details.add().Pack(ErrorInfo(reason=error.reason, domain=DOMAIN))
    if error.fields:
        bad = BadRequest()
        for field, description in error.fields.items():
            bad.field_violations.add(field=field, description=description)
        status.details.add().Pack(bad)
    if error.retry_after_ms is not None:
        retry = RetryInfo()
        retry.retry_delay.FromMilliseconds(error.retry_after_ms)
        status.details.add().Pack(retry)
    return status


def from_status(status: Status) -> AppError:
    """Decodes an error; ignores details that Parley doesn't use."""
    reason, fields, retry_after_ms = "", dict[str, str](), None
    for detail in status.details:
        if detail.Unpack(info := ErrorInfo()):
            reason = info.reason
        elif detail.Unpack(bad := BadRequest()):
            fields = {violation.field: violation.description for violation in bad.field_violations}
        elif detail.Unpack(retry := RetryInfo()):
            retry_after_ms = retry.retry_delay.ToMilliseconds()
    try:
        category = Category(status.code)
    except ValueError:
        category = Category.UNKNOWN
    return make_error(category, reason or category.name, status.message, fields=fields, retry_after_ms=retry_after_ms)


def from_rpc_error(error: grpc.aio.AioRpcError) -> AppError:
    """Returns the error of a failed call: the service's own, or that of the transport, such as UNAVAILABLE.

    A transport error's text, such as addresses, is left out: it is not for users.
    """
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return from_status(Status.FromString(value))
            except DecodeError:
                break
    category = _CATEGORIES.get(error.code(), Category.UNKNOWN)
    retry_after_ms = 1_000 if category is Category.UNAVAILABLE else None
    sentence = f"the service answered {category.name.lower().replace('_', ' ')}"
    return make_error(
        category, _TRANSPORT_REASONS.get(category, category.name), sentence, retry_after_ms=retry_after_ms
    )


_TRANSPORT_REASONS: Final = {
    Category.UNAVAILABLE: "SERVICE_UNAVAILABLE",
    Category.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
}
