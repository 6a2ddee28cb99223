"""Tracks which entries the server of a stream holds for the gateway, such as the users whose events chat delivers.

Pure bookkeeping. Changes are collected, sent together under a sequence, and in effect once the server acknowledges
that sequence. A new stream starts with all entries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Changes(NamedTuple, Generic[K, V]):
    """The entries to add and remove at the server, and the sequence that acknowledges them."""

    sequence: int
    added: list[V]
    removed: list[K]


class AttachmentTracker(Generic[K, V]):
    """The entries that the server is to hold."""

    def __init__(self) -> None:
        self._entries: dict[K, V] = {}
        self._sent_under: dict[K, int] = {}
        self._pending: dict[K, None] = {}
        self._unsent_callbacks: dict[K, list[Callable[[], None]]] = {}
        self._waiting: deque[tuple[int, K, Callable[[], None]]] = deque()
        self._sequence = 0
        self._acknowledged = 0

    @property
    def pending(self) -> int:
        """The number of changed entries that were not sent yet."""
        return len(self._pending)

    def add(self, key: K, value: V) -> None:
        """Adds or replaces an entry."""
        self._entries[key] = value
        self._pending[key] = None

    def remove(self, key: K) -> None:
        """Removes an entry, if it exists, and its callbacks."""
        if self._entries.pop(key, None) is not None:
            self._sent_under.pop(key, None)
            self._unsent_callbacks.pop(key, None)
            self._pending[key] = None

    def when_in_effect(self, key: K, callback: Callable[[], None]) -> None:
        """Calls `callback` once the server holds the present value of an entry; at once if it does."""
        if key in self._pending:
            self._unsent_callbacks.setdefault(key, []).append(callback)
            return
        sequence = self._sent_under[key]
        if sequence <= self._acknowledged:
            callback()
        else:
            self._waiting.append((sequence, key, callback))

    def restart(self) -> None:
        """Prepares for a new stream, whose server holds nothing."""
        self._pending = dict.fromkeys(self._entries)
        waiting, self._waiting = self._waiting, deque()
        for _, key, callback in waiting:
            if key in self._entries:
                self._unsent_callbacks.setdefault(key, []).append(callback)

    def changes(self, at_most: int | None = None, *, removed_first: bool = False) -> Changes[K, V]:
        """Returns the changes to send next, under a new sequence.

        Args:
            at_most: the most changes to return.
            removed_first: return removed entries alone, before any added ones.
        """
        self._sequence += 1
        removed = [key for key in self._pending if key not in self._entries] if removed_first else []
        keys = list(islice(removed or self._pending, at_most))
        changes: Changes[K, V] = Changes(self._sequence, [], [])
        for key in keys:
            del self._pending[key]
            if key in self._entries:
                self._sent_under[key] = self._sequence
                changes.added.append(self._entries[key])
                self._waiting.extend(
                    (self._sequence, key, callback) for callback in self._unsent_callbacks.pop(key, ())
                )
            else:
                changes.removed.append(key)
        return changes

    def acknowledge(self, sequence: int) -> None:
        """Marks all changes up to a sequence as in effect, and calls their callbacks."""
        self._acknowledged = max(self._acknowledged, sequence)
        while self._waiting and self._waiting[0][0] <= self._acknowledged:
            self._waiting.popleft()[2]()
