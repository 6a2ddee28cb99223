"""Streams revocations to gateways, which keep sockets open that a token authorized.

A watcher first receives the recent revocations: those since which a token issued earlier may still be valid. Then it
receives each new one. So a watcher that was disconnected for a moment misses none. It may receive one twice, which is
harmless: an ended session stays ended, and a disabled account is left out of the recent ones if it was enabled since.
One reader follows the log for all watchers of a process. A watcher that falls too far behind is ended, and reconnects.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Final

from chassis.errors import ResourceExhaustedError, UnavailableError
from chassis.events.log import Positions
from services.auth import metrics
from services.auth.bus import RevocationLog
from services.auth.clock import Clock
from services.auth.domain import Revocation, RevocationReason
from services.auth.user_store import UserStore

MAX_PENDING: Final = 10_000


class _Watcher:
    """The bounded queue of an open stream."""

    def __init__(self) -> None:
        self._pending: list[Revocation] = []
        self._wake = asyncio.Event()
        self._overflowed = False
        self._ending = False

    @property
    def pending(self) -> int:
        return len(self._pending)

    def offer(self, revocations: Sequence[Revocation]) -> None:
        if self._overflowed:
            return
        self._pending.extend(revocations)
        if len(self._pending) > MAX_PENDING:
            self._overflowed = True
            self._pending.clear()
            metrics.WATCHER_OVERFLOWS.inc()
        self._wake.set()

    def end(self) -> None:
        self._ending = True
        self._wake.set()

    async def take(self) -> list[Revocation]:
        await self._wake.wait()
        self._wake.clear()
        if self._overflowed:
            raise ResourceExhaustedError("WATCHER_TOO_SLOW", "too many are pending; reconnect", retry_after_ms=100)
        taken, self._pending = self._pending, []
        if self._ending and not taken:
            raise UnavailableError("SHUTTING_DOWN", "this replica is shutting down; reconnect", retry_after_ms=0)
        if self._ending:
            self._wake.set()
        return taken


class RevocationFeed:
    """Publishes revocations, and streams those of all replicas.

    Args:
        log: the log that replicas share.
        users: tells whether an account is still disabled.
        now: the clock.
        relevance: the age up to which a revocation may concern a valid token.
    """

    def __init__(self, log: RevocationLog, users: UserStore, now: Clock, relevance: timedelta) -> None:
        self._log = log
        self._users = users
        self._now = now
        self._relevance = relevance
        self._watchers: set[_Watcher] = set()
        self._start: Positions = {}
        self._stopping = False
        metrics.WATCHERS_PENDING.set_function(lambda: sum(watcher.pending for watcher in tuple(self._watchers)))

    async def start(self) -> None:
        """Takes the present end of the log as the start; call once, before the server starts."""
        self._start = await self._log.end()

    async def run(self) -> None:
        """Follows the log until cancelled."""
        async for revocations in self._log.follow(self._start):
            for watcher in self._watchers:
                watcher.offer(revocations)

    async def drain(self) -> None:
        """Ends all streams."""
        self._stopping = True
        for watcher in self._watchers:
            watcher.end()

    async def publish(self, revocations: Sequence[Revocation]) -> None:
        """Publishes revocations to the watchers of all replicas. Raises UnavailableError (REVOCATION_NOT_PUBLISHED)."""
        if not revocations:
            return
        await self._log.append(revocations)
        for revocation in revocations:
            metrics.REVOCATIONS.labels(revocation.reason.value).inc()

    async def watch(self) -> AsyncGenerator[Sequence[Revocation], None]:
        """Streams revocations in batches.

        Yields:
            The recent revocations, in one batch that may be empty; then each batch as it arrives.

        Raises:
            ResourceExhaustedError: WATCHER_TOO_SLOW.
            UnavailableError: SHUTTING_DOWN, or the past can't be read.
        """
        watcher = _Watcher()
        self._watchers.add(watcher)  # before the recent ones are read, so that none falls in between
        metrics.WATCHERS.inc()
        if self._stopping:
            watcher.end()
        try:
            yield await self._recent()
            while True:
                yield await watcher.take()
        finally:
            metrics.WATCHERS.dec()
            self._watchers.discard(watcher)

    async def _recent(self) -> list[Revocation]:
        revocations = await self._log.since(self._now() - self._relevance)
        return [r for r in dict.fromkeys(revocations) if await self._still_holds(r)]

    async def _still_holds(self, revocation: Revocation) -> bool:
        if revocation.reason is not RevocationReason.ACCOUNT_DISABLED:
            return True
        user = await self._users.get(revocation.organization_id, revocation.user_id)
        return user is None or user.disabled
