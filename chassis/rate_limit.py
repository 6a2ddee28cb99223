"""Rate limits by the generic cell rate algorithm (GCRA).

A limit needs one number per key, the theoretical arrival time: it tells both whether an event conforms and when the
next one would. Sources: ITU-T I.371, annex A.1; https://brandur.org/rate-limiting.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

_TOLERANCE_SECONDS: Final = 1e-9
"""Absorbs the rounding errors of sums of intervals."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `burst` events at once, and as many in every `window_seconds`."""

    burst: int
    window_seconds: float

    @property
    def interval_seconds(self) -> float:
        """The time after which one more event conforms."""
        return self.window_seconds / self.burst


def conform(arrival: float, now: float, rate: Rate) -> tuple[float, float]:
    """Decides whether an event conforms.

    Args:
        arrival: the theoretical arrival time, in seconds; any time in the past if there was no event.
        now: the time, in seconds.
        rate: the limit.

    Returns:
        The theoretical arrival time after the event, and the seconds until an event would conform; 0 if this one did.
    """
    next_arrival = max(arrival, now) + rate.interval_seconds
    wait = next_arrival - rate.window_seconds - now
    return (arrival, wait) if wait > _TOLERANCE_SECONDS else (next_arrival, 0.0)


class KeyedLimiter(Generic[K]):
    """Limits the events of each key in this process. Forgets the least recently used keys beyond a bound.

    Args:
        now: monotonic seconds.
        max_keys: the most keys to remember.
    """

    def __init__(self, now: Callable[[], float], max_keys: int) -> None:
        self._now = now
        self._max_keys = max_keys
        self._arrivals: OrderedDict[K, float] = OrderedDict()

    def attempt(self, key: K, rate: Rate) -> float:
        """Counts an event if it conforms and returns 0; else returns the seconds until one would."""
        arrival, wait = conform(self._arrivals.pop(key, -math.inf), self._now(), rate)
        self._arrivals[key] = arrival
        if len(self._arrivals) > self._max_keys:
            self._arrivals.popitem(last=False)
        return wait

    def refund(self, key: K, rate: Rate) -> None:
        """Takes back one event that was counted."""
        if key in self._arrivals:
            self._arrivals[key] -= rate.interval_seconds
