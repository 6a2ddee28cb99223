"""Limits the rate of new connections: excess clients learn when to try again, before they cost much."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from chassis.errors import UnavailableError
from chassis.rate_limit import Rate, conform

_MIN_RETRY_MS = 1_000


class RateLimiter:
    """Limits connections to a sustained rate with bursts.

    Args:
        per_second: the sustained rate.
        burst: the most connections at once.
        now: returns the time in seconds, of a monotonic clock.
    """

    def __init__(self, per_second: int, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = Rate(burst, burst / per_second)
        self._now = now
        self._arrival = -math.inf

    def acquire(self) -> None:
        """Counts a connection. Raises UnavailableError (TOO_MANY_CONNECTIONS), with the time after which to retry."""
        self._arrival, wait = conform(self._arrival, self._now(), self._rate)
        if wait > 0:
            wait_ms = max(_MIN_RETRY_MS, math.ceil(wait * 1_000))
            raise UnavailableError("TOO_MANY_CONNECTIONS", "too many new connections", retry_after_ms=wait_ms)
