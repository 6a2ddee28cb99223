"""Auth's data in Redis: the shared counts of attempts, and the log of revocations. The only module that imports redis.

Redis is not the source of truth: sessions end in the database, and counts may be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from parley.auth.v1 import auth_pb2
from redis.asyncio import Redis
from redis.exceptions import RedisError

from chassis.errors import UnavailableError
from chassis.events.log import Entry, EventLog, LogError, LogTrimmedError, Positions, open_redis, position_key
from chassis.process.logs import logger
from chassis.rate_limit import Rate
from services.auth.domain import Revocation, RevocationReason
from services.auth.limits import LimiterUnavailableError

_LIMIT_TIMEOUT_SECONDS: Final = 0.5
_LOG_TIMEOUT_SECONDS: Final = 3.0
_LOG_START: Final = "0-0"
_KEY_PREFIX: Final = "parley:auth:limit:"

# chassis.rate_limit.conform with the clock of Redis, which all replicas share. Returns the wait in microseconds.
_ATTEMPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local arrival = tonumber(redis.call('GET', KEYS[1]) or 0)
local next_arrival = math.max(arrival, now) + interval
local wait = next_arrival - window - now
if wait > 1 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', next_arrival), 'PX', math.ceil((next_arrival - now) / 1000))
return 0
"""
_REFUND: Final = """
local arrival = redis.call('GET', KEYS[1])
if arrival then redis.call('SET', KEYS[1], string.format('%.0f', arrival - ARGV[1]), 'KEEPTTL') end
return 0
"""

_log = logger("bus")


class Bus(NamedTuple):
    """Auth's data in Redis."""

    limiter: RedisLimiter
    revocations: RevocationLog


@asynccontextmanager
async def open_bus(url: str, *, retention_seconds: float) -> AsyncIterator[Bus]:
    """Yields a client of Redis, and closes it on exit; revocations are kept for `retention_seconds`."""
    async with aclosing(open_redis(url)) as redis:
        log = EventLog(redis, "auth", retention_seconds=retention_seconds)
        yield Bus(RedisLimiter(redis), RevocationLog(log))


class RedisLimiter:
    """Counts attempts of all replicas; see `limits.Limiter`. Raises LimiterUnavailableError."""

    def __init__(self, redis: Redis) -> None:
        self._attempt = redis.register_script(_ATTEMPT)
        self._refund = redis.register_script(_REFUND)

    async def attempt(self, key: str, rate: Rate) -> float:
        """Counts an attempt if it conforms and returns 0; else returns the seconds until one would."""
        window = round(rate.window_seconds * 1e6)
        try:
            async with asyncio.timeout(_LIMIT_TIMEOUT_SECONDS):
                wait = await self._attempt(keys=[_KEY_PREFIX + key], args=[_microseconds(rate), window])
        except (RedisError, TimeoutError) as error:
            raise LimiterUnavailableError from error
        return int(wait) / 1e6

    async def refund(self, key: str, rate: Rate) -> None:
        """Takes back one attempt."""
        try:
            async with asyncio.timeout(_LIMIT_TIMEOUT_SECONDS):
                await self._refund(keys=[_KEY_PREFIX + key], args=[_microseconds(rate)])
        except (RedisError, TimeoutError) as error:
            raise LimiterUnavailableError from error


def _microseconds(rate: Rate) -> int:
    return int(rate.interval_seconds * 1e6)


class RevocationLog:
    """Revocations on the event log "auth": delivered at least once, in order within an organization."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def append(self, revocations: Sequence[Revocation]) -> None:
        """Publishes revocations. Raises UnavailableError (REVOCATION_NOT_PUBLISHED): some may have been published."""
        batches = [(r.organization_id, _encode(r)) for r in revocations]
        try:
            async with asyncio.timeout(_LOG_TIMEOUT_SECONDS):
                await self._log.append(batches)
        except (LogError, TimeoutError) as error:
            raise UnavailableError(
                "REVOCATION_NOT_PUBLISHED", "the revocation was not published; try again", retry_after_ms=1_000
            ) from error

    async def end(self) -> Positions:
        """Returns the position of a reader that starts now."""
        return await self._log.end()

    async def follow(self, positions: Positions) -> AsyncIterator[list[Revocation]]:
        """Yields revocations after a position until cancelled; waits while Redis is unavailable."""
        async for entries in self._log.tail(positions):
            if isinstance(entries, LogTrimmedError):
                _log.error("revocations_lost")
                continue
            yield [_decode(entry) for entry in entries if not entry.is_mark]

    async def since(self, start: datetime) -> list[Revocation]:
        """Returns the retained revocations since a time. Raises UnavailableError (REVOCATIONS_UNREACHABLE)."""
        try:
            async with asyncio.timeout(_LOG_TIMEOUT_SECONDS):
                entries = await self._all()
        except (LogError, TimeoutError, LogTrimmedError) as error:
            raise UnavailableError(
                "REVOCATIONS_UNREACHABLE", "revocations are unavailable", retry_after_ms=1_000
            ) from error
        oldest = int(start.timestamp() * 1_000)
        return [_decode(entry) for entry in entries if not entry.is_mark and position_key(entry.entry_id)[0] >= oldest]

    async def _all(self) -> list[Entry]:
        positions = dict.fromkeys(await self._log.end(), _LOG_START)
        entries = []
        while page := await self._log.after(positions):
            entries += page
            positions |= {entry.shard: entry.entry_id for entry in page}
        return entries


_REASONS: Final = {
    RevocationReason.SESSION_REVOKED: auth_pb2.REVOCATION_REASON_SESSION_REVOKED,
    RevocationReason.ACCOUNT_DISABLED: auth_pb2.REVOCATION_REASON_ACCOUNT_DISABLED,
    RevocationReason.ROLE_CHANGED: auth_pb2.REVOCATION_REASON_ROLE_CHANGED,
}
_REASON_OF: Final = {number: reason for reason, number in _REASONS.items()}


def to_response(revocation: Revocation) -> auth_pb2.WatchRevocationsResponse:
    """Converts a revocation to its proto, which is also its form in the log."""
    return auth_pb2.WatchRevocationsResponse(
        organization_id=revocation.organization_id,
        user_id=revocation.user_id,
        session_id=revocation.session_id,
        reason=_REASONS[revocation.reason],
        user_revision=revocation.user_revision,
        expire_time=Timestamp(seconds=revocation.expires_at),
    )


def _encode(revocation: Revocation) -> bytes:
    return to_response(revocation).SerializeToString()


def _decode(entry: Entry) -> Revocation:
    message = auth_pb2.WatchRevocationsResponse.FromString(entry.payload)
    return Revocation(
        message.organization_id,
        message.user_id,
        message.session_id,
        _REASON_OF[message.reason],
        message.user_revision,
        message.expire_time.seconds,
    )
