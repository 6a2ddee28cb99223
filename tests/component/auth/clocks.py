"""A clock that tests move."""

from __future__ import annotations

import time


class MovableClock:
    """Unix time that starts now and advances only when the test moves it."""

    def __init__(self) -> None:
        self._now = time.time()

    def __call__(self) -> float:
        """Returns the time in seconds."""
        return self._now

    def move(self, seconds: float) -> None:
        """Moves the clock forward."""
        self._now += seconds
