"""Exponential backoff with full jitter.

See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, which compares it with other kinds of
jitter. The client library has its own: it depends on nothing of the server.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_MAX_EXPONENT: Final = 32
"""Keeps 2.0 ** failures finite however long an outage lasts; every cap is reached long before."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A policy for the delays between attempts.

    Attributes:
        base_seconds: the ceiling of the delay after no failure; it doubles with each failure.
        cap_seconds: the highest ceiling.
    """

    base_seconds: float
    cap_seconds: float

    def delay_seconds(self, failures: int, draw: Callable[[], float] = random.random) -> float:
        """Returns a random delay from 0 to min(cap_seconds, base_seconds * 2 ** failures), uniformly distributed.

        Args:
            failures: the number of attempts that have failed in a row.
            draw: returns a random number from 0 to 1.
        """
        ceiling = min(self.cap_seconds, self.base_seconds * 2.0 ** min(failures, _MAX_EXPONENT))
        return ceiling * draw()
