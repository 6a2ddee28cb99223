"""Limits the rate of new connections: excess clients learn when to try again, before they cost much."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from chassis.errors import UnavailableError

_MIN_RETRY_MS = 1_000


class RateLimiter:
    """A token bucket.

    Args:
        per_second: the sustained rate.
        burst: the most connections at once.
        now: returns the time in seconds, of a monotonic clock.
    """

    def __init__(self, per_second: int, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._now = now
        self._tokens = float(burst)
        self._filled_at = now()

    def acquire(self) -> None:
        """Takes a token. Raises UnavailableError (TOO_MANY_CONNECTIONS), with the time after which to try again."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens < 1:
            wait_ms = math.ceil((1 - self._tokens) / self._per_second * 1_000)
            raise UnavailableError(
                "TOO_MANY_CONNECTIONS", "too many new connections", retry_after_ms=max(_MIN_RETRY_MS, wait_ms)
            )
        self._tokens -= 1
