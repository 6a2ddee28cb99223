"""Presence in Redis: the only module here that knows it.

Everything is spread over the shards of the event log by organization, and the keys of a shard have one hash tag, so
that a script changes sessions, states and log in one step. Of each shard N there are

    parley:presence:{N}:leases            sorted set: gateways by the time at which they count as dead
    parley:presence:{N}:gateway:<id>      hash: its sessions, each with who reported it ("<attachment>/<a or i>"), and
                                          under the empty name the attachment whose word counts
    parley:presence:{N}:user:<org>/<user> hash: a user's state; see encoding.py. Expires some time after they left
    parley:presence:{N}:agenda            sorted set: users by the time at which others may have to be told something
    parley:presence:{N}:storing           sorted set: users by the time at which their record is to be read or written
    parley:presence:{N}:roster:<org>      sorted set: who is present (score inf), and who left (score: when)
    parley:presence:{N}:log               the event log: what others were told
    parley:presence:{N}:complete, :lost   marks: whether Redis has everything, and since when it is known not to

All methods raise UnavailableError STORE_UNAVAILABLE while Redis can't be reached; what was done is then unknown, and
all of them may be repeated.
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

Agenda = Literal["agenda", "storing"]
Storing = Literal["due", "done", "keep"]
NextLook = int | Literal["", "keep"]

_log = logger("bus")


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session is active, idle, closed, or stale: closed unless its gateway's present attachment has reported it."""

    kind: Literal["a", "i", "c", "s"]
    key: UserKey
    session_id: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A change of a user's state.

    Attributes:
        before: the state that it is based on; the change is only made if that is still the state.
        after: what it is to be.
        look: when to look at it again, in Unix ms; "" for not before something happens.
        storing: whether its record is to be read or written.
        event: what others are told, as an encoded EventBatch; empty for nothing.
    """

    before: UserState
    after: UserState
    look: NextLook = "keep"
    storing: Storing = "keep"
    event: bytes = b""


@asynccontextmanager
async def open_bus(
    url: str, *, shards: int, retention_seconds: float, recent_ms: int
) -> AsyncIterator[tuple[PresenceBus, EventLog]]:
    """Opens the bus, and the event log for following it; closes both on leaving.

    They have a client each: following waits longer for Redis than anything else may.
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
        retry=Retry(NoBackoff(), 1),  # a connection that a restart of the server left behind
    )
    return Redis.from_pool(pool)


class PresenceBus:
    """What all replicas know together.

    Args:
        redis: the client; not closed here.
        log: the event log that changes are told in.
        recent_ms: how long it is remembered who left.
    """

    def __init__(self, redis: Redis, log: EventLog, *, recent_ms: int) -> None:
        self._redis: Any = redis  # its replies have unions for types that depend on options
        self._log = log
        self._recent_ms = recent_ms
        self._told = metrics.LOG_APPENDED.labels(log.name)
        self.shards = range(log.shards)

    async def ping(self) -> None:
        """Says whether Redis is there."""
        with _reaching():
            await self._redis.ping()

    # --- gateways and their sessions

    async def attach(self, gateway_id: str, attachment: str, *, lease_ms: int) -> None:
        """Gives a gateway's sessions to an attachment; whoever reports on them as another gets SESSIONS_UNKNOWN."""
        with _reaching():
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
            attachment: on whose word.
            changes: of its sessions; none for a heartbeat.
            lease_ms: how long the gateway counts as alive without another word.
            grace_ms: how long users count as present after their last session closed.
            happened_ms: when it happened; None for now.
            shard: the one shard that all changes are in, and in which the lease is renewed; None for every shard.

        Raises:
            UnavailableError: SESSIONS_UNKNOWN when the gateway's sessions aren't this attachment's.
        """
        terms = [attachment, gateway_id, lease_ms, grace_ms, "" if happened_ms is None else happened_ms]
        by_shard: dict[int, list[SessionChange]] = {s: [] for s in ([shard] if shard is not None else self.shards)}
        for change in changes:
            by_shard[self.shard_of(change.key.organization_id)].append(change)
        with _reaching():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for s, found in by_shard.items():
                    for chunk in _chunks(found) or [[]]:
                        keys = _report_keys(s, gateway_id, chunk)
                        parts = [part for change in chunk for part in _change_parts(change)]
                        pipeline.eval(scripts.APPLY, len(keys), *keys, *terms, *parts)
                in_effect = await pipeline.execute()
        if not all(in_effect):
            raise UnavailableError("SESSIONS_UNKNOWN", "attach again, and report every session", retry_after_ms=0)

    async def stale_sessions(
        self, shard: int, gateway_id: str, attachment: str
    ) -> AsyncIterator[list[tuple[UserKey, str]]]:
        """The sessions of a gateway in a shard that others than this attachment reported, part by part."""
        cursor = 0
        while True:
            with _reaching():
                cursor, found = await self._redis.hscan(_key(shard, "gateway", gateway_id), cursor, count=_SCAN_COUNT)
            reported = f"{attachment}/".encode()
            stale = [name.decode() for name, value in found.items() if name and not value.startswith(reported)]
            if stale:
                yield [session_of(name) for name in stale]
            if not cursor:
                return

    async def expired(self, shard: int) -> list[str]:
        """The gateways whose lease in a shard is over, or the first hundred of them."""
        with _reaching():
            found = await self._redis.eval(scripts.EXPIRED, 1, _key(shard, "leases"), _MAX_GATEWAYS_AT_ONCE)
        return [name.decode() for name in found]

    async def take_over(self, shard: int, gateway_id: str, attachment: str, *, lease_ms: int) -> int | None:
        """Attaches to a gateway whose lease is over; returns until when that was, or None where it isn't over.

        Of several replicas that try, one succeeds.
        """
        keys = [_key(shard, "leases"), _key(shard, "gateway", gateway_id)]
        with _reaching():
            until = await self._redis.eval(scripts.ATTACH, len(keys), *keys, attachment, gateway_id, lease_ms, "1")
        return None if until < 0 else int(until)

    async def release(self, shard: int, gateway_id: str, attachment: str) -> None:
        """Forgets a gateway that this attachment holds, if it has no sessions left in the shard."""
        keys = [_key(shard, "leases"), _key(shard, "gateway", gateway_id)]
        with _reaching():
            await self._redis.eval(scripts.RELEASE, len(keys), *keys, attachment, gateway_id)

    # --- users' states

    async def take_due(self, agenda: Agenda, shard: int, count: int, *, takeover_ms: int) -> list[UserKey]:
        """The users that are due on an agenda; until the takeover time nobody else is given them."""
        with _reaching():
            found = await self._redis.eval(scripts.TAKE_DUE, 1, _key(shard, agenda), count, takeover_ms)
        return [key_of(member.decode()) for member in found]

    async def read(self, keys: Sequence[UserKey]) -> tuple[int, list[UserState]]:
        """The states of users, in the order asked for, and the time at which they were so."""
        with _reaching():
            async with self._redis.pipeline(transaction=False) as pipeline:
                stored = [_user_key(self.shard_of(key.organization_id), key) for key in keys]
                pipeline.eval(scripts.CLOCK, 1, stored[0] if stored else _key(0, "leases"))
                for name in stored:
                    pipeline.hgetall(name)
                now, *found = await pipeline.execute()
        return _milliseconds(now), [state_of(key, _texts(fields)) for key, fields in zip(keys, found, strict=True)]

    async def settle(self, settlements: Sequence[Settlement]) -> list[int | None]:
        """Makes changes of states, and tells of them, each only if its state is still the one that it is based on.

        What is told of one user is in the log in the order in which it was so, exactly once.

        Returns:
            For each change the state's revision, or None where it wasn't made.
        """
        numbered = sorted(enumerate(settlements), key=lambda item: item[1].before.key.organization_id)
        groups = [
            chunk
            for _, group in groupby(numbered, key=lambda item: item[1].before.key.organization_id)
            for chunk in _chunks(list(group))
        ]
        with _reaching():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for group in groups:
                    self._queue_settling(pipeline, [settlement for _, settlement in group])
                replies = await pipeline.execute()
        revisions: list[int | None] = [None] * len(settlements)
        for group, reply in zip(groups, replies, strict=True):
            for (number, _), revision in zip(group, reply, strict=True):
                revisions[number] = int(revision) if revision else None
        return revisions

    def _queue_settling(self, pipeline: Any, settlements: Sequence[Settlement]) -> None:
        organization_id = settlements[0].before.key.organization_id
        shard = self._log.shard_of(organization_id)
        keys = [_key(shard, "agenda"), _key(shard, "storing"), self._log.stream_key(shard)]
        keys += [_key(shard, "roster", organization_id)]
        keys += [_user_key(shard, settlement.before.key) for settlement in settlements]
        terms = [organization_id, self._log.retention_ms, self._recent_ms]
        parts = [part for settlement in settlements for part in _settlement_parts(settlement)]
        pipeline.eval(scripts.SETTLE, len(keys), *keys, *terms, *parts)
        if any(settlement.event for settlement in settlements):
            self._told.inc()

    async def roster(self, organization_id: str) -> AsyncIterator[list[tuple[str, str, Presence]]]:
        """Who is present in an organization or left a short while ago: (user id, role, what others were told).

        Given part by part; someone may be given twice, and who comes or goes meanwhile not at all.
        """
        shard = self._log.shard_of(organization_id)
        cursor = 0
        while True:
            with _reaching():
                now = _milliseconds(await self._redis.eval(scripts.CLOCK, 1, _key(shard, "leases")))
                cursor, found = await self._redis.zscan(
                    _key(shard, "roster", organization_id), cursor, count=_SCAN_COUNT
                )
                users = [name.decode() for name, since in found if since > now - self._recent_ms]
                keys = [_user_key(shard, UserKey(organization_id, user)) for user in users]
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for key in keys:
                        pipeline.hmget(key, "role", "shown")
                    states = await pipeline.execute()
            yield [
                (user, role.decode(), shown)
                for user, (role, told) in zip(users, states, strict=True)
                if role is not None and told is not None and (shown := presence_of(told.decode())) is not None
            ]
            if not cursor:
                return

    # --- recovery

    async def lost_since(self, shard: int) -> tuple[int, int] | None:
        """Says whether Redis lost what it had of a shard, and nobody has made up for it since.

        Returns:
            Now, and when that was noticed, in Unix ms; None where nothing is missing.
        """
        with _reaching():
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
        """Notes that Redis has all there is to know of a shard."""
        with _reaching():
            await self._redis.set(_key(shard, "complete"), 1)
            await self._redis.delete(_key(shard, "lost"))

    def shard_of(self, organization_id: str) -> int:
        """The shard that an organization is in."""
        return self._log.shard_of(organization_id)


def _report_keys(shard: int, gateway_id: str, changes: Sequence[SessionChange]) -> list[str]:
    own = [_key(shard, "leases"), _key(shard, "gateway", gateway_id), _key(shard, "agenda")]
    return own + [_user_key(shard, change.key) for change in changes]


def _change_parts(change: SessionChange) -> Iterable[str]:
    return change.kind, session_field(change.key, change.session_id), member_of(change.key), change.role


def _settlement_parts(settlement: Settlement) -> Iterable[str | int | bytes]:
    before, after = settlement.before, settlement.after
    old = fields_of(before)
    changed = [(name, value) for name, value in fields_of(after).items() if old.get(name) != value]
    gone = after.shown is None or after.shown.status is Status.OFFLINE
    yield from (member_of(after.key), after.key.user_id, before.revision, settlement.look, settlement.storing)
    yield from ("1" if settlement.look == "" and after.resting else "", settlement.event, "gone" if gone else "here")
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
def _reaching() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        metrics.LOG_FAILURES.labels(LOG_NAME).inc()
        detail = str(error)[:200] if isinstance(error, ResponseError) else ""
        _log.warning("redis_failed", error=type(error).__name__, detail=detail)
        raise UnavailableError(
            "STORE_UNAVAILABLE", "presence can't be reached; try again", retry_after_ms=1_000
        ) from error
