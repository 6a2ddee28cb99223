"""The history of a run: everything that the checker knows.

A long run has hundreds of thousands of messages, each seen by several clients. So it stores each message id once and
refers to it by number, stores checksums of texts, and stores what clients saw as rows of integers in arrays.
"""

from __future__ import annotations

import zlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple


class UserKey(NamedTuple):
    """A user's key; user ids are unique within an organization only."""

    organization_id: str
    user_id: str


def digest(text: str) -> int:
    """Returns a checksum of a text; 0 for a tombstone's."""
    return zlib.crc32(text.encode()) if text else 0


class Names:
    """Assigns a number to each string, and stores it once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def number(self, name: str) -> int:
        """Returns the number of a name, always the same one."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def name(self, number: int) -> str:
        """Returns the name with a number."""
        return self._names[number]


class Kind(IntEnum):
    """The kind of a message event."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3


class Seen(NamedTuple):
    """A message event that a client received, live or through catching up (`replayed`)."""

    kind: int
    replayed: int
    conversation: int
    message: int
    seq: int
    rev: int
    digest: int


class State(NamedTuple):
    """A message as a client holds it."""

    message: int
    seq: int
    rev: int
    digest: int
    create_ms: int


class Entry(NamedTuple):
    """A stored message. `sent_rev` is the rev at which it was sent."""

    message: int
    seq: int
    sent_rev: int
    rev: int
    digest: int
    create_ms: int
    deleted: int


class Acknowledgement(NamedTuple):
    """The acknowledgement that a sender received."""

    message: int
    seq: int
    rev: int
    create_ms: int


class Rows:
    """Tuples of integers, stored in one array."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._cells = array("q")

    def __len__(self) -> int:
        return len(self._cells) // self._width

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        cells = iter(self._cells)
        return zip(*([cells] * self._width), strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self._cells == other._cells

    __hash__ = None  # type: ignore[assignment]

    def add(self, row: tuple[int, ...]) -> None:
        """Appends a row."""
        self._cells.extend(row)


class Seens(Rows):
    """The message events that one client received, in order."""

    def __init__(self) -> None:
        super().__init__(len(Seen._fields))

    def events(self) -> Iterator[Seen]:
        """Yields the rows as named tuples."""
        return map(Seen._make, self)


class States(Rows):
    """The messages of one conversation as a client holds them, by seq."""

    def __init__(self) -> None:
        super().__init__(len(State._fields))

    def messages(self) -> Iterator[State]:
        """Yields the rows as named tuples."""
        return map(State._make, self)


class Entries(Rows):
    """The stored messages of one conversation, by seq."""

    def __init__(self) -> None:
        super().__init__(len(Entry._fields))

    def messages(self) -> Iterator[Entry]:
        """Yields the rows as named tuples."""
        return map(Entry._make, self)


@dataclass(slots=True)
class Send:
    """A message that a user tried to send under one clientMessageId."""

    conversation: int
    sender: UserKey
    digest: int
    attempts: int = 0
    given_up: bool = False
    acknowledgements: list[Acknowledgement] = field(default_factory=list)


class RevisionAck(NamedTuple):
    """An acknowledged edit or deletion."""

    conversation: int
    message: int
    rev: int
    digest: int
    deleted: bool


class MembersAck(NamedTuple):
    """An acknowledged change of members; its rev is at most the given one."""

    conversation: int
    user_id: str
    added: bool
    rev: int


@dataclass(slots=True)
class View:
    """One client: what it received, and what it held at the end.

    Attributes:
        name: the client's name, for people.
        user: its user.
        floors: by conversation, the seq when the client started.
        seen: the message events, in order.
        signals: the conversations of its typing and receipt events.
        held: its messages at the end, by conversation; empty for a client that closed before.
        unread: its unread counts at the end, by conversation.
        members: the members at the end, by conversation.
    """

    name: str
    user: UserKey
    floors: dict[int, int] = field(default_factory=dict)
    seen: Seens = field(default_factory=Seens)
    signals: set[int] = field(default_factory=set)
    held: dict[int, States] = field(default_factory=dict)
    unread: dict[int, int] = field(default_factory=dict)
    members: dict[int, frozenset[str]] = field(default_factory=dict)
    stayed: bool = False


@dataclass(slots=True)
class Reading:
    """A conversation as a fresh client reads it, through sync and through history."""

    synced: States
    listed: States
    seq: int
    rev: int
    read_seq: int
    unread: int
    members: frozenset[str]


class MemberChange(NamedTuple):
    """A change of members in a conversation's log. `seq` is the conversation's at that rev."""

    rev: int
    seq: int
    added: frozenset[str]
    removed: frozenset[str]


@dataclass(slots=True)
class Stored:
    """A stored conversation.

    Attributes:
        organization_id: its organization.
        messages: by seq.
        posted: each message's sender and clientMessageId, in the same order.
        revs: the revs of all log entries, ascending.
        changes: the changes of members, by rev; the first one is the creation.
        read_seqs: the read marks of current members, by user.
    """

    organization_id: str
    messages: Entries = field(default_factory=Entries)
    posted: list[tuple[str, str]] = field(default_factory=list)
    revs: list[int] = field(default_factory=list)
    changes: list[MemberChange] = field(default_factory=list)
    read_seqs: dict[str, int] = field(default_factory=dict)


class NotificationSeen(NamedTuple):
    """A NEW_MESSAGE notification as its owner lists it, with the number of messages that it counts."""

    messages: int
    read: bool


class PresenceSample(NamedTuple):
    """A user's presence as an observer sees it, and as it should be."""

    observer: UserKey
    user_id: str
    expected: str
    status: str


@dataclass(slots=True)
class Problems:
    """Counts of problems: error replies by (op, code, reason), close codes, refused upgrades, lost requests."""

    errors: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    closes: Counter[int] = field(default_factory=Counter)
    refused_upgrades: Counter[int] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    intrusions: Counter[str] = field(default_factory=Counter)


def _zeros() -> defaultdict[tuple[int, UserKey], int]:
    return defaultdict(int)


@dataclass(slots=True)
class History:
    """Everything that was observed, and the final state of the store."""

    conversations: Names = field(default_factory=Names)
    messages: Names = field(default_factory=Names)
    sends: dict[str, Send] = field(default_factory=dict)
    revisions: list[RevisionAck] = field(default_factory=list)
    member_changes: list[MembersAck] = field(default_factory=list)
    read_attempts: dict[tuple[int, UserKey], int] = field(default_factory=_zeros)
    reads: dict[tuple[int, UserKey], int] = field(default_factory=_zeros)
    views: list[View] = field(default_factory=list)
    problems: Problems = field(default_factory=Problems)
    stored: dict[int, Stored] = field(default_factory=dict)
    readings: dict[tuple[int, UserKey], Reading] = field(default_factory=dict)
    notifications: dict[UserKey, dict[int, NotificationSeen]] = field(default_factory=dict)
    presences: list[PresenceSample] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged messages."""
        return sum(1 for send in self.sends.values() if send.acknowledgements)
