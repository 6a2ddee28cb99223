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

    sequence: int
    added: list[V]
    removed: list[K]


class AttachmentTracker(Generic[K, V]):
    """The entries that the far side is to hold."""

    def __init__(self) -> None:
        self._entries: dict[K, V] = {}
        self._sent_under: dict[K, int] = {}
        self._pending: dict[K, None] = {}
        self._asking: dict[K, list[Callable[[], None]]] = {}
        self._waiting: deque[tuple[int, K, Callable[[], None]]] = deque()
        self._sequence = 0
        self._acknowledged = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def pending(self) -> int:
        """How many entries changed since the far side was told of them."""
        return len(self._pending)

    def add(self, key: K, value: V) -> None:
        """Adds or replaces an entry."""
        self._entries[key] = value
        self._pending[key] = None

    def remove(self, key: K) -> None:
        """Removes an entry, if it is there; who waited for it to be in effect is not called any more."""
        if self._entries.pop(key, None) is not None:
            self._sent_under.pop(key, None)
            self._asking.pop(key, None)
            self._pending[key] = None

    def when_in_effect(self, key: K, then: Callable[[], None]) -> None:
        """Calls `then` once the far side holds an entry as it is now: at once, if it does."""
        if key in self._pending:
            self._asking.setdefault(key, []).append(then)
            return
        sequence = self._sent_under[key]
        if sequence <= self._acknowledged:
            then()
        else:
            self._waiting.append((sequence, key, then))

    def restart(self) -> None:
        """Notes that the far side is a new one, which knows nothing."""
        self._pending = dict.fromkeys(self._entries)
        waiting, self._waiting = self._waiting, deque()
        for _, key, then in waiting:
            if key in self._entries:
                self._asking.setdefault(key, []).append(then)

    def changes(self, at_most: int | None = None, *, removed_first: bool = False) -> Changes[K, V]:
        """What to tell the far side next, under a new number.

        Args:
            at_most: how many changes.
            removed_first: whether what was dropped is told by itself, before what was put.
        """
        self._sequence += 1
        removed = [key for key in self._pending if key not in self._entries] if removed_first else []
        told = list(islice(removed or self._pending, at_most))
        changes: Changes[K, V] = Changes(self._sequence, [], [])
        for key in told:
            del self._pending[key]
            if key in self._entries:
                self._sent_under[key] = self._sequence
                changes.added.append(self._entries[key])
                self._waiting.extend((self._sequence, key, then) for then in self._asking.pop(key, ()))
            else:
                changes.removed.append(key)
        return changes

    def acknowledge(self, sequence: int) -> None:
        """Notes that everything up to a number is in effect."""
        self._acknowledged = max(self._acknowledged, sequence)
        while self._waiting and self._waiting[0][0] <= self._acknowledged:
            self._waiting.popleft()[2]()
