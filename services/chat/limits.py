"""Limits how fast a user may send and change messages."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from chassis.errors import ResourceExhaustedError
from chassis.rate_limit import KeyedLimiter, Rate

_MAX_USERS: Final = 100_000


class RateLimit:
    """Limits the messages of each user of each organization, and their changes. Each replica counts for itself.

    Args:
        per_second: the sustained rate.
        burst: the most messages at once.
        now: monotonic seconds.
    """

    def __init__(self, per_second: float, burst: int, now: Callable[[], float]) -> None:
        self._rate = Rate(burst, burst / per_second)
        self._limiter: KeyedLimiter[tuple[str, str]] = KeyedLimiter(now, _MAX_USERS)

    def admit(self, organization_id: str, user_id: str) -> None:
        """Counts a message or a change. Raises ResourceExhaustedError (RATE_LIMITED) if it exceeds the limit."""
        wait = self._limiter.attempt((organization_id, user_id), self._rate)
        if wait > 0:
            wait_ms = math.ceil(round(wait * 1_000, 3))
            raise ResourceExhaustedError("RATE_LIMITED", "you are sending too fast", retry_after_ms=max(1, wait_ms))
