"""Users, sessions, and connections that record what is written to them."""

from __future__ import annotations

import json
from itertools import count
from typing import Any, cast

from chassis.identity import Identity
from gateway.connections.connection import Connection
from gateway.connections.delivery_queue import DeliveryQueue
from gateway.connections.hub import Hub
from gateway.dialects.base import WireFormat
from gateway.dialects.native.dialect import NativeDialect
from gateway.sessions.session import Session, SessionLimits
from gateway.upstream.presence_cache import PresenceCache

LIMITS = SessionLimits(frame_bytes=65_536, requests_in_flight=3, frames_per_second=5, messages_per_second=20)

_numbers = count(1)


def identity(user_id: str = "ann", *, organization_id: str = "acme", role: str = "sales", **fields: Any) -> Identity:
    """Returns a verified user."""
    defaults: dict[str, Any] = {"teams": ("east",), "name": "Ann", "session_id": "sid-1", "expires_at": 2_000_000_000.0}
    return Identity(
        organization_id=organization_id,
        user_id=user_id,
        role=role,
        service="",
        scopes=frozenset(),
        **(defaults | fields),
    )


def session(user: Identity | None = None, limits: SessionLimits = LIMITS) -> Session:
    """Returns a session that is not ready."""
    return Session(f"session-{next(_numbers)}", user or identity(), "token", limits)


def lines_of(dialect: Any) -> WireFormat:
    """Returns a dialect's format with a line for each frame."""
    return WireFormat(dialect, lambda payload: payload + b"\n")


def native_wire_format() -> WireFormat:
    """Returns the native dialect's format with a line for each frame."""
    return lines_of(NativeDialect())


def no_lookups() -> DeliveryQueue:
    """Returns a delivery queue for events that need no lookup."""
    return DeliveryQueue(cast(Any, None), cast(Any, None))


def new_hub(connections_per_user: int = 3, presence_cache: PresenceCache | None = None) -> Hub:
    """Returns a hub for events that need no lookup; it confirms no deliveries."""
    return Hub(connections_per_user, presence_cache or PresenceCache(), no_lookups(), lambda *_: None)


class RecordingConnection(Connection):
    """A connection that records what is written."""

    def __init__(self, wire_format: WireFormat, user: Identity | None = None, *, ready: bool = True) -> None:
        self.session = session(user)
        self.session.ready = ready
        self.wire_format = wire_format
        self.written: list[bytes] = []
        self.closed_with: int | None = None

    def write(self, data: bytes) -> None:
        """Records the data."""
        if data:
            self.written.append(data)

    def close(self, code: int, reason: str) -> None:
        """Records the first code."""
        self.closed_with = self.closed_with or code

    @property
    def frames(self) -> list[Any]:
        """The written frames, decoded."""
        return [json.loads(line) for data in self.written for line in data.splitlines()]

    @property
    def events(self) -> list[str]:
        """The names of the written events."""
        return [frame["event"] for frame in self.frames]
