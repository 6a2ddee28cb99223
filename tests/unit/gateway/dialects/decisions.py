"""The events in the protos, and those that a dialect has an encoder for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from google.protobuf.descriptor import Descriptor
from parley.chat.v1 import event_pb2
from parley.notify.v1 import notification_pb2

from gateway.dialects.base import Dialect
from gateway.dialects.native import dialect as native


def events_of(message: Descriptor) -> tuple[str, ...]:
    """Returns the names of the events in a message: the fields of its oneof."""
    return tuple(field.name for field in message.oneofs_by_name["payload"].fields)


CHAT_EVENTS: Final = events_of(event_pb2.Event.DESCRIPTOR)
NOTIFY_EVENTS: Final = events_of(notification_pb2.Event.DESCRIPTOR)


def table_of(dialect: Dialect) -> Mapping[str, Any]:
    """Returns a dialect's encoder of each event of a conversation, by the event's name."""
    if isinstance(dialect, native.NativeDialect):
        return native._CHAT_EVENTS
    table: Mapping[str, Any] = dialect._chat_events  # type: ignore[attr-defined]  # what all others call it
    return table


def undecided(events: Collection[str], decisions: Collection[str]) -> set[str]:
    """Returns events without an encoder, and encoders of events that do not exist."""
    return set(events) ^ set(decisions)
