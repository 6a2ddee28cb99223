"""Opens the two event logs that notify uses: chat's, which it reads, and its own.

The only module of notify that knows Redis.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from chassis.events.log import EventLog, LogError, open_redis

BusError = LogError
"""Raised by reading and publishing while Redis is unreachable."""

LOG_NAME: Final = "notify"


@asynccontextmanager
async def open_logs(
    url: str, chat_log: str, *, shards: int, retention_seconds: float
) -> AsyncIterator[tuple[EventLog, EventLog]]:
    """Opens chat's event log and notify's own while the context is open. Raises BusError if Redis is unreachable."""
    redis = open_redis(url)
    try:
        await redis.ping()
        yield (
            EventLog(redis, chat_log, shards=shards, retention_seconds=retention_seconds),
            EventLog(redis, LOG_NAME, shards=shards, retention_seconds=retention_seconds),
        )
    finally:
        await redis.aclose()
