"""Streams revocations to all processes, which refuse the tokens and close the sockets that they concern.

A watcher first receives the recent revocations: those since which a token issued earlier may still be valid. Then it
receives each new one. So a watcher that starts or reconnects misses none. It may receive one twice, which is harmless:
an ended session stays ended, and a user's revocation names the revision before which tokens are void. Auth itself
refuses tokens by the same revocations: at the start it reads the recent ones, then it follows the log. One reader
follows the log for all watchers of a process. A watcher that falls too far behind is ended, and reconnects.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from chassis.errors import ResourceExhaustedError, UnavailableError
from chassis.events.log import Positions
from chassis.revocations import CONNECTED, RevocationCache
from services.auth import metrics
from services.auth.bus import RevocationLog
from services.auth.clock import Clock
from services.auth.domain import Revocation, RevocationReason

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
        cache: this process's own cache.
        now: the clock.
        relevance: the age up to which a revocation may concern a valid token.
    """

    def __init__(self, log: RevocationLog, cache: RevocationCache, now: Clock, relevance: timedelta) -> None:
        self._log = log
        self._cache = cache
        self._now = now
        self._relevance = relevance
        self._watchers: set[_Watcher] = set()
        self._start: Positions = {}
        self._stopping = False
        metrics.WATCHERS_PENDING.set_function(lambda: sum(watcher.pending for watcher in tuple(self._watchers)))

    async def start(self) -> None:
        """Takes the present end of the log as the start, and applies the recent revocations.

        Call once, before the server starts.
        """
        self._start = await self._log.end()
        self._apply(await self._recent())
        CONNECTED.set(1)

    async def run(self) -> None:
        """Follows the log until cancelled."""
        async for revocations in self._log.follow(self._start):
            self._apply(revocations)
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
        expires_at = math.ceil((self._now() + self._relevance).timestamp())
        revocations = [replace(revocation, expires_at=expires_at) for revocation in revocations]
        await self._log.append(revocations)
        self._apply(revocations)
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
        return list(dict.fromkeys(await self._log.since(self._now() - self._relevance)))

    def _apply(self, revocations: Sequence[Revocation]) -> None:
        for revocation in revocations:
            key = (revocation.organization_id, revocation.user_id)
            if revocation.session_id:
                self._cache.revoke_session(*key, revocation.session_id, revocation.expires_at)
            else:
                disabled = revocation.reason is RevocationReason.ACCOUNT_DISABLED
                self._cache.revoke_user(*key, revocation.user_revision, revocation.expires_at, disabled=disabled)
