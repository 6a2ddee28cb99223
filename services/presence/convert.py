"""Converts presence between the domain and the protos."""

from __future__ import annotations

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from parley.auth.v1.user_pb2 import Role
from parley.presence.v1 import presence_pb2

from services.presence.domain import Presence, Status, UserKey

_ROLE_PREFIX: Final = "ROLE_"


def role_name(role: Role.ValueType) -> str:
    """Returns a role's name in tokens, such as "agent_l1"; empty for ROLE_UNSPECIFIED."""
    return Role.Name(role).removeprefix(_ROLE_PREFIX).lower() if role else ""


def role_from_name(name: str) -> Role.ValueType:
    """Returns the role with a name; ROLE_UNSPECIFIED if there is none."""
    return _ROLES.get(name, Role.ROLE_UNSPECIFIED)


_ROLES: Final = {role_name(role): role for role in Role.values()}


def presence_message(user_id: str, presence: Presence) -> presence_pb2.Presence:
    """Converts a user's presence to its proto."""
    message = presence_pb2.Presence(
        user_id=user_id, status=presence_pb2.PresenceStatus.ValueType(presence.status), text=presence.text
    )
    if presence.status is Status.OFFLINE and presence.last_seen_ms is not None:
        last_seen = Timestamp()
        last_seen.FromMilliseconds(presence.last_seen_ms)
        message.last_seen_time.CopyFrom(last_seen)
    return message


def event_message(key: UserKey, role: str, presence: Presence) -> presence_pb2.Event:
    """Returns the event of a user's presence."""
    return presence_pb2.Event(
        organization_id=key.organization_id, presence=presence_message(key.user_id, presence), role=role_from_name(role)
    )


def encoded_event(key: UserKey, role: str, presence: Presence) -> bytes:
    """Encodes the event as a batch of one. Encoded batches can be concatenated to one batch."""
    return presence_pb2.EventBatch(events=[event_message(key, role, presence)]).SerializeToString()


def events_of(payload: bytes) -> list[presence_pb2.Event]:
    """Decodes the events of an entry of the log."""
    return list(presence_pb2.EventBatch.FromString(payload).events)
