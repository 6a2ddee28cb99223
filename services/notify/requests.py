"""Converts requests to the domain's types, and checks what the contract's options cannot state."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct
from parley.notify.v1 import notification_pb2

from chassis.contract.validator import invalid_fields, validate
from services.notify.convert import data_to_json
from services.notify.creation import IdempotencyKey, NotificationRequest
from services.notify.domain import MAX_DATA_BYTES, NotificationType, Owner


def notification_request(
    item: notification_pb2.CreateNotificationsRequest.Item, request_id: str, index: int
) -> NotificationRequest:
    """Reads an item of CreateNotifications. Raises InvalidArgumentError.

    An item without a key gets one from its call's request id, if there is one, and its index in the call.
    """
    validate(item)
    return NotificationRequest(
        user_id=item.user_id,
        type=NotificationType(item.type),
        title=item.title,
        body=item.body,
        data=_data(item.data),
        key=_key(item.idempotency_key, request_id, index),
    )


def _key(idempotency_key: str, request_id: str, index: int) -> IdempotencyKey:
    if idempotency_key:
        return ("key", idempotency_key)
    return ("request", request_id, str(index)) if request_id else ()


def _data(struct: Struct) -> str:
    try:
        data = data_to_json(struct)
    except ValueError:
        raise invalid_fields({"data": "must be JSON, without NaN and infinities"}) from None
    if len(data.encode()) > MAX_DATA_BYTES:
        raise invalid_fields({"data": f"must have at most {MAX_DATA_BYTES:,} bytes as JSON"})
    return data


def listed_type(number: int) -> NotificationType | None:
    """Reads the type that a listing is limited to; None for all types."""
    return NotificationType(number) if number else None


def muted_types(request: notification_pb2.UpdatePreferencesRequest) -> frozenset[NotificationType]:
    """Reads the types that a user mutes."""
    return frozenset(map(NotificationType, request.preferences.muted_types))


def listing_name(owner: Owner, request: notification_pb2.ListNotificationsRequest) -> str:
    """Returns the query that a page token is valid for: the user's listing with these filters."""
    return f"{owner.organization_id}/{owner.user_id}/{request.unread_only}/{request.type}"
