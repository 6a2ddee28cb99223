"""Presence in the contract's messages."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from parley.presence.v1 import presence_pb2

from services.presence.domain import Presence, Status, UserKey


def presence_message(user_id: str, presence: Presence) -> presence_pb2.Presence:
    """A user's presence as it is told."""
    message = presence_pb2.Presence(
        user_id=user_id, status=presence_pb2.Status.ValueType(presence.status), text=presence.text
    )
    if presence.status is Status.OFFLINE and presence.last_seen_ms is not None:
        last_seen = Timestamp()
        last_seen.FromMilliseconds(presence.last_seen_ms)
        message.last_seen_time.CopyFrom(last_seen)
    return message


def event_message(key: UserKey, role: str, presence: Presence) -> presence_pb2.Event:
    """The event that tells of a user's presence."""
    return presence_pb2.Event(
        organization_id=key.organization_id, presence=presence_message(key.user_id, presence), role=role
    )


def encoded_event(key: UserKey, role: str, presence: Presence) -> bytes:
    """The event as a batch of one; concatenated batches are the batch of all."""
    return presence_pb2.EventBatch(events=[event_message(key, role, presence)]).SerializeToString()


def events_of(payload: bytes) -> list[presence_pb2.Event]:
    """Reads the events of an entry of the log."""
    return list(presence_pb2.EventBatch.FromString(payload).events)
