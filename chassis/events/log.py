"""An event log on Redis Streams: ordered events from services to each other and to gateways.

An entry is appended to one of a fixed number of shards, chosen by organization, so entries of an organization keep
their order. A reader names its position and gets the entries after it, so a reader that was away for less than the
retention misses nothing. Redis may lose the log: readers then get LogTrimmedError, and reload from the service's store.

A reader detects a loss by its position, which the log no longer holds. So a position is always that of an entry: the
followers of a shard that is empty or has long been quiet append an entry without events, a mark.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple, cast
from zlib import crc32

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError, ResponseError

from chassis.backoff import Backoff
from chassis.events.merging import merge
from chassis.events.redis_cluster import is_cluster, open_cluster
from chassis.process import metrics
from chassis.process.logs import logger

_READ_COUNT: Final = 64  # entries of each shard in one read; an entry may have a MiB
_GROUP_COUNT: Final = 256
_BLOCK_MS: Final = 5_000
_SOCKET_TIMEOUT_SECONDS: Final = 10.0  # above _BLOCK_MS, or a read of a quiet log would time out
_POLL_SECONDS: Final = 0.05  # between reads of a group whose shards can't be read in one blocking command
_BACKOFF: Final = Backoff(base_seconds=0.05, cap_seconds=2.0)
_CHECK_SECONDS: Final = 1.0
_QUIET_FRACTION: Final = 4  # a shard gets a mark after a quarter of the retention without entries
_ENTRY_ID: Final = re.compile(r"[0-9]{1,18}-[0-9]{1,18}")

START: Final = "0-0"
"""The position before the first entry. A reader at this position can't detect a loss."""

_log = logger("eventlog")

LogError = RedisError
"""Raised by the methods while Redis is unreachable."""

Positions = Mapping[int, str]
"""A reader's position in each shard: the id of the last entry that it read."""


class Entry(NamedTuple):
    """A batch of events of one organization, in an encoding that the writer and the reader agree on."""

    shard: int
    entry_id: str
    organization_id: str
    payload: bytes

    @property
    def is_mark(self) -> bool:
        """Whether the entry has no events and only serves as a position."""
        return not self.organization_id


class LogTrimmedError(Exception):
    """The log no longer holds the entries after the reader's position.

    Attributes:
        shards: the shards in which entries were lost.
    """

    def __init__(self, shards: Iterable[int]) -> None:
        super().__init__("the log doesn't reach back to the position")
        self.shards = tuple(shards)


def open_redis(url: str) -> Redis:
    """Opens a client that reconnects by itself and returns bytes; the caller closes it.

    A URL with the scheme `redis+cluster` opens a client of a Redis Cluster; see `chassis.events.redis_cluster`.
    """
    if is_cluster(url):
        return cast(Redis, open_cluster(url, timeout_seconds=_SOCKET_TIMEOUT_SECONDS))
    return Redis.from_url(
        url,
        socket_timeout=_SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        health_check_interval=15,
    )


def is_position(text: str) -> bool:
    """Reports whether a text from outside has the form of a position."""
    return _ENTRY_ID.fullmatch(text) is not None


def position_key(entry_id: str) -> tuple[int, int]:
    """Returns the sort key of an entry id: (milliseconds, number)."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)


class EventLog:
    """One event log, such as "chat".

    Args:
        redis: the client, which the caller closes.
        name: the prefix of the log's keys.
        shards: the number of streams; the same in every process that uses the log.
        retention_seconds: how long entries are kept.
    """

    def __init__(self, redis: Redis, name: str, *, shards: int = 4, retention_seconds: float = 3_600) -> None:
        self._redis: Any = redis  # its replies have unions for types that depend on options
        self._name = name
        self._keys = [f"parley:{name}:{{{shard}}}:log" for shard in range(shards)]
        # One command can't read streams of several nodes of a cluster.
        self._parts = [[shard] for shard in range(shards)] if isinstance(redis, RedisCluster) else [[*range(shards)]]
        self._shard_of_key = {key.encode(): shard for shard, key in enumerate(self._keys)}
        self._retention_ms = int(retention_seconds * 1_000)
        self._appended = metrics.LOG_APPENDED.labels(name)
        self._append_seconds = metrics.LOG_APPEND_SECONDS.labels(name)
        self._failures = metrics.LOG_FAILURES.labels(name)

    @property
    def name(self) -> str:
        """The log's name."""
        return self._name

    def shard_of(self, organization_id: str) -> int:
        """Returns the shard of an organization's entries."""
        return crc32(organization_id.encode()) % len(self._keys)

    def stream_key(self, shard: int) -> str:
        """Returns the key of a shard's stream, for a script that makes a change and appends its event atomically.

        The script must add the same fields as `append`, and trim to `retention_ms`. The shard is the key's hash tag.
        """
        return self._keys[shard]

    @property
    def shards(self) -> int:
        """The number of shards."""
        return len(self._keys)

    @property
    def retention_ms(self) -> int:
        """How long entries are kept, in ms."""
        return self._retention_ms

    async def append(self, batches: Sequence[tuple[str, bytes]]) -> None:
        """Appends batches, each (organization, payload), in order and in one round trip; at least once.

        Raises LogError: some batches may have been appended.
        """
        oldest = int(time.time() * 1_000) - self._retention_ms
        with self._failures.count_exceptions(RedisError), self._append_seconds.time():
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
        """Returns the position of a reader that starts now: the last entry of each shard. Raises LogError."""
        states = await self._states(range(len(self._keys)))
        marks = await self._mark(shard for shard, state in states.items() if not state.newest)
        return {shard: marks.get(shard) or state.newest for shard, state in states.items()}

    async def after(self, positions: Positions) -> list[Entry]:
        """Returns up to 64 entries of each shard after its position, in order; none at the end of the log.

        Raises:
            LogTrimmedError: the log no longer holds a position, or never did.
            LogError: Redis is unreachable.
        """
        entries: list[Entry] = []
        lost = [shard for shard in positions if shard >= len(self._keys)]
        for shard in positions.keys() - set(lost):
            async with self._redis.pipeline(transaction=True) as pipeline:  # the state must be that of the same moment
                pipeline.xrange(self._keys[shard], min=f"({positions[shard]}", count=_READ_COUNT)
                _request_state(pipeline, self._keys[shard])
                items, *state = await pipeline.execute()
            if _state(*state).has_lost(positions[shard]):
                lost.append(shard)
            entries += [_entry(shard, entry_id, fields) for entry_id, fields in items]
        if lost:
            raise LogTrimmedError(lost)
        return entries

    async def tail(self, positions: Positions) -> AsyncGenerator[list[Entry] | LogTrimmedError]:
        """Follows the log from a position until closed; retries while Redis is unreachable.

        While entries arrive, it checks at least once a second that the log still holds what it held at the last check:
        Redis may have lost its data and received new entries without the connection breaking.

        Yields:
            Entries, those of each shard in order; or a LogTrimmedError if entries were lost. After that it continues
            with the oldest entries of those shards.
        """
        reached = {shard: positions.get(shard, START) for shard in range(len(self._keys))}
        tails = [self._tail({shard: reached[shard] for shard in part}) for part in self._parts]
        async with aclosing(merge(tails)) as batches:
            async for batch in batches:
                yield batch

    async def _tail(self, reached: dict[int, str]) -> AsyncGenerator[list[Entry] | LogTrimmedError]:
        """Follows shards that one command can read; see `tail`."""
        held, checked_at, failures = dict(reached), time.monotonic(), 0
        while True:
            lost: list[int] = []
            try:
                streams = {self._keys[shard]: entry_id for shard, entry_id in reached.items()}
                reply = await self._redis.xread(streams, count=_READ_COUNT, block=_BLOCK_MS)
                check_due = failures > 0 or time.monotonic() - checked_at > _CHECK_SECONDS
                if check_due:
                    lost = await self._check(held)
            except RedisError as error:
                failures += 1
                self._failures.inc()
                _log.warning("log_unreachable", log=self._name, failures=failures, error=type(error).__name__)
                await asyncio.sleep(_BACKOFF.delay_seconds(failures))
                continue
            failures = 0
            if lost:
                reached.update(dict.fromkeys(lost, START))
                held = dict(reached)
                yield LogTrimmedError(lost)
                continue
            entries = self._entries(reply)
            for entry in entries:
                reached[entry.shard] = entry.entry_id
            if check_due:
                held, checked_at = dict(reached), time.monotonic()
            if entries:
                yield entries

    async def _check(self, held: Positions) -> list[int]:
        """Returns the shards that no longer hold these positions; marks shards that are empty or quiet."""
        states = await self._states(held)
        quiet_since = int(time.time() * 1_000) - self._retention_ms // _QUIET_FRACTION
        await self._mark(shard for shard, state in states.items() if state.is_quiet(quiet_since))
        return [shard for shard, position in held.items() if states[shard].has_lost(position)]

    async def _states(self, shards: Iterable[int]) -> dict[int, _State]:
        numbers = list(shards)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for shard in numbers:
                _request_state(pipeline, self._keys[shard])
            replies = await pipeline.execute()
        return {shard: _state(*pair) for shard, *pair in zip(numbers, replies[::2], replies[1::2], strict=True)}

    async def _mark(self, shards: Iterable[int]) -> dict[int, str]:
        """Appends an entry without events to each shard; returns their ids."""
        numbers = list(shards)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for shard in numbers:
                pipeline.xadd(self._keys[shard], {"o": "", "p": b""})
            return {shard: entry_id.decode() for shard, entry_id in zip(numbers, await pipeline.execute(), strict=True)}

    def _entries(self, reply: Any) -> list[Entry]:
        streams = reply.items() if isinstance(reply, dict) else reply or ()
        return [
            _entry(self._shard_of_key[key], entry_id, fields)
            for key, items in streams
            for entry_id, fields in _flat(items)
        ]

    async def read_group(
        self, group: str, consumer: str, *, count: int = _GROUP_COUNT, block_ms: int = _BLOCK_MS
    ) -> list[Entry]:
        """Reads entries that no consumer of the group has read; they are this consumer's until `ack` or `claim`.

        At least once: another consumer can claim entries that this one read and did not acknowledge. Creates the group
        at the log's beginning if it doesn't exist. Raises LogError.
        """
        if len(self._parts) == 1:
            return await self._read_part(self._parts[0], group, consumer, count, block_ms)
        until = time.monotonic() + block_ms / 1_000
        while True:
            entries: list[Entry] = []
            for part in self._parts:
                entries += await self._read_part(part, group, consumer, count, None)
            if entries or time.monotonic() >= until:
                return entries
            await asyncio.sleep(_POLL_SECONDS)

    async def _read_part(
        self, part: Sequence[int], group: str, consumer: str, count: int, block_ms: int | None
    ) -> list[Entry]:
        """Reads entries of shards that one command can read; see `read_group`."""
        streams = {self._keys[shard]: ">" for shard in part}
        try:
            reply = await self._redis.xreadgroup(group, consumer, streams, count=count, block=block_ms)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self._create_group(group)
            reply = await self._redis.xreadgroup(group, consumer, streams, count=count, block=block_ms)
        return self._entries(reply)

    async def claim(self, group: str, consumer: str, *, idle_ms: int, count: int = _GROUP_COUNT) -> list[Entry]:
        """Claims entries that a consumer read at least `idle_ms` ago and did not acknowledge. Raises LogError."""
        entries = []
        for shard, key in enumerate(self._keys):
            try:
                _, items, *_ = await self._redis.xautoclaim(key, group, consumer, idle_ms, count=count)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                continue
            entries += [_entry(shard, entry_id, fields) for entry_id, fields in items if fields]
        return entries

    async def ack(self, group: str, entries: Sequence[Entry]) -> None:
        """Acknowledges entries for a group. Raises LogError."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for shard in {entry.shard for entry in entries}:
                ids = [entry.entry_id for entry in entries if entry.shard == shard]
                pipeline.xack(self._keys[shard], group, *ids)
            await pipeline.execute()

    async def backlog(self, group: str) -> int:
        """Returns the number of entries that a group has not acknowledged, read or not. Raises LogError."""
        count = 0
        for key in self._keys:
            try:
                groups = await self._redis.xinfo_groups(key)
            except ResponseError as error:
                if "no such key" not in str(error):
                    raise
                continue
            count += sum(each["pending"] + (each["lag"] or 0) for each in groups if each["name"] == group.encode())
        return count

    async def _create_group(self, group: str) -> None:
        for key in self._keys:
            try:
                await self._redis.xgroup_create(key, group, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise


class _State(NamedTuple):
    """The ids of a shard's first and last entries; empty if there are none."""

    oldest: str
    newest: str

    def has_lost(self, position: str) -> bool:
        """Reports whether entries after a position may be missing: it is before the oldest or after the newest one."""
        if position == START:
            return False
        if not self.newest:
            return True
        return not position_key(self.oldest) <= position_key(position) <= position_key(self.newest)

    def is_quiet(self, since_ms: int) -> bool:
        """Reports whether no entry was appended since a time."""
        return not self.newest or position_key(self.newest)[0] < since_ms


def _request_state(pipeline: Any, key: str) -> None:
    pipeline.xrange(key, count=1)
    pipeline.xrevrange(key, count=1)


def _state(first: Any, last: Any) -> _State:
    return _State(first[0][0].decode() if first else "", last[0][0].decode() if last else "")


def _entry(shard: int, entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    return Entry(shard, entry_id.decode(), fields[b"o"].decode(), fields[b"p"])


def _flat(items: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Returns the items of a stream, which RESP3 nests one level deeper than RESP2."""
    if items and isinstance(items[0], list):
        return [pair for nested in items for pair in nested]
    return list(items)
