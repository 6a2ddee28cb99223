"""Coalesces lookups: those that arrive during a lookup share the next one, as when all clients reconnect at once.

Each result is as fresh as that of a lookup of its own, because a caller only joins a lookup that has not started.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping
from typing import Final, Generic, TypeVar

MAX_KEYS: Final = 200

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Round(Generic[K, V]):
    def __init__(self) -> None:
        self.keys: set[K] = set()
        self.result: asyncio.Future[Mapping[K, V]] = asyncio.get_running_loop().create_future()


class LookupCoalescer(Generic[K, V]):
    """Coalesces the lookups of one kind.

    Args:
        load: returns the values of the keys that exist.
    """

    def __init__(self, load: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._load = load
        self._rounds: deque[_Round[K, V]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def get(self, keys: Iterable[K]) -> dict[K, V]:
        """Returns the values of the keys that exist. Raises what `load` raises."""
        wanted = set(keys)
        if not wanted:
            return {}
        if not self._rounds or len(self._rounds[-1].keys) >= MAX_KEYS:
            self._rounds.append(_Round())
        last = self._rounds[-1]
        last.keys |= wanted
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        values = await asyncio.shield(last.result)
        return {key: values[key] for key in wanted if key in values}

    async def _work(self) -> None:
        while self._rounds:
            begun = self._rounds.popleft()
            try:
                begun.result.set_result(await self._load(begun.keys))
            except Exception as error:  # raised again in each caller
                begun.result.set_exception(error)
                begun.result.exception()  # marks it as retrieved, in case every caller was cancelled
        self._working = None
