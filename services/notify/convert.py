"""Converts notifications between the domain and the protos."""

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
    """Converts a notification to its proto."""
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
    """Parses data, with a cache, as all members of a conversation get a message's data. Don't change the result."""
    return Parse(text, Struct())


def data_to_json(data: Struct) -> str:
    """Encodes data as compact JSON. Raises ValueError for NaN and infinities."""
    return json.dumps(_plain(MessageToDict(data)), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Turns whole numbers back into integers: a Struct holds all numbers as floats."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return int(value)
    return value
