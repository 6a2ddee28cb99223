"""Waiting for what happens soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

TIMEOUT_SECONDS = 60.0
T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """Looks again and again until it is as it should be, and gives up when that takes absurdly long."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds(seen := await look()):
        assert time.monotonic() < deadline, f"it never came about; last seen: {seen!r}"
        await asyncio.sleep(0.02)
    return seen
