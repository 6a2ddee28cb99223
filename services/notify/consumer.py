"""Consumes chat's event log as one of a group of replicas: each entry goes to one replica, at least once.

While there is work, the consumer pauses between reads, so that a busy conversation costs one write for each member and
pause. The pause grows with the duration of the last round: a busy large group leaves time for other work. An entry is
acknowledged once its changes are stored and published. Replicas claim the entries of a replica that went silent. If
Redis loses the log, or which entries were acknowledged, the group starts again from the beginning of the log.
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
_MAX_ENTRIES: Final = 256  # of one shard, in one read
_BLOCK_MS: Final = 1_000
_PAUSE_PER_WORK: Final = 4.0  # seconds of pause for each second of work
_MAX_PAUSE_SECONDS: Final = 1.0
_BACKLOG_SECONDS: Final = 5.0
_BACKOFF: Final = Backoff(base_seconds=0.05, cap_seconds=2.0)

_LAG = Gauge("parley_notify_lag_seconds", "Age of the last entry of chat's event log processed by this replica.")
_BACKLOG = Gauge("parley_notify_backlog_entries", "Entries of chat's event log that no replica has processed yet.")
_PROCESSED = Counter("parley_notify_entries_processed_total", "Entries of chat's event log processed by this replica.")
_CLAIMED = Counter("parley_notify_entries_claimed_total", "Entries claimed from replicas that went silent.")
_MALFORMED = Counter("parley_notify_entries_malformed_total", "Entries of chat's event log skipped as malformed.")

_log = logger("consumer")


class ChatConsumer:
    """Consumes chat's event log in one replica.

    Args:
        log: chat's event log.
        projection: applies the entries' events.
        consumer: this replica's name, unique among the replicas.
        coalesce_seconds: the shortest pause between reads while there is work.
        claim_idle_seconds: an entry that a replica took this long ago and didn't acknowledge may be claimed.
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
        """Consumes the log until cancelled; to be supervised."""
        failures = 0
        while True:
            try:
                async with self._working:
                    if self._stopping:
                        break
                    await self._claim()
                    pause = await self._read()
                failures = 0
            except BusError as error:
                failures += 1
                _log.warning("chat_log_unreachable", failures=failures, error=type(error).__name__)
                pause = _BACKOFF.delay_seconds(failures)
            await asyncio.sleep(pause)
        await asyncio.Event().wait()  # the end of a supervised task would end the process

    async def watch_backlog(self) -> None:
        """Measures the group's backlog until cancelled, even while this replica makes no progress; to be supervised."""
        while True:
            with suppress(BusError):
                _BACKLOG.set(await self._chat_log.backlog(GROUP))
            await asyncio.sleep(_BACKLOG_SECONDS)

    async def drain(self, seconds: float) -> None:
        """Stops reading, and waits up to `seconds` for entries in progress, so that no replica has to claim them."""
        self._stopping = True
        try:
            async with asyncio.timeout(seconds), self._working:
                pass
        except TimeoutError:
            _log.warning("entries_left_unfinished")

    async def _read(self) -> float:
        """Waits for new entries and processes them; returns the pause before the next read, in s."""
        block_ms = min(_BLOCK_MS, max(1, int(self._claim_idle_seconds * 500)))
        entries = await self._chat_log.read_group(GROUP, self._consumer, count=_MAX_ENTRIES, block_ms=block_ms)
        if not entries:
            return 0.0
        began = time.monotonic()
        await self._process(entries, repeated=False)
        if len(entries) >= _MAX_ENTRIES:
            return 0.0
        elapsed = time.monotonic() - began
        return max(self._coalesce_seconds, min(_PAUSE_PER_WORK * elapsed, _MAX_PAUSE_SECONDS))

    async def _claim(self) -> None:
        """Claims and processes stale entries, this replica's own from before a restart too; checks now and then."""
        if time.monotonic() < self._claim_at:
            return
        idle_ms = int(self._claim_idle_seconds * 1_000)
        while entries := await self._chat_log.claim(GROUP, self._consumer, idle_ms=idle_ms):
            _log.info("entries_claimed", entries=len(entries))
            _CLAIMED.inc(len(entries))
            await self._process(entries, repeated=True)
        self._claim_at = time.monotonic() + self._claim_idle_seconds / 2

    async def _process(self, entries: Sequence[Entry], *, repeated: bool) -> None:
        """Applies and acknowledges entries, retrying until that succeeds; a failed attempt may have done a part."""
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
    """Yields the events of all entries. Skips a malformed entry: a retry would not help, and would block the rest."""
    for entry in entries:
        try:
            yield from chat_events.read(entry)
        except chat_events.MalformedEntryError:
            _MALFORMED.inc()
            _log.error("entry_malformed", shard=entry.shard, entry=entry.entry_id)
