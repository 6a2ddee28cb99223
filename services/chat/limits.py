"""How much one user may send: a token bucket for each, as GCRA, which needs one number a user.

Source: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm (virtual scheduling).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from chassis.errors import ResourceExhaustedError

_USERS: Final = 100_000


class RateLimit:
    """Limits each user of each organization; a replica counts for itself.

    Args:
        per_second: how many are let through in the long run.
        burst: how many are let through at once.
        now: a monotonic time, in seconds.
    """

    def __init__(self, per_second: float, burst: int, now: Callable[[], float]) -> None:
        self._interval = 1.0 / per_second
        self._tolerance = burst * self._interval
        self._now = now
        self._due: OrderedDict[tuple[str, str], float] = OrderedDict()

    def admit(self, organization_id: str, user_id: str) -> None:
        """Lets one through. Raises ResourceExhaustedError (RATE_LIMITED) when it would be one too many."""
        key = (organization_id, user_id)
        now = self._now()
        due = max(now, self._due.get(key, now)) + self._interval
        if due - now > self._tolerance:
            wait_ms = math.ceil((due - now - self._tolerance) * 1_000)
            raise ResourceExhaustedError("RATE_LIMITED", "you are sending too fast", retry_after_ms=max(1, wait_ms))
        self._due[key] = due
        self._due.move_to_end(key)
        if len(self._due) > _USERS:
            self._due.popitem(last=False)
