"""Waiting for what other processes do. The test's own time limit ends a wait that is in vain."""

import asyncio
from collections.abc import Callable

import psutil

_BETWEEN_LOOKS_SECONDS = 0.02


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    while not condition():  # other processes set no event of ours
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)


async def all_gone(pids: list[int]) -> None:
    """Wait until none of these processes runs."""
    await eventually(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
