"""What the far side of a stream holds for us, such as the users that chat delivers events of: pure bookkeeping.

Changes are collected, sent together under a number, and in effect once that number comes back. When the stream
breaks, the next one begins with everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Changes(NamedTuple, Generic[K, V]):
    """What to tell the far side: put these, drop those; its answer carries the number."""

    number: int
    put: list[V]
    dropped: list[K]


class AttachmentTracker(Generic[K, V]):
    """The entries that the far side is to hold."""

    def __init__(self) -> None:
        self._entries: dict[K, V] = {}
        self._sent_under: dict[K, int] = {}
        self._untold: dict[K, None] = {}
        self._asking: dict[K, list[Callable[[], None]]] = {}
        self._waiting: deque[tuple[int, K, Callable[[], None]]] = deque()
        self._number = 0
        self._acknowledged = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def untold(self) -> int:
        """How many entries changed since the far side was told of them."""
        return len(self._untold)

    def put(self, key: K, value: V) -> None:
        """Adds or replaces an entry."""
        self._entries[key] = value
        self._untold[key] = None

    def drop(self, key: K) -> None:
        """Removes an entry, if it is there; who waited for it to be in effect is not called any more."""
        if self._entries.pop(key, None) is not None:
            self._sent_under.pop(key, None)
            self._asking.pop(key, None)
            self._untold[key] = None

    def when_in_effect(self, key: K, then: Callable[[], None]) -> None:
        """Calls `then` once the far side holds an entry as it is now: at once, if it does."""
        if key in self._untold:
            self._asking.setdefault(key, []).append(then)
            return
        number = self._sent_under[key]
        if number <= self._acknowledged:
            then()
        else:
            self._waiting.append((number, key, then))

    def begin(self) -> None:
        """Notes that the far side is a new one, which knows nothing."""
        self._untold = dict.fromkeys(self._entries)
        waiting, self._waiting = self._waiting, deque()
        for _, key, then in waiting:
            if key in self._entries:
                self._asking.setdefault(key, []).append(then)

    def changes(self, at_most: int | None = None, *, dropped_first: bool = False) -> Changes[K, V]:
        """What to tell the far side next, under a new number.

        Args:
            at_most: how many changes.
            dropped_first: whether what was dropped is told by itself, before what was put.
        """
        self._number += 1
        dropped = [key for key in self._untold if key not in self._entries] if dropped_first else []
        told = list(islice(dropped or self._untold, at_most))
        changes: Changes[K, V] = Changes(self._number, [], [])
        for key in told:
            del self._untold[key]
            if key in self._entries:
                self._sent_under[key] = self._number
                changes.put.append(self._entries[key])
                self._waiting.extend((self._number, key, then) for then in self._asking.pop(key, ()))
            else:
                changes.dropped.append(key)
        return changes

    def acknowledge(self, number: int) -> None:
        """Notes that everything up to a number is in effect."""
        self._acknowledged = max(self._acknowledged, number)
        while self._waiting and self._waiting[0][0] <= self._acknowledged:
            self._waiting.popleft()[2]()
