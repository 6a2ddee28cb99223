"""Which requests are unanswered, and what the end of a connection means for each; no I/O.

Invariants: a request is in the ledger from `add` until `forget` or until a lost connection strikes it out; it is
handed out for sending once a connection; requests are handed out in the order in which they were added.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")


@dataclass(slots=True)
class Entry(Generic[C]):
    """One unanswered request; `context` is the caller's."""

    request_id: int
    frame: bytes
    repeatable: bool
    context: C
    sent: bool = False


class PendingRequests(Generic[C]):
    """The unanswered requests of one client, over all its connections."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry[C]] = {}
        self._unsent: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def in_flight(self) -> bool:
        """Whether anything was sent on this connection and not answered."""
        return any(entry.sent for entry in self._entries.values())

    def add(self, entry: Entry[C]) -> None:
        """Takes in a new request."""
        self._entries[entry.request_id] = entry
        self._unsent.append(entry.request_id)

    def take_unsent(self) -> Iterator[bytes]:
        """The frames to send, each counted as sent from the moment it is handed out.

        That is before it is written: whether a write that fails half-way reached the server is not known either.
        """
        while self._unsent:
            entry = self._entries.get(self._unsent.popleft())
            if entry is not None:
                entry.sent = True
                yield entry.frame

    def forget(self, request_id: int) -> Entry[C] | None:
        """Strikes out a request that was answered or given up; None when it is not in the ledger."""
        return self._entries.pop(request_id, None)

    def connection_lost(self) -> list[Entry[C]]:
        """Makes repeatable requests ready to be sent again, and strikes out and returns those that are not."""
        lost = [entry for entry in self._entries.values() if entry.sent and not entry.repeatable]
        for entry in lost:
            del self._entries[entry.request_id]
        for entry in self._entries.values():
            entry.sent = False
        self._unsent = deque(self._entries)
        return lost

    def clear(self) -> list[Entry[C]]:
        """Strikes out everything, and returns it."""
        entries = list(self._entries.values())
        self._entries.clear()
        self._unsent.clear()
        return entries
