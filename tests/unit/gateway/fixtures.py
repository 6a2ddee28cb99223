"""Who connects in the tests of the gateway, and connections that only keep what is written to them."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from chassis.identity import Identity
from gateway.dialects.base import WireFormat
from gateway.dialects.native.dialect import NativeDialect
from gateway.sessions.session import Session, SessionLimits

LIMITS = SessionLimits(frame_bytes=65_536, requests_in_flight=3, frames_per_second=5, messages_per_second=20)

_numbers = count(1)


def identity(user_id: str = "ann", *, organization_id: str = "acme", role: str = "sales", **fields: Any) -> Identity:
    """A verified user."""
    given: dict[str, Any] = {"teams": ("east",), "name": "Ann", "session_id": "sid-1", "expires_at": 2_000_000_000.0}
    return Identity(
        organization_id=organization_id,
        user_id=user_id,
        role=role,
        service="",
        scopes=frozenset(),
        **(given | fields),
    )


def session(who: Identity | None = None, limits: SessionLimits = LIMITS) -> Session:
    """A session, not ready yet."""
    return Session(f"session-{next(_numbers)}", who or identity(), "token", limits)


def native_wire_format() -> WireFormat:
    """The native dialect, with a line for each frame."""
    return WireFormat(NativeDialect(), lambda payload: payload + b"\n")


class RecordingConnection:
    """A connection that keeps what is written."""

    def __init__(self, wire_format: WireFormat, who: Identity | None = None, *, ready: bool = True) -> None:
        self.session = session(who)
        self.session.ready = ready
        self.wire_format = wire_format
        self.written: list[bytes] = []
        self.closed_with: int | None = None

    def write(self, data: bytes) -> None:
        """Keeps it."""
        if data:
            self.written.append(data)

    def close(self, code: int, reason: str) -> None:
        """Keeps the first code."""
        self.closed_with = self.closed_with or code

    @property
    def frames(self) -> list[Any]:
        """What was written, decoded."""
        return [json.loads(line) for data in self.written for line in data.splitlines()]

    @property
    def events(self) -> list[str]:
        """The names of the events that were written."""
        return [frame["event"] for frame in self.frames]
