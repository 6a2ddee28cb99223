"""A clock that a test controls: it advances only on request, and wakes the sleepers whose time has come."""

import asyncio


class FakeClock:
    """A clock that a test controls."""

    def __init__(self, now: float = 1_000.0) -> None:
        self._now = now
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        self.sleeps: list[float] = []

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        woken = asyncio.Event()
        self._sleepers.append((self._now + seconds, woken))
        await woken.wait()

    async def advance(self, seconds: float) -> None:
        """Advances the time, and lets the woken tasks run until they wait again."""
        self._now += seconds
        for until, woken in self._sleepers:
            if until <= self._now:
                woken.set()
        await settle()


async def settle() -> None:
    """Lets all tasks run until they wait for something other than each other."""
    for _ in range(20):
        await asyncio.sleep(0)
