"""An event log on Redis Streams: what services say to each other and to gateways, instantly and in order.

Entries are appended to one of a fixed number of shards, chosen by organization, so entries of one organization
keep the order in which they were appended. A reader names the position it has reached and gets what came after;
so a reader that was away for less than the retention misses nothing. Redis may lose all of it: readers then get
LogTrimmedError, and what is true stands in the service's store.

That a log was lost shows in that it doesn't hold the position of a reader any more. So a position is always an entry:
a shard that is empty, or has been quiet for long, gets one without events from whoever follows it.
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
from chassis.events.merging import merged
from chassis.events.redis_cluster import is_cluster, open_cluster
from chassis.process import metrics
from chassis.process.logs import logger

_READ_COUNT: Final = 64  # of each shard in one turn: an entry may have a MiB
_GROUP_COUNT: Final = 256
_BLOCK_MS: Final = 5_000
_SOCKET_TIMEOUT_SECONDS: Final = 10.0  # above _BLOCK_MS, or every quiet spell would look like a lost connection
_POLL_SECONDS: Final = 0.05  # how often a group's shards are looked at where they can't be waited for at once
_BACKOFF: Final = Backoff(base_seconds=0.05, cap_seconds=2.0)
_LOOK_SECONDS: Final = 1.0
_QUIET_PART: Final = 4  # a shard that was quiet for the fourth part of the retention gets a mark
_ENTRY_ID: Final = re.compile(r"[0-9]{1,18}-[0-9]{1,18}")

START: Final = "0-0"
"""The position before the first entry. A reader that is there can't be told of a loss."""

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

    @property
    def is_mark(self) -> bool:
        """Whether it has no events, and is only there to be a position."""
        return not self.organization_id


class LogTrimmedError(Exception):
    """The log no longer holds what came after the reader's position.

    Attributes:
        shards: in which shards.
    """

    def __init__(self, shards: Iterable[int]) -> None:
        super().__init__("the log doesn't reach back to the position")
        self.shards = tuple(shards)


def open_redis(url: str) -> Redis:
    """Opens a client that reconnects by itself; the caller closes it. Values are bytes.

    An address that begins with `redis+cluster://` is that of a Redis Cluster; see `chassis.events.redis_cluster`.
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
    """Whether a text has the form of a position; what comes from outside may have any."""
    return _ENTRY_ID.fullmatch(text) is not None


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
        # Streams of a cluster's nodes can't be waited for in one command.
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
        """The position of a reader that starts now: the last entry of each shard. Raises LogError."""
        states = await self._states(range(len(self._keys)))
        marks = await self._mark(shard for shard, state in states.items() if not state.newest)
        return {shard: marks.get(shard) or state.newest for shard, state in states.items()}

    async def after(self, positions: Positions) -> list[Entry]:
        """Up to some hundreds of entries after a position, those of each shard in order; none at the end of the log.

        Raises:
            LogTrimmedError: the log no longer reaches back that far, or never held the position.
            LogError: Redis can't be reached.
        """
        entries: list[Entry] = []
        lost = [shard for shard in positions if shard >= len(self._keys)]
        for shard in positions.keys() - set(lost):
            async with self._redis.pipeline(transaction=True) as pipeline:  # one moment: nothing goes in between
                pipeline.xrange(self._keys[shard], min=f"({positions[shard]}", count=_READ_COUNT)
                _ask_state(pipeline, self._keys[shard])
                found, *state = await pipeline.execute()
            if _state(*state).has_lost(positions[shard]):
                lost.append(shard)
            entries += [_entry(shard, entry_id, fields) for entry_id, fields in found]
        if lost:
            raise LogTrimmedError(lost)
        return entries

    async def tail(self, positions: Positions) -> AsyncGenerator[list[Entry] | LogTrimmedError]:
        """Follows the log for ever, from a position on; survives that Redis is away.

        At least once a second while entries come, it is looked whether the log still holds what it held at the last
        look: Redis may have lost everything and taken new entries since, on a connection that seems never to break.

        Yields:
            Entries, those of each shard in order; or a LogTrimmedError where entries were lost, after which the
            following goes on with the oldest that there are.
        """
        reached = {shard: positions.get(shard, START) for shard in range(len(self._keys))}
        tails = [self._tail({shard: reached[shard] for shard in part}) for part in self._parts]
        async with aclosing(merged(tails)) as found:
            async for entries in found:
                yield entries

    async def _tail(self, reached: dict[int, str]) -> AsyncGenerator[list[Entry] | LogTrimmedError]:
        """Follows shards that can be read in one command; see `tail`."""
        held, looked, failures = dict(reached), time.monotonic(), 0
        while True:
            lost: list[int] = []
            try:
                streams = {self._keys[shard]: entry_id for shard, entry_id in reached.items()}
                found = await self._redis.xread(streams, count=_READ_COUNT, block=_BLOCK_MS)
                due = failures > 0 or time.monotonic() - looked > _LOOK_SECONDS
                if due:
                    lost = await self._look(held)
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
            entries = self._entries(found)
            for entry in entries:
                reached[entry.shard] = entry.entry_id
            if due:
                held, looked = dict(reached), time.monotonic()
            if entries:
                yield entries

    async def _look(self, held: Positions) -> list[int]:
        """The shards that don't hold what they held; marks those that are empty or quiet."""
        states = await self._states(held)
        quiet_since = int(time.time() * 1_000) - self._retention_ms // _QUIET_PART
        await self._mark(shard for shard, state in states.items() if state.is_quiet(quiet_since))
        return [shard for shard, position in held.items() if states[shard].has_lost(position)]

    async def _states(self, shards: Iterable[int]) -> dict[int, _State]:
        chosen = list(shards)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for shard in chosen:
                _ask_state(pipeline, self._keys[shard])
            replies = await pipeline.execute()
        return {shard: _state(*pair) for shard, *pair in zip(chosen, replies[::2], replies[1::2], strict=True)}

    async def _mark(self, shards: Iterable[int]) -> dict[int, str]:
        """Appends an entry without events to shards; gives its ids."""
        chosen = list(shards)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for shard in chosen:
                pipeline.xadd(self._keys[shard], {"o": "", "p": b""})
            return {shard: entry_id.decode() for shard, entry_id in zip(chosen, await pipeline.execute(), strict=True)}

    def _entries(self, found: Any) -> list[Entry]:
        streams = found.items() if isinstance(found, dict) else found or ()
        return [
            _entry(self._shard_of_key[key], entry_id, fields)
            for key, items in streams
            for entry_id, fields in _flat(items)
        ]

    async def read_group(
        self, group: str, consumer: str, *, count: int = _GROUP_COUNT, block_ms: int = _BLOCK_MS
    ) -> list[Entry]:
        """Takes entries that no consumer of the group has taken, each for this one; they stay its own until `ack`.

        At least once: what a consumer took and didn't acknowledge is there for `claim`. Makes the group, from the
        log's beginning, where it isn't there. Raises LogError.
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
        """Takes entries of shards that can be read in one command; see `read_group`."""
        streams = {self._keys[shard]: ">" for shard in part}
        try:
            found = await self._redis.xreadgroup(group, consumer, streams, count=count, block=block_ms)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self._make_group(group)
            found = await self._redis.xreadgroup(group, consumer, streams, count=count, block=block_ms)
        return self._entries(found)

    async def claim(self, group: str, consumer: str, *, idle_ms: int, count: int = _GROUP_COUNT) -> list[Entry]:
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

    async def backlog(self, group: str) -> int:
        """How many entries a group has yet to acknowledge, taken or not. Raises LogError."""
        waiting = 0
        for key in self._keys:
            try:
                groups = await self._redis.xinfo_groups(key)
            except ResponseError as error:
                if "no such key" not in str(error):
                    raise
                continue
            waiting += sum(each["pending"] + (each["lag"] or 0) for each in groups if each["name"] == group.encode())
        return waiting

    async def _make_group(self, group: str) -> None:
        for key in self._keys:
            try:
                await self._redis.xgroup_create(key, group, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise


class _State(NamedTuple):
    """The first and the last entry of a shard; empty where there is none."""

    oldest: str
    newest: str

    def has_lost(self, position: str) -> bool:
        """Whether what came after a position may be missing: it is before the oldest entry, or after the newest."""
        if position == START:
            return False
        if not self.newest:
            return True
        return not position_key(self.oldest) <= position_key(position) <= position_key(self.newest)

    def is_quiet(self, since_ms: int) -> bool:
        """Whether nothing was appended since a time."""
        return not self.newest or position_key(self.newest)[0] < since_ms


def _ask_state(pipeline: Any, key: str) -> None:
    pipeline.xrange(key, count=1)
    pipeline.xrevrange(key, count=1)


def _state(first: Any, last: Any) -> _State:
    return _State(first[0][0].decode() if first else "", last[0][0].decode() if last else "")


def _entry(shard: int, entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    return Entry(shard, entry_id.decode(), fields[b"o"].decode(), fields[b"p"])


def _flat(items: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The items of a stream: RESP3 nests them one level deeper than RESP2."""
    if items and isinstance(items[0], list):
        return [pair for nested in items for pair in nested]
    return list(items)
