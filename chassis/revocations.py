"""The revocations that may concern an unexpired token, in memory.

A signed token proves nothing about what happened later: a sign-out, the disabling of the account, a change of the role.
So every process holds the recent revocations and refuses the tokens that they concern. A revocation names a session, or
a user and a revision: each user's token carries the revision of the user that it was issued for, and tokens of earlier
revisions are refused. Revisions order tokens and revocations without a clock, so a token that was issued from the state
before the revocation is refused however late it was signed, and one from the state after it is accepted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import Counter, Gauge

from chassis.errors import UnauthenticatedError

if TYPE_CHECKING:
    from chassis.identity import Identity

MAX_REVOCATIONS: Final = 200_000
_SKEW_SECONDS: Final = 60.0  # how far the clocks of auth and of this process may differ

CONNECTED: Final = Gauge(
    "parley_revocations_connected", "1 while this process receives revocations, else 0: it may accept revoked tokens."
)
_FORGOTTEN: Final = Counter(
    "parley_revocations_forgotten_total", "Revocations forgotten before the tokens expired, as there were too many."
)


class _UserRevocation(NamedTuple):
    """Refuses a user's tokens of revisions before `revision`, until a Unix time in s."""

    revision: int
    disabled: bool
    until: float


class _SessionRevocation(NamedTuple):
    """Refuses the tokens of a session, until a Unix time in s."""

    organization_id: str
    user_id: str
    until: float


class _Entry(NamedTuple):
    """A revocation in the order of arrival; without a session id, of a user."""

    until: float
    organization_id: str
    user_id: str
    session_id: str


class _Holder(NamedTuple):
    """A stream that is open on the strength of a token."""

    identity: Identity
    revoked: Callable[[UnauthenticatedError], None]


class RevocationCache:
    """Holds the latest revocations, at most `capacity`; forgets the oldest first.

    Args:
        now: returns the Unix time, in s.
        capacity: the most revocations.
    """

    def __init__(self, now: Callable[[], float] = time.time, capacity: int = MAX_REVOCATIONS) -> None:
        self._now = now
        self._capacity = capacity
        self._sessions: dict[str, _SessionRevocation] = {}
        self._users: dict[str, dict[str, _UserRevocation]] = {}
        self._entries: deque[_Entry] = deque()
        self._holders: dict[tuple[str, str], set[_Holder]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def refusal(self, identity: Identity) -> UnauthenticatedError | None:
        """Returns the error for a revoked token: ACCOUNT_DISABLED or TOKEN_REVOKED; None for any other."""
        users = self._users.get(identity.organization_id)
        if users is not None:
            user = users.get(identity.user_id)
            if user is not None and identity.revision < user.revision:
                if user.disabled:
                    return UnauthenticatedError("ACCOUNT_DISABLED", "the account was disabled")
                return _revoked()
        return _revoked() if self.session_ended(identity) else None

    def session_ended(self, identity: Identity) -> bool:
        """Returns whether the session of a token has ended, so that it gets no newer tokens."""
        session = self._sessions.get(identity.session_id)
        return (
            session is not None
            and session.user_id == identity.user_id
            and session.organization_id == identity.organization_id
        )

    def revoke_session(self, organization_id: str, user_id: str, session_id: str, expires_at: float) -> None:
        """Refuses the tokens of a session.

        Args:
            organization_id, user_id, session_id: the session.
            expires_at: the Unix time at which the last of the tokens expires, in s.
        """
        until = expires_at + _SKEW_SECONDS
        known = self._sessions.get(session_id)
        if known is not None and known.until >= until:
            return
        self._sessions[session_id] = _SessionRevocation(organization_id, user_id, until)
        self._added(_Entry(until, organization_id, user_id, session_id))

    def revoke_user(
        self, organization_id: str, user_id: str, revision: int, expires_at: float, *, disabled: bool
    ) -> None:
        """Refuses a user's tokens of revisions before `revision`.

        Args:
            organization_id, user_id: the user.
            revision: the user's revision as of the revocation.
            expires_at: the Unix time at which the last of the tokens expires, in s.
            disabled: whether the account was disabled.
        """
        until = expires_at + _SKEW_SECONDS
        users = self._users.setdefault(organization_id, {})
        known = users.get(user_id)
        if known is not None:
            if known.revision >= revision and known.until >= until:
                return
            if known.revision > revision:
                revision, disabled = known.revision, known.disabled
            until = max(until, known.until)
        users[user_id] = _UserRevocation(revision, disabled, until)
        self._added(_Entry(until, organization_id, user_id, ""))

    @contextmanager
    def watching(self, identity: Identity, revoked: Callable[[UnauthenticatedError], None]) -> Iterator[None]:
        """Calls `revoked` each time that the token of `identity` is revoked while the context is open."""
        key = (identity.organization_id, identity.user_id)
        holder = _Holder(identity, revoked)
        self._holders.setdefault(key, set()).add(holder)
        try:
            yield
        finally:
            holders = self._holders[key]
            holders.discard(holder)
            if not holders:
                del self._holders[key]

    def _added(self, entry: _Entry) -> None:
        self._entries.append(entry)
        now = self._now()
        while self._entries[0].until <= now or len(self._entries) > self._capacity:
            oldest = self._entries.popleft()
            if oldest.until > now:
                _FORGOTTEN.inc()
            self._forget(oldest)
            if not self._entries:
                break
        for holder in tuple(self._holders.get((entry.organization_id, entry.user_id), ())):
            error = self.refusal(holder.identity)
            if error is not None:
                holder.revoked(error)

    def _forget(self, entry: _Entry) -> None:
        """Removes a revocation unless a later one replaced it."""
        if entry.session_id:
            session = self._sessions.get(entry.session_id)
            if session is not None and session.until == entry.until:
                del self._sessions[entry.session_id]
            return
        users = self._users.get(entry.organization_id, {})
        user = users.get(entry.user_id)
        if user is not None and user.until == entry.until:
            del users[entry.user_id]
            if not users:
                del self._users[entry.organization_id]


def _revoked() -> UnauthenticatedError:
    return UnauthenticatedError("TOKEN_REVOKED", "the access token was revoked; refresh it, or sign in again")
