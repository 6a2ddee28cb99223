"""The sessions that one gateway reports on one stream."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chassis.errors import InvalidArgumentError, ResourceExhaustedError
from services.presence.bus import PresenceBus, SessionChange
from services.presence.domain import UserKey

MAX_SESSIONS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its gateway reports it."""

    session_id: str
    key: UserKey
    role: str
    idle: bool


@dataclass(frozen=True, slots=True)
class Report:
    """One request of a gateway; see AttachRequest."""

    gateway_id: str
    upsert: Sequence[Session]
    closed: Sequence[str]
    request_sequence: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a gateway counts as alive without a heartbeat, and a user as present without a session; in ms."""

    lease_ms: int
    grace_ms: int

    @property
    def grace_after_lease_ms(self) -> int:
        """The rest of the grace period after a gateway's lease has expired: its sessions were silent for the lease."""
        return max(0, self.grace_ms - self.lease_ms)


class GatewaySessions:
    """Tracks a gateway's sessions on this stream, and reports them to the bus.

    Args:
        bus: holds sessions.
        gateway_id: the gateway.
        timeouts: see `Timeouts`.
    """

    def __init__(self, bus: PresenceBus, gateway_id: str, timeouts: Timeouts) -> None:
        self._bus = bus
        self._gateway_id = gateway_id
        self._timeouts = timeouts
        self._attachment = secrets.token_hex(8)
        self._users: dict[str, UserKey] = {}
        self._organizations: Counter[str] = Counter()
        self._synced = False

    @property
    def organizations(self) -> set[str]:
        """The organizations with sessions on this stream."""
        return set(self._organizations)

    async def attach(self) -> None:
        """Makes this stream the gateway's current attachment. Raises UnavailableError."""
        await self._bus.attach(self._gateway_id, self._attachment, lease_ms=self._timeouts.lease_ms)

    def record(self, report: Report) -> list[SessionChange]:
        """Records a report; returns the changes of sessions.

        Raises:
            InvalidArgumentError: SESSION_OF_ANOTHER_USER.
            ResourceExhaustedError: TOO_MANY_SESSIONS.
        """
        return [self._opened(session) for session in report.upsert] + [
            change for session_id in report.closed if (change := self._closed(session_id)) is not None
        ]

    def _opened(self, session: Session) -> SessionChange:
        known = self._users.get(session.session_id)
        if known is None:
            self._users[session.session_id] = session.key
            self._organizations[session.key.organization_id] += 1
        elif known != session.key:
            raise InvalidArgumentError(
                "SESSION_OF_ANOTHER_USER",
                "a session can't change its user",
                fields={"upsert": "has a session of another user"},
            )
        if len(self._users) > MAX_SESSIONS:
            raise ResourceExhaustedError("TOO_MANY_SESSIONS", f"a gateway may have {MAX_SESSIONS} sessions")
        return SessionChange("i" if session.idle else "a", session.key, session.session_id, session.role)

    def _closed(self, session_id: str) -> SessionChange | None:
        key = self._users.pop(session_id, None)
        if key is None:
            return None
        self._organizations[key.organization_id] -= 1
        if not self._organizations[key.organization_id]:
            del self._organizations[key.organization_id]
        return SessionChange("c", key, session_id)

    async def apply(self, changes: Sequence[SessionChange], *, has_more: bool) -> bool:
        """Applies changes, and renews the lease. Returns whether any state may have changed.

        The first report without `has_more` completes the sync: it closes the sessions of the gateway's earlier stream
        that this one did not report.

        Raises:
            UnavailableError: SESSIONS_UNKNOWN or STORE_UNAVAILABLE.
        """
        await self._bus.report(self._gateway_id, self._attachment, changes, **self._durations)
        if self._synced or has_more:
            return bool(changes)
        for shard in self._bus.shards:
            async for stale in self._bus.stale_sessions(shard, self._gateway_id, self._attachment):
                closing = [SessionChange("s", key, session_id) for key, session_id in stale]
                await self._bus.report(self._gateway_id, self._attachment, closing, **self._durations)
        self._synced = True
        return True

    @property
    def _durations(self) -> dict[str, int]:
        return {"lease_ms": self._timeouts.lease_ms, "grace_ms": self._timeouts.grace_ms}
