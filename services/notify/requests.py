"""Validates requests and converts them to the domain's types."""

from __future__ import annotations

from typing import Final, Protocol

from google.protobuf.struct_pb2 import Struct
from parley.notify.v1 import notification_pb2

from chassis.rpc.validation import FieldChecks
from services.notify.convert import data_to_json
from services.notify.creation import IdempotencyKey, NotificationRequest
from services.notify.domain import (
    MAX_BODY_CHARACTERS,
    MAX_DATA_BYTES,
    MAX_KEY_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    NotificationType,
    Owner,
)

_TYPES: Final = {int(type_): type_ for type_ in NotificationType}
_ID_CHARACTERS: Final = 22


class _Request(Protocol):
    @property
    def request_id(self) -> str: ...


def request_id(request: _Request) -> str:
    """Reads the request id of a request; empty if it has none. Raises InvalidArgumentError."""
    checks = FieldChecks()
    checks.request_id(request.request_id)
    checks.done()
    return request.request_id


def notification_request(
    item: notification_pb2.CreateNotificationsRequest.Item, request_id: str, index: int
) -> NotificationRequest:
    """Reads an item of CreateNotifications. Raises InvalidArgumentError.

    An item without a key gets one from its call's request id, if there is one, and its index in the call.
    """
    checks = FieldChecks()
    checks.user_id("userId", item.user_id)
    type_ = _TYPES.get(item.type)
    checks.require(type_ is not None, "type", "must be a notification type")
    checks.require(type_ is not NotificationType.NEW_MESSAGE, "type", "must not be NEW_MESSAGE, which messages make")
    checks.text("title", item.title, at_least=1, at_most=MAX_TITLE_CHARACTERS)
    checks.text("body", item.body, at_most=MAX_BODY_CHARACTERS)
    checks.text("idempotencyKey", item.idempotency_key, at_most=MAX_KEY_CHARACTERS)
    data = _data(checks, item.data)
    checks.done()
    return NotificationRequest(
        user_id=item.user_id,
        type=NotificationType(item.type),
        title=item.title,
        body=item.body,
        data=data,
        key=_key(item.idempotency_key, request_id, index),
    )


def _key(idempotency_key: str, request_id: str, index: int) -> IdempotencyKey:
    if idempotency_key:
        return ("key", idempotency_key)
    return ("request", request_id, str(index)) if request_id else ()


def _data(checks: FieldChecks, struct: Struct) -> str:
    try:
        data = data_to_json(struct)
    except ValueError:
        checks.require(False, "data", "must be JSON, without NaN and infinities")
        return ""
    checks.require(len(data.encode()) <= MAX_DATA_BYTES, "data", f"must be at most {MAX_DATA_BYTES} bytes as JSON")
    return data


def listed_type(number: int) -> NotificationType | None:
    """Reads the type that a listing is limited to; None for all types. Raises InvalidArgumentError."""
    checks = FieldChecks()
    checks.require(not number or number in _TYPES, "type", "must be a notification type")
    checks.done()
    return _TYPES.get(number)


def notification_id(value: str) -> str:
    """Checks the form of a notification's id. Raises InvalidArgumentError."""
    checks = FieldChecks()
    checks.require(len(value) == _ID_CHARACTERS, "notificationId", f"must have {_ID_CHARACTERS} characters")
    checks.done()
    return value


def muted_types(request: notification_pb2.UpdatePreferencesRequest) -> frozenset[NotificationType]:
    """Reads the types that a user mutes. Raises InvalidArgumentError."""
    types = set(request.preferences.muted_types)
    checks = FieldChecks()
    checks.require(set(request.update_mask.paths) <= {"muted_types"}, "updateMask", "may only have muted_types")
    checks.require(types <= _TYPES.keys(), "mutedTypes", "must be notification types")
    checks.done()
    return frozenset(_TYPES[number] for number in types)


def listing_name(owner: Owner, request: notification_pb2.ListNotificationsRequest) -> str:
    """Returns the query that a page token is valid for: the user's listing with these filters."""
    return f"{owner.organization_id}/{owner.user_id}/{request.unread_only}/{request.type}"
