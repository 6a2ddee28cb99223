"""What the far side of a stream holds for us, such as the users that chat delivers events of: pure bookkeeping.

Changes are collected, sent together under a number, and in effect once that number comes back. When the stream
breaks, the next one begins with everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Changes(NamedTuple, Generic[K, V]):
    """What to tell the far side: put these, drop those; its answer carries the number."""

    number: int
    put: list[V]
    dropped: list[K]


class Roll(Generic[K, V]):
    """The entries that the far side is to hold."""

    def __init__(self) -> None:
        self._entries: dict[K, V] = {}
        self._sent_under: dict[K, int] = {}
        self._changed: dict[K, None] = {}
        self._asking: list[Callable[[], None]] = []
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._number = 0
        self._acknowledged = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def changed(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._changed)

    def put(self, key: K, value: V) -> None:
        """Adds or replaces an entry."""
        self._entries[key] = value
        self._changed[key] = None

    def drop(self, key: K) -> None:
        """Removes an entry, if it is there."""
        if self._entries.pop(key, None) is not None:
            self._sent_under.pop(key, None)
            self._changed[key] = None

    def when_in_effect(self, key: K, then: Callable[[], None]) -> None:
        """Calls `then` once the far side holds the entry as it is now: at once, if it does."""
        if key in self._changed:
            self._asking.append(then)
            return
        number = self._sent_under[key]
        if number <= self._acknowledged:
            then()
        else:
            self._waiting.append((number, then))

    def everything(self) -> Changes[K, V]:
        """What to tell a far side that knows nothing yet."""
        self._changed.clear()
        return self._numbered(self._entries.items(), [])

    def changes(self) -> Changes[K, V]:
        """What to tell a far side that was told everything before."""
        put = [(key, self._entries[key]) for key in self._changed if key in self._entries]
        dropped = [key for key in self._changed if key not in self._entries]
        self._changed.clear()
        return self._numbered(put, dropped)

    def acknowledge(self, number: int) -> None:
        """Notes that everything up to a number is in effect."""
        self._acknowledged = max(self._acknowledged, number)
        while self._waiting and self._waiting[0][0] <= self._acknowledged:
            self._waiting.popleft()[1]()

    def _numbered(self, put: Iterable[tuple[K, V]], dropped: list[K]) -> Changes[K, V]:
        self._number += 1
        values = []
        for key, value in put:
            self._sent_under[key] = self._number
            values.append(value)
        self._waiting.extend((self._number, then) for then in self._asking)
        self._asking.clear()
        return Changes(self._number, values, dropped)
