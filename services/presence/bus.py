"""Sessions and users' states in Redis; the only module of presence that knows Redis.

Keys are sharded by organization, as the event log is. The keys of a shard have one hash tag, so that a script changes
sessions, states and the log atomically. Shard N has

    parley:presence:{N}:leases            sorted set: gateways by the time at which their lease expires
    parley:presence:{N}:gateway:<id>      hash: the gateway's sessions, each with "<attachment>/<a or i>", the reporter
                                          and whether it is idle; under the empty name the current attachment
    parley:presence:{N}:user:<org>/<user> hash: a user's state; see encoding.py. Expires some time after they left
    parley:presence:{N}:agenda            sorted set, the work queue: users by the time of their next check
    parley:presence:{N}:storing           sorted set, the persist queue: users by the time at which to read or write
                                          their record
    parley:presence:{N}:roster:<org>      sorted set: present users (score inf), and users who left (score: when)
    parley:presence:{N}:log               the event log of published presence
    parley:presence:{N}:complete, :lost   markers: whether Redis has all data, and since when it is known not to

Every method raises UnavailableError STORE_UNAVAILABLE while Redis is unreachable. The outcome is then unknown, and it
is safe to repeat the call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from chassis.errors import UnavailableError
from chassis.events.log import EventLog, open_redis
from chassis.events.redis_cluster import is_cluster, open_cluster
from chassis.process import metrics
from chassis.process.logs import logger
from services.presence import scripts
from services.presence.domain import Presence, Status, UserKey, UserState
from services.presence.encoding import fields_of, key_of, member_of, presence_of, session_field, session_of, state_of

LOG_NAME: Final = "presence"
_MAX_CHANGES_PER_SCRIPT: Final = 500  # some milliseconds of Redis's one thread
_MAX_GATEWAYS_AT_ONCE: Final = 100
_SCAN_COUNT: Final = 500
_MAX_CONNECTIONS: Final = 32
_TIMEOUT_SECONDS: Final = 5.0

Queue = Literal["work_queue", "persist_queue"]
_QUEUE_KEYS: Final[dict[Queue, str]] = {"work_queue": "agenda", "persist_queue": "storing"}
"""The queues' names in keys, which replicas of an earlier version use too."""

Persist = Literal["due", "done", "keep"]
NextCheck = int | Literal["", "keep"]

_log = logger("bus")


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session is active, idle, closed, or stale: closed unless its gateway's current attachment has reported it."""

    kind: Literal["a", "i", "c", "s"]
    key: UserKey
    session_id: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class StateChange:
    """A change of a user's state.

    Attributes:
        before: the expected state; the change is made only if it is still the current one.
        after: the new state.
        next_check: when to check the user again, in Unix ms; "" for the next event, "keep" for no change.
        persist: whether the user's record is due to be read or written.
        event: the event to publish, as an encoded EventBatch; empty for none.
    """

    before: UserState
    after: UserState
    next_check: NextCheck = "keep"
    persist: Persist = "keep"
    event: bytes = b""


@asynccontextmanager
async def open_bus(
    url: str, *, shards: int, retention_seconds: float, recent_ms: int
) -> AsyncIterator[tuple[PresenceBus, EventLog]]:
    """Opens the bus, and the event log to follow; closes both on leaving.

    Each has its own client: the follower's timeouts are longer than those of commands.
    """
    async with _open_for_commands(url) as commands, open_redis(url) as follower:
        logs = [
            EventLog(client, LOG_NAME, shards=shards, retention_seconds=retention_seconds)
            for client in (commands, follower)
        ]
        yield PresenceBus(commands, logs[0], recent_ms=recent_ms), logs[1]


def _open_for_commands(url: str) -> Redis:
    if is_cluster(url):
        return cast(Redis, open_cluster(url, timeout_seconds=_TIMEOUT_SECONDS))
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_MAX_CONNECTIONS,
        timeout=_TIMEOUT_SECONDS,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 1),  # for a connection that a restart of the server closed
    )
    return Redis.from_pool(pool)


class PresenceBus:
    """The state that replicas share.

    Args:
        redis: the client, which the caller closes.
        log: the event log for published presence.
        recent_ms: how long snapshots include users who left.
    """

    def __init__(self, redis: Redis, log: EventLog, *, recent_ms: int) -> None:
        self._redis: Any = redis  # its replies have unions for types that depend on options
        self._log = log
        self._recent_ms = recent_ms
        self._appended = metrics.LOG_APPENDED.labels(log.name)
        self.shards = range(log.shards)

    async def ping(self) -> None:
        """Raises UnavailableError if Redis is unreachable."""
        with _translating_errors():
            await self._redis.ping()

    # --- gateways and their sessions

    async def attach(self, gateway_id: str, attachment: str, *, lease_ms: int) -> None:
        """Makes an attachment the gateway's current one; reports of others then raise SESSIONS_UNKNOWN."""
        with _translating_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for shard in self.shards:
                    keys = [_key(shard, "leases"), _key(shard, "gateway", gateway_id)]
                    pipeline.eval(scripts.ATTACH, len(keys), *keys, attachment, gateway_id, lease_ms, "")
                await pipeline.execute()

    async def report(
        self,
        gateway_id: str,
        attachment: str,
        changes: Sequence[SessionChange],
        *,
        lease_ms: int,
        grace_ms: int,
        happened_ms: int | None = None,
        shard: int | None = None,
    ) -> None:
        """Renews a gateway's lease and makes the changes, in order for each user; see scripts.APPLY.

        Args:
            gateway_id: the gateway.
            attachment: the attachment that reports.
            changes: the changes of its sessions; none for a heartbeat.
            lease_ms: the duration of the renewed lease.
            grace_ms: how long users count as present after their last session closed.
            happened_ms: when the changes happened, in Unix ms; None for now.
            shard: the only shard to renew the lease in, which has all of the changes; None for every shard.

        Raises:
            UnavailableError: SESSIONS_UNKNOWN if the attachment is not the gateway's current one.
        """
        arguments = [attachment, gateway_id, lease_ms, grace_ms, "" if happened_ms is None else happened_ms]
        by_shard: dict[int, list[SessionChange]] = {s: [] for s in ([shard] if shard is not None else self.shards)}
        for change in changes:
            by_shard[self.shard_of(change.key.organization_id)].append(change)
        with _translating_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for s, changes_of_shard in by_shard.items():
                    for chunk in _chunks(changes_of_shard) or [[]]:
                        keys = _report_keys(s, gateway_id, chunk)
                        parts = [part for change in chunk for part in _change_parts(change)]
                        pipeline.eval(scripts.APPLY, len(keys), *keys, *arguments, *parts)
                in_effect = await pipeline.execute()
        if not all(in_effect):
            raise UnavailableError("SESSIONS_UNKNOWN", "attach again, and report every session", retry_after_ms=0)

    async def stale_sessions(
        self, shard: int, gateway_id: str, attachment: str
    ) -> AsyncIterator[list[tuple[UserKey, str]]]:
        """Yields the sessions of a gateway in a shard that attachments other than this one reported, in parts."""
        cursor = 0
        while True:
            with _translating_errors():
                cursor, page = await self._redis.hscan(_key(shard, "gateway", gateway_id), cursor, count=_SCAN_COUNT)
            reported = f"{attachment}/".encode()
            stale = [name.decode() for name, value in page.items() if name and not value.startswith(reported)]
            if stale:
                yield [session_of(name) for name in stale]
            if not cursor:
                return

    async def expired(self, shard: int) -> list[str]:
        """Returns up to a hundred gateways whose lease in a shard has expired."""
        with _translating_errors():
            names = await self._redis.eval(scripts.EXPIRED, 1, _key(shard, "leases"), _MAX_GATEWAYS_AT_ONCE)
        return [name.decode() for name in names]

    async def take_over(self, shard: int, gateway_id: str, attachment: str, *, lease_ms: int) -> int | None:
        """Attaches to a gateway whose lease has expired. Of several replicas that try, one succeeds.

        Returns:
            When the lease expired, in Unix ms; None if it has not.
        """
        keys = [_key(shard, "leases"), _key(shard, "gateway", gateway_id)]
        with _translating_errors():
            until = await self._redis.eval(scripts.ATTACH, len(keys), *keys, attachment, gateway_id, lease_ms, "1")
        return None if until < 0 else int(until)

    async def release(self, shard: int, gateway_id: str, attachment: str) -> None:
        """Removes a gateway from a shard if this attachment is its current one and it has no sessions there."""
        keys = [_key(shard, "leases"), _key(shard, "gateway", gateway_id)]
        with _translating_errors():
            await self._redis.eval(scripts.RELEASE, len(keys), *keys, attachment, gateway_id)

    # --- users' states

    async def take_due(self, queue: Queue, shard: int, count: int, *, takeover_ms: int) -> list[UserKey]:
        """Takes up to `count` users that are due in a queue; no other caller gets them for `takeover_ms`."""
        with _translating_errors():
            members = await self._redis.eval(scripts.TAKE_DUE, 1, _key(shard, _QUEUE_KEYS[queue]), count, takeover_ms)
        return [key_of(member.decode()) for member in members]

    async def read(self, keys: Sequence[UserKey]) -> tuple[int, list[UserState]]:
        """Returns the time, in Unix ms, and the states of users at that time, in the order of the keys."""
        with _translating_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                names = [_user_key(self.shard_of(key.organization_id), key) for key in keys]
                pipeline.eval(scripts.CLOCK, 1, names[0] if names else _key(0, "leases"))
                for name in names:
                    pipeline.hgetall(name)
                now, *hashes = await pipeline.execute()
        return _milliseconds(now), [state_of(key, _texts(fields)) for key, fields in zip(keys, hashes, strict=True)]

    async def compare_and_set(self, changes: Sequence[StateChange]) -> list[int | None]:
        """Makes and publishes changes of states, each only if `before` is still the current state.

        The log has a user's events in the order of their changes, each exactly once.

        Returns:
            For each change the state's revision, or None if it wasn't made.
        """
        numbered = sorted(enumerate(changes), key=lambda item: item[1].before.key.organization_id)
        groups = [
            chunk
            for _, group in groupby(numbered, key=lambda item: item[1].before.key.organization_id)
            for chunk in _chunks(list(group))
        ]
        with _translating_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for group in groups:
                    self._queue_changes(pipeline, [change for _, change in group])
                replies = await pipeline.execute()
        revisions: list[int | None] = [None] * len(changes)
        for group, reply in zip(groups, replies, strict=True):
            for (number, _), revision in zip(group, reply, strict=True):
                revisions[number] = int(revision) if revision else None
        return revisions

    def _queue_changes(self, pipeline: Any, changes: Sequence[StateChange]) -> None:
        organization_id = changes[0].before.key.organization_id
        shard = self._log.shard_of(organization_id)
        keys = [_key(shard, name) for name in _QUEUE_KEYS.values()]
        keys += [self._log.stream_key(shard), _key(shard, "roster", organization_id)]
        keys += [_user_key(shard, change.before.key) for change in changes]
        arguments = [organization_id, self._log.retention_ms, self._recent_ms]
        parts = [part for change in changes for part in _state_change_parts(change)]
        pipeline.eval(scripts.COMPARE_AND_SET, len(keys), *keys, *arguments, *parts)
        if any(change.event for change in changes):
            self._appended.inc()

    async def snapshot(self, organization_id: str) -> AsyncIterator[list[tuple[str, str, Presence]]]:
        """Yields, in parts, an organization's present users and those who left recently: (user id, role, presence).

        A user may appear twice; one who comes or goes meanwhile may be missing.
        """
        shard = self._log.shard_of(organization_id)
        cursor = 0
        while True:
            with _translating_errors():
                now = _milliseconds(await self._redis.eval(scripts.CLOCK, 1, _key(shard, "leases")))
                cursor, page = await self._redis.zscan(
                    _key(shard, "roster", organization_id), cursor, count=_SCAN_COUNT
                )
                users = [name.decode() for name, left_ms in page if left_ms > now - self._recent_ms]
                keys = [_user_key(shard, UserKey(organization_id, user)) for user in users]
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for key in keys:
                        pipeline.hmget(key, "role", "shown")
                    states = await pipeline.execute()
            yield [
                (user, role.decode(), presence)
                for user, (role, text) in zip(users, states, strict=True)
                if role is not None and text is not None and (presence := presence_of(text.decode())) is not None
            ]
            if not cursor:
                return

    # --- recovery

    async def lost_since(self, shard: int) -> tuple[int, int] | None:
        """Reports whether Redis lost a shard's data and no replica has recovered from it yet.

        Returns:
            The time, and when the loss was noticed, in Unix ms; None if no data is missing.
        """
        with _translating_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.eval(scripts.CLOCK, 1, _key(shard, "leases"))
                pipeline.exists(_key(shard, "complete"))
                pipeline.get(_key(shard, "lost"))
                time, complete, since = await pipeline.execute()
            if complete:
                return None
            now = _milliseconds(time)
            if since is None:
                await self._redis.set(_key(shard, "lost"), now, nx=True)
        return now, int(since or now)

    async def mark_complete(self, shard: int) -> None:
        """Records that Redis has all data of a shard."""
        with _translating_errors():
            await self._redis.set(_key(shard, "complete"), 1)
            await self._redis.delete(_key(shard, "lost"))

    def shard_of(self, organization_id: str) -> int:
        """Returns the shard of an organization."""
        return self._log.shard_of(organization_id)


def _report_keys(shard: int, gateway_id: str, changes: Sequence[SessionChange]) -> list[str]:
    own = [_key(shard, "leases"), _key(shard, "gateway", gateway_id), _key(shard, _QUEUE_KEYS["work_queue"])]
    return own + [_user_key(shard, change.key) for change in changes]


def _change_parts(change: SessionChange) -> Iterable[str]:
    return change.kind, session_field(change.key, change.session_id), member_of(change.key), change.role


def _state_change_parts(change: StateChange) -> Iterable[str | int | bytes]:
    before, after = change.before, change.after
    old = fields_of(before)
    changed = [(name, value) for name, value in fields_of(after).items() if old.get(name) != value]
    offline = after.published is None or after.published.status is Status.OFFLINE
    yield from (member_of(after.key), after.key.user_id, before.revision, change.next_check, change.persist)
    yield from ("1" if change.next_check == "" and after.resting else "", change.event, "" if offline else "1")
    yield len(changed)
    for name, value in changed:
        yield from (name, value)


def _key(shard: int, *parts: str) -> str:
    return f"parley:{LOG_NAME}:{{{shard}}}:{':'.join(parts)}"


def _user_key(shard: int, key: UserKey) -> str:
    return _key(shard, "user", member_of(key))


def _chunks(items: list[Any]) -> list[list[Any]]:
    return [items[at : at + _MAX_CHANGES_PER_SCRIPT] for at in range(0, len(items), _MAX_CHANGES_PER_SCRIPT)]


def _milliseconds(time: Sequence[bytes]) -> int:
    return int(time[0]) * 1_000 + int(time[1]) // 1_000


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


@contextmanager
def _translating_errors() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        metrics.LOG_FAILURES.labels(LOG_NAME).inc()
        detail = str(error)[:200] if isinstance(error, ResponseError) else ""
        _log.warning("redis_failed", error=type(error).__name__, detail=detail)
        raise UnavailableError(
            "STORE_UNAVAILABLE", "the presence store is unreachable; try again", retry_after_ms=1_000
        ) from error
