"""Between the domain's notifications and the contract's."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final

from google.protobuf.json_format import MessageToDict, Parse
from google.protobuf.struct_pb2 import Struct
from parley.notify.v1 import notification_pb2

from services.notify.domain import Notification

_EXACT_INTEGERS: Final = 2**53


def to_proto(notification: Notification) -> notification_pb2.Notification:
    """A notification in the contract's form."""
    state = notification.state
    proto = notification_pb2.Notification(
        notification_id=notification.notification_id,
        type=notification_pb2.NotificationType.ValueType(notification.type),
        body=state.text.body if state.text else "",
        count=notification.count,
        read=not state.unread,
    )
    if state.latest is not None:
        proto.title = state.latest.title
        proto.update_time.FromMilliseconds(state.latest.time_ms)
        proto.data.CopyFrom(_data_from_json(state.latest.data))
    return proto


@lru_cache(maxsize=1_024)
def _data_from_json(text: str) -> Struct:
    """Remembered, as all members of a conversation are told of a message with the same data; not to be changed."""
    return Parse(text, Struct())


def data_to_json(data: Struct) -> str:
    """Data as compact JSON. Raises ValueError for numbers that JSON does not have."""
    return json.dumps(_plain(MessageToDict(data)), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Writes whole numbers, which a Struct holds as floating-point ones, as what they are."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return int(value)
    return value
