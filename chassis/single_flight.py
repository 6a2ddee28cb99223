"""Makes concurrent callers of one operation share a single call of it.

Named after Go's https://pkg.go.dev/golang.org/x/sync/singleflight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Runs at most one call for a key at a time."""

    def __init__(self) -> None:
        self._calls: dict[K, asyncio.Task[T]] = {}

    async def run(self, key: K, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Returns the result, or raises the error, of the running call for a key; starts `call` if there is none.

        A cancelled caller does not cancel the call: others may wait for it.
        """
        running = self._calls.get(key)
        if running is None:
            running = self._calls[key] = asyncio.create_task(call())
            running.add_done_callback(partial(self._finish, key))
        return await asyncio.shield(running)

    def _finish(self, key: K, finished: asyncio.Task[T]) -> None:
        del self._calls[key]
        if not finished.cancelled():
            finished.exception()  # marks it as retrieved: every caller may have been cancelled
