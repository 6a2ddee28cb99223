"""Polling for a condition."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

TIMEOUT_SECONDS = 60.0
T = TypeVar("T")


async def eventually(read: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """Reads a value until a condition holds for it, and returns it. Fails after TIMEOUT_SECONDS."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds(value := await read()):
        assert time.monotonic() < deadline, f"the condition never held; last value: {value!r}"
        await asyncio.sleep(0.02)
    return value
