"""Waits for effects of other processes. The test's own timeout ends a hopeless wait."""

import asyncio
from collections.abc import Callable

import psutil

_POLL_SECONDS = 0.02


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds."""
    while not condition():  # polls: other processes set no event here
        await asyncio.sleep(_POLL_SECONDS)


async def all_gone(pids: list[int]) -> None:
    """Waits until none of these processes runs."""
    await eventually(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
