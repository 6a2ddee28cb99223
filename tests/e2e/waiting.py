"""Waits for events and conditions, with a generous deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from parley_client.event_stream import EventStream
from parley_client.events import Event

E = TypeVar("E", bound=Event)
TIMEOUT_SECONDS = 60.0


async def event_of(events: EventStream[Event], kind: type[E], wanted: Callable[[E], bool] = lambda _: True) -> E:
    """Returns the next event of a kind that satisfies a condition; skips others."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async for event in events:
            if isinstance(event, kind) and wanted(event):
                return event
    raise AssertionError(f"the connection ended before a {kind.__name__}")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for a condition to hold."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not await condition():
            await asyncio.sleep(0.05)
