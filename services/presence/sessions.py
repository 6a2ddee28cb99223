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
    """One request of a gateway; see the contract's AttachRequest."""

    gateway_id: str
    upsert: Sequence[Session]
    closed: Sequence[str]
    number: int
    more: bool


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a gateway counts as alive without a word, and a user as present without a session; in ms."""

    lease_ms: int
    grace_ms: int

    @property
    def grace_after_lease_ms(self) -> int:
        """What is left of the grace once a gateway's lease is over: its sessions were silent that long already."""
        return max(0, self.grace_ms - self.lease_ms)


class GatewaySessions:
    """What a gateway has on this stream, and its way into the bus.

    Args:
        bus: where sessions are held.
        gateway_id: the gateway.
        times: see `Timeouts`.
    """

    def __init__(self, bus: PresenceBus, gateway_id: str, times: Timeouts) -> None:
        self._bus = bus
        self._gateway_id = gateway_id
        self._times = times
        self._attachment = secrets.token_hex(8)
        self._users: dict[str, UserKey] = {}
        self._organizations: Counter[str] = Counter()
        self._complete = False

    @property
    def organizations(self) -> set[str]:
        """The organizations that have sessions here."""
        return set(self._organizations)

    async def attach(self) -> None:
        """Makes this stream the one whose word on the gateway's sessions counts. Raises UnavailableError."""
        await self._bus.attach(self._gateway_id, self._attachment, lease_ms=self._times.lease_ms)

    def note(self, report: Report) -> list[SessionChange]:
        """Takes a report in; gives what it changes.

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
                "a session stays its user's",
                fields={"upsert": "has a session that is another user's"},
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

    async def apply(self, changes: Sequence[SessionChange], *, more: bool) -> bool:
        """Brings changes into effect, and renews the lease.

        With the first report that is the last of the first ones, closes what an earlier stream of the gateway reported
        and this one didn't. Returns whether anything may have changed.

        Raises:
            UnavailableError: SESSIONS_UNKNOWN or STORE_UNAVAILABLE.
        """
        await self._bus.report(self._gateway_id, self._attachment, changes, **self._terms)
        if self._complete or more:
            return bool(changes)
        for shard in self._bus.shards:
            async for stale in self._bus.stale_sessions(shard, self._gateway_id, self._attachment):
                closing = [SessionChange("s", key, session_id) for key, session_id in stale]
                await self._bus.report(self._gateway_id, self._attachment, closing, **self._terms)
        self._complete = True
        return True

    @property
    def _terms(self) -> dict[str, int]:
        return {"lease_ms": self._times.lease_ms, "grace_ms": self._times.grace_ms}
