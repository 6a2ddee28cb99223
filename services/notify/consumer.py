"""Follows chat's event log together with the other replicas: each entry is taken by one of them, at least once.

While there is work the log is read with pauses, so that what happens in a busy conversation meanwhile costs one write
for each member; the longer a round took, the longer the pause, so that a busy large group leaves time for the rest.
An entry is acknowledged when all that follows from it is stored and told; those of a replica that went silent are
taken over. Redis may lose the log and what was taken: reading then begins anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from prometheus_client import Counter, Gauge

from chassis.backoff import Backoff
from chassis.errors import UnavailableError
from chassis.events.log import Entry, EventLog, position_key
from chassis.process.logs import logger
from services.notify import chat_events
from services.notify.bus import BusError
from services.notify.folding import ChatEvent
from services.notify.projection import Projection

GROUP: Final = "notify"
_FULL: Final = 256  # entries; as many as one read takes of one shard
_BLOCK_MS: Final = 1_000
_PAUSE_FOR_WORK: Final = 4.0
_LONGEST_PAUSE_SECONDS: Final = 1.0
_BACKLOG_SECONDS: Final = 5.0
_BACKOFF: Final = Backoff(base_seconds=0.05, cap_seconds=2.0)

_LAG = Gauge("parley_notify_lag_seconds", "Age of the last of chat's entries when it was dealt with.")
_BACKLOG = Gauge("parley_notify_backlog_entries", "Entries of chat's log that no replica has dealt with yet.")
_PROCESSED = Counter("parley_notify_entries_processed_total", "Entries of chat's log that were dealt with.")
_CLAIMED = Counter("parley_notify_entries_claimed_total", "Entries taken over from replicas that went silent.")
_MALFORMED = Counter("parley_notify_entries_malformed_total", "Entries passed over, as they can't be read.")

_log = logger("consumer")


class ChatConsumer:
    """One replica's part in following chat's event log.

    Args:
        log: chat's.
        projection: what entries are given to.
        consumer: this replica's name, unique among them.
        coalesce_seconds: how long to pause between reads while there is work.
        claim_idle_seconds: after how long an entry that a replica took and didn't finish is taken over.
    """

    def __init__(
        self,
        log: EventLog,
        projection: Projection,
        consumer: str,
        *,
        coalesce_seconds: float,
        claim_idle_seconds: float,
    ) -> None:
        self._chat_log = log
        self._projection = projection
        self._consumer = consumer
        self._coalesce_seconds = coalesce_seconds
        self._claim_idle_seconds = claim_idle_seconds
        self._claim_at = time.monotonic()
        self._stopping = False
        self._working = asyncio.Lock()

    async def run(self) -> None:
        """Follows the log for ever; to be supervised."""
        failures = 0
        while True:
            try:
                async with self._working:
                    if self._stopping:
                        break
                    await self._take_over()
                    pause = await self._take_new()
                failures = 0
            except BusError as error:
                failures += 1
                _log.warning("chat_log_unreachable", failures=failures, error=type(error).__name__)
                pause = _BACKOFF.delay_seconds(failures)
            await asyncio.sleep(pause)
        await asyncio.Event().wait()  # a task that ends, ends the process

    async def watch_backlog(self) -> None:
        """Measures for ever how much waits, also while this replica gets nowhere; to be supervised."""
        while True:
            with suppress(BusError):
                _BACKLOG.set(await self._chat_log.backlog(GROUP))
            await asyncio.sleep(_BACKLOG_SECONDS)

    async def drain(self, seconds: float) -> None:
        """Takes no more, and finishes what was or is being taken, so that no other replica has to; for a while."""
        self._stopping = True
        try:
            async with asyncio.timeout(seconds), self._working:
                pass
        except TimeoutError:
            _log.warning("entries_left_unfinished")

    async def _take_new(self) -> float:
        """Takes what is new, and waits for it if need be; gives for how long to pause then, in s."""
        block_ms = min(_BLOCK_MS, max(1, int(self._claim_idle_seconds * 500)))
        entries = await self._chat_log.read_group(GROUP, self._consumer, count=_FULL, block_ms=block_ms)
        if not entries:
            return 0.0
        began = time.monotonic()
        await self._finish(entries, repeated=False)
        if len(entries) >= _FULL:
            return 0.0
        took = time.monotonic() - began
        return max(self._coalesce_seconds, min(_PAUSE_FOR_WORK * took, _LONGEST_PAUSE_SECONDS))

    async def _take_over(self) -> None:
        """Takes over what went silent, this replica's own before a restart included; looks now and then only."""
        if time.monotonic() < self._claim_at:
            return
        idle_ms = int(self._claim_idle_seconds * 1_000)
        while entries := await self._chat_log.claim(GROUP, self._consumer, idle_ms=idle_ms):
            _log.info("entries_claimed", entries=len(entries))
            _CLAIMED.inc(len(entries))
            await self._finish(entries, repeated=True)
        self._claim_at = time.monotonic() + self._claim_idle_seconds / 2

    async def _finish(self, entries: Sequence[Entry], *, repeated: bool) -> None:
        """Sees entries through, however often that takes; whatever failed may have been done in part."""
        failures = 0
        while True:
            try:
                await self._projection.apply(_events(entries), repeated=repeated or failures > 0)
                await self._chat_log.ack(GROUP, entries)
                break
            except (UnavailableError, BusError) as error:
                failures += 1
                _log.warning("entries_retried", failures=failures, error=type(error).__name__)
                await asyncio.sleep(_BACKOFF.delay_seconds(failures))
        milliseconds, _ = position_key(entries[-1].entry_id)
        _LAG.set(max(0.0, time.time() - milliseconds / 1_000))
        _PROCESSED.inc(len(entries))


def _events(entries: Sequence[Entry]) -> Iterator[ChatEvent]:
    """The events of all entries. One that can't be read never will be, and must not hold up the others."""
    for entry in entries:
        try:
            yield from chat_events.read(entry)
        except chat_events.MalformedEntryError:
            _MALFORMED.inc()
            _log.error("entry_malformed", shard=entry.shard, entry=entry.entry_id)
