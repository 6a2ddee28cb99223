"""A clock that stands still until a test moves it; whoever sleeps on it wakes when it has moved far enough."""

import asyncio


class FakeClock:
    """Time that a test is the master of."""

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
        """Moves the time, and lets those whose time has come go on until they wait again."""
        self._now += seconds
        for until, woken in self._sleepers:
            if until <= self._now:
                woken.set()
        await settle()


async def settle() -> None:
    """Lets all tasks go on until they wait for something else than each other."""
    for _ in range(20):
        await asyncio.sleep(0)
