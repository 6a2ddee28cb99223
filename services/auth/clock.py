"""The time, as MongoDB keeps it: UTC, in whole milliseconds; so that what is answered equals what is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def clock(unix_time: Callable[[], float] = time.time) -> Clock:
    """Makes a clock from one that gives Unix time in seconds."""

    def now() -> datetime:
        exact = datetime.fromtimestamp(unix_time(), UTC)
        return exact.replace(microsecond=exact.microsecond // 1_000 * 1_000)

    return now
