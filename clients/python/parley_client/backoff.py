"""How long to wait before trying again.

"Full jitter" of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): a wait drawn evenly from 0 to a ceiling
that doubles with each attempt. Of the variants compared there it makes clients that failed together return most
spread out, for the least work in all.
"""

from collections.abc import Callable
from dataclasses import dataclass

# 2**n is beyond any sensible ceiling long before; larger powers overflow a float.
_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Ceilings of base, 2 base, 4 base, ... up to the cap."""

    base_seconds: float
    cap_seconds: float

    def ceiling_seconds(self, attempt: int) -> float:
        """The longest wait before the given attempt, counted from 0."""
        return min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt, _MOST_DOUBLINGS))

    def delay_seconds(self, attempt: int, random: Callable[[], float]) -> float:
        """A wait before the given attempt; `random` draws from [0, 1)."""
        return self.ceiling_seconds(attempt) * random()
