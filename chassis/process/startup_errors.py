"""Says in a line which store a process could not do without, and why: a driver's traceback of forty calls does not.

Without a store a process does not start, and is started again until it is there: so this is what a log is full of when
an address or a password is wrong.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_DETAILS: Final = re.compile(r" \(configured timeouts|, Timeout: |, full error: ")
"""What drivers say more: their own timeouts, and everything that they know of the servers."""

_UNAUTHORIZED: Final = frozenset({13, 18})


class Outage(NamedTuple):
    """A store that was away, or refused us."""

    store: str
    reason: str


def outage(error: Exception) -> Outage | None:
    """What a driver's error means; None for an error that is no store's fault."""
    # Here, since a process that has no stores has no need of their drivers.
    from pymongo.errors import ConnectionFailure, OperationFailure  # noqa: PLC0415
    from redis import exceptions as redis  # noqa: PLC0415

    if isinstance(error, ConnectionFailure) or (isinstance(error, OperationFailure) and error.code in _UNAUTHORIZED):
        return Outage("mongodb", _short(error))
    away = (redis.ConnectionError, redis.TimeoutError, redis.RedisClusterException)
    if isinstance(error, (*away, redis.NoPermissionError, redis.OutOfMemoryError, redis.ReadOnlyError)):
        return Outage("redis", _short(error))
    return None


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {_DETAILS.split(str(error))[0]}"
