"""How fast connections are taken: more than a gateway can greet are told when to come again, before they cost much."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from chassis.errors import UnavailableError


class RateLimiter:
    """A token bucket.

    Args:
        per_second: how many are let through in the long run.
        burst: how many are let through at once.
        now: seconds of a clock that only moves forward.
    """

    def __init__(self, per_second: int, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._now = now
        self._tokens = float(burst)
        self._filled_at = now()

    def acquire(self) -> None:
        """Lets one through. Raises UnavailableError (TOO_MANY_CONNECTIONS), with a time after which to try again."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens < 1:
            wait_ms = math.ceil((1 - self._tokens) / self._per_second * 1_000)
            raise UnavailableError(
                "TOO_MANY_CONNECTIONS", "too many connections come at once", retry_after_ms=max(1_000, wait_ms)
            )
        self._tokens -= 1
