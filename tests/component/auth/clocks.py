"""A clock that tests move."""

from __future__ import annotations

import time


class MovableClock:
    """Unix time that begins now, and passes only when it is moved."""

    def __init__(self) -> None:
        self._now = time.time()

    def __call__(self) -> float:
        """The time, in s."""
        return self._now

    def move(self, seconds: float) -> None:
        """Lets time pass."""
        self._now += seconds
