"""Revocations as they happen, for gateways that hold sockets open on the strength of a token.

A watcher first gets the revocations of the recent past, for as long as a token issued before them may be valid;
then each as it comes. So a watcher that was away for a moment misses nothing. It may get one twice, which does no
harm: a session that has ended has ended, and the end of an account is left out of the past when the account was
enabled again. One reader follows the log for all watchers of a process; a watcher that falls too far behind is
ended, and comes back.
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
    """One open stream's bounded queue."""

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
            raise ResourceExhaustedError("WATCHER_TOO_SLOW", "too many are pending; watch again", retry_after_ms=100)
        taken, self._pending = self._pending, []
        if self._ending and not taken:
            raise UnavailableError("SHUTTING_DOWN", "this replica is stopping; come back", retry_after_ms=0)
        if self._ending:
            self._wake.set()
        return taken


class RevocationFeed:
    """Publishes revocations, and streams everybody's.

    Args:
        log: carries them between replicas.
        users: tells whether an account is still disabled.
        now: the clock.
        relevance: how long ago a revocation may be and still concern a valid token.
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
        """Takes the log's present end as where this process begins; once, before the server starts."""
        self._start = await self._log.end()

    async def run(self) -> None:
        """Follows the log for ever; to be supervised."""
        async for revocations in self._log.follow(self._start):
            for watcher in self._watchers:
                watcher.offer(revocations)

    async def drain(self) -> None:
        """Ends every stream."""
        self._stopping = True
        for watcher in self._watchers:
            watcher.end()

    async def publish(self, revocations: Sequence[Revocation]) -> None:
        """Tells all watchers of all replicas. Raises UnavailableError (REVOCATION_NOT_PUBLISHED)."""
        if not revocations:
            return
        await self._log.append(revocations)
        for revocation in revocations:
            metrics.REVOCATIONS.labels(revocation.reason.value).inc()

    async def watch(self) -> AsyncGenerator[Sequence[Revocation], None]:
        """Streams revocations in batches.

        Yields:
            First the recent past, in one batch that may be empty; then each batch as it comes.

        Raises:
            ResourceExhaustedError: WATCHER_TOO_SLOW.
            UnavailableError: SHUTTING_DOWN, or the past can't be read.
        """
        watcher = _Watcher()
        self._watchers.add(watcher)  # before the past is read, so that nothing falls between the two
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
