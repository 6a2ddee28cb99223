"""A clock with MongoDB's resolution, UTC in whole milliseconds, so that responses equal what is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def clock(unix_time: Callable[[], float] = time.time) -> Clock:
    """Returns a clock based on one that returns Unix time in seconds."""

    def now() -> datetime:
        exact = datetime.fromtimestamp(unix_time(), UTC)
        return exact.replace(microsecond=exact.microsecond // 1_000 * 1_000)

    return now
