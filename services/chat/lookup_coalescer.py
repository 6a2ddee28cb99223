"""Lookups that come while one is under way go together in the next: when everybody comes back at once, they share.

Each is as fresh as if it were alone, for it only ever joins a lookup that has not begun.
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
        self.found: asyncio.Future[Mapping[K, V]] = asyncio.get_running_loop().create_future()


class LookupCoalescer(Generic[K, V]):
    """One kind of lookup.

    Args:
        load: finds what there is of some keys.
    """

    def __init__(self, load: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._load = load
        self._rounds: deque[_Round[K, V]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def get(self, keys: Iterable[K]) -> dict[K, V]:
        """What there is of these keys. Raises what loading raises."""
        wanted = set(keys)
        if not wanted:
            return {}
        if not self._rounds or len(self._rounds[-1].keys) >= MAX_KEYS:
            self._rounds.append(_Round())
        last = self._rounds[-1]
        last.keys |= wanted
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        found = await asyncio.shield(last.found)
        return {key: found[key] for key in wanted if key in found}

    async def _work(self) -> None:
        while self._rounds:
            begun = self._rounds.popleft()
            try:
                begun.found.set_result(await self._load(begun.keys))
            except Exception as error:  # the callers', whatever it is
                begun.found.set_exception(error)
                begun.found.exception()  # seen, even when every caller has gone
        self._working = None
