"""Summarizes store errors at start-up in one line, instead of a driver's long traceback.

A process that can't reach its store exits, and is restarted until it can. So a wrong address or password fills the log
with these lines.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_DETAILS: Final = re.compile(r" \(configured timeouts|, Timeout: |, full error: ")
"""Where the details begin that drivers append: their timeouts, and the state of all servers."""

_UNAUTHORIZED: Final = frozenset({13, 18})


class Outage(NamedTuple):
    """A store that is unreachable, or refused this process."""

    store: str
    reason: str


def outage(error: Exception) -> Outage | None:
    """Returns the outage that a driver's error means; None for other errors."""
    # Imported here: a process without stores doesn't load their drivers.
    from pymongo.errors import ConnectionFailure, OperationFailure  # noqa: PLC0415
    from redis import exceptions as redis  # noqa: PLC0415

    if isinstance(error, ConnectionFailure) or (isinstance(error, OperationFailure) and error.code in _UNAUTHORIZED):
        return Outage("mongodb", _short(error))
    unreachable = (redis.ConnectionError, redis.TimeoutError, redis.RedisClusterException)
    if isinstance(error, (*unreachable, redis.NoPermissionError, redis.OutOfMemoryError, redis.ReadOnlyError)):
        return Outage("redis", _short(error))
    return None


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {_DETAILS.split(str(error))[0]}"
