"""An event log on Redis Streams: what services say to each other and to gateways, instantly and in order.

Entries are appended to one of a fixed number of shards, chosen by organization, so entries of one organization
keep the order in which they were appended. A reader names the position it has reached and gets what came after;
so a reader that was away for less than the retention misses nothing. Redis may lose all of it: readers then get
LogTrimmedError, and what is true stands in the service's store.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from chassis import metrics
from chassis.logs import logger

_READ_COUNT: Final = 256
_BLOCK_MS: Final = 5_000
_SOCKET_TIMEOUT_SECONDS: Final = 10.0  # above _BLOCK_MS, or every quiet spell would look like a lost connection
_BACKOFF_SECONDS: Final = (0.05, 2.0)
_START: Final = "0-0"

_log = logger("eventlog")

LogError = RedisError
"""What the methods raise while Redis can't be reached."""

Positions = Mapping[int, str]
"""The last entry that a reader has had, for each shard."""


class Entry(NamedTuple):
    """One entry: a batch of events of one organization, as bytes that the appender and the reader agree on."""

    shard: int
    entry_id: str
    organization_id: str
    payload: bytes


class LogTrimmedError(Exception):
    """The log no longer holds what came after the reader's position."""


def open_redis(url: str) -> Redis:
    """Opens a client that reconnects by itself; the caller closes it. Values are bytes."""
    return Redis.from_url(
        url,
        socket_timeout=_SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        health_check_interval=15,
    )


def position_key(entry_id: str) -> tuple[int, int]:
    """Gives entry ids their order: (milliseconds, number)."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)


class EventLog:
    """One log, such as "chat".

    Args:
        redis: the client; not closed here.
        name: what its keys begin with.
        shards: how many streams it is spread over; the same in every process that uses it.
        retention_seconds: how long entries are kept.
    """

    def __init__(self, redis: Redis, name: str, *, shards: int = 4, retention_seconds: float = 3_600) -> None:
        self._redis: Any = redis  # its replies have unions for types that depend on options
        self._name = name
        self._keys = [f"parley:{name}:{{{shard}}}:log" for shard in range(shards)]
        self._shard_of_key = {key.encode(): shard for shard, key in enumerate(self._keys)}
        self._retention_ms = int(retention_seconds * 1_000)
        self._appended = metrics.LOG_APPENDED.labels(name)

    @property
    def name(self) -> str:
        """The log's name."""
        return self._name

    def shard_of(self, organization_id: str) -> int:
        """The shard that an organization's entries are in."""
        return crc32(organization_id.encode()) % len(self._keys)

    def stream_key(self, shard: int) -> str:
        """The key of a shard's stream, for a script that appends in one step with what the entry tells of.

        Such a script adds the fields that `append` does, and trims to `retention_ms`. The shard is the key's hash tag.
        """
        return self._keys[shard]

    @property
    def shards(self) -> int:
        """Over how many streams it is spread."""
        return len(self._keys)

    @property
    def retention_ms(self) -> int:
        """How long entries are kept, in milliseconds."""
        return self._retention_ms

    async def append(self, batches: Sequence[tuple[str, bytes]]) -> None:
        """Appends batches, each (organization, payload), in order and in one round trip.

        At least once: after an error, some may have been appended. Raises LogError.
        """
        oldest = int(time.time() * 1_000) - self._retention_ms
        async with self._redis.pipeline(transaction=False) as pipeline:
            for organization_id, payload in batches:
                pipeline.xadd(
                    self._keys[self.shard_of(organization_id)],
                    {"o": organization_id, "p": payload},
                    minid=oldest,
                    approximate=True,
                )
            await pipeline.execute()
        self._appended.inc(len(batches))

    async def end(self) -> dict[int, str]:
        """The position of a reader that starts now: the last entry of each shard. Raises LogError."""
        positions = {}
        for shard, key in enumerate(self._keys):
            latest = await self._redis.xrevrange(key, count=1)
            positions[shard] = latest[0][0].decode() if latest else _START
        return positions

    async def after(self, positions: Positions) -> list[Entry]:
        """Up to some hundreds of entries after a position, those of each shard in order; none at the end of the log.

        Raises:
            LogTrimmedError: the log no longer reaches back that far.
            LogError: Redis can't be reached.
        """
        entries = []
        for shard, position in positions.items():
            if shard >= len(self._keys):
                raise LogTrimmedError
            await self._check_reaches_back(shard, position)
            found = await self._redis.xrange(self._keys[shard], min=f"({position}", count=_READ_COUNT)
            entries += [_entry(shard, entry_id, fields) for entry_id, fields in found]
        return entries

    async def _check_reaches_back(self, shard: int, position: str) -> None:
        if position == _START:
            return
        oldest = await self._redis.xrange(self._keys[shard], count=1)
        if not oldest or position_key(oldest[0][0].decode()) > position_key(position):
            raise LogTrimmedError

    async def tail(self, positions: Positions) -> AsyncIterator[list[Entry] | LogTrimmedError]:
        """Follows the log for ever, from a position on; survives that Redis is away.

        Yields:
            Entries, those of each shard in order; or a LogTrimmedError where entries were lost, after which the
            following goes on with the oldest that there are.
        """
        reached = {shard: positions.get(shard, _START) for shard in range(len(self._keys))}
        failures = 0
        check = False
        while True:
            try:
                if check:
                    lost = await self._lost_shards(reached)
                    check = False
                    if lost:
                        reached.update(dict.fromkeys(lost, _START))
                        yield LogTrimmedError()
                streams = {key: reached[shard] for shard, key in enumerate(self._keys)}
                found = await self._redis.xread(streams, count=_READ_COUNT, block=_BLOCK_MS)
            except RedisError as error:
                failures += 1
                check = True
                _log.warning("log_unreachable", log=self._name, failures=failures, error=type(error).__name__)
                await asyncio.sleep(_backoff(failures))
                continue
            failures = 0
            entries = self._entries(found)
            for entry in entries:
                reached[entry.shard] = entry.entry_id
            if entries:
                yield entries

    async def _lost_shards(self, reached: Positions) -> list[int]:
        lost = []
        for shard, position in reached.items():
            try:
                await self._check_reaches_back(shard, position)
            except LogTrimmedError:
                lost.append(shard)
        return lost

    def _entries(self, found: Any) -> list[Entry]:
        streams = found.items() if isinstance(found, dict) else found or ()
        return [
            _entry(self._shard_of_key[key], entry_id, fields)
            for key, items in streams
            for entry_id, fields in _flat(items)
        ]

    async def read_group(
        self, group: str, consumer: str, *, count: int = _READ_COUNT, block_ms: int = _BLOCK_MS
    ) -> list[Entry]:
        """Takes entries that no consumer of the group has taken, each for this one; they stay its own until `ack`.

        At least once: what a consumer took and didn't acknowledge is there for `claim`. Makes the group, from the
        log's beginning, where it isn't there. Raises LogError.
        """
        streams = dict.fromkeys(self._keys, ">")
        try:
            found = await self._redis.xreadgroup(group, consumer, streams, count=count, block=block_ms)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self._make_group(group)
            found = await self._redis.xreadgroup(group, consumer, streams, count=count, block=block_ms)
        return self._entries(found)

    async def claim(self, group: str, consumer: str, *, idle_ms: int, count: int = _READ_COUNT) -> list[Entry]:
        """Takes over entries that a consumer took at least `idle_ms` ago and never acknowledged. Raises LogError."""
        entries = []
        for shard, key in enumerate(self._keys):
            try:
                _, found, *_ = await self._redis.xautoclaim(key, group, consumer, idle_ms, count=count)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                continue
            entries += [_entry(shard, entry_id, fields) for entry_id, fields in found if fields]
        return entries

    async def ack(self, group: str, entries: Sequence[Entry]) -> None:
        """Marks entries as dealt with. Raises LogError."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for shard in {entry.shard for entry in entries}:
                ids = [entry.entry_id for entry in entries if entry.shard == shard]
                pipeline.xack(self._keys[shard], group, *ids)
            await pipeline.execute()

    async def _make_group(self, group: str) -> None:
        for key in self._keys:
            try:
                await self._redis.xgroup_create(key, group, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise


def _entry(shard: int, entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    return Entry(shard, entry_id.decode(), fields[b"o"].decode(), fields[b"p"])


def _flat(items: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The items of a stream: RESP3 nests them one level deeper than RESP2."""
    if items and isinstance(items[0], list):
        return [pair for nested in items for pair in nested]
    return list(items)


def _backoff(failures: int) -> float:
    """Full jitter; see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/."""
    least, most = _BACKOFF_SECONDS
    return random.uniform(0, min(most, least * 2.0**failures))  # noqa: S311  # jitter, not a secret
