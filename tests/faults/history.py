"""What was observed during a run: all that the checker knows.

A long run has hundreds of thousands of messages, each seen by several clients. So message ids are kept once and named
by their number, texts by a checksum, and what a client saw is rows of integers in arrays rather than objects.
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
    """A user; ids are unique in their organization alone."""

    organization_id: str
    user_id: str


def digest(text: str) -> int:
    """A text, as a number; a tombstone's is 0."""
    return zlib.crc32(text.encode()) if text else 0


class Names:
    """Gives each string a number, and keeps it once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def number(self, name: str) -> int:
        """The name's number, the same one every time."""
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self._names)
            self._names.append(name)
        return found

    def name(self, number: int) -> str:
        """The name with that number."""
        return self._names[number]


class Kind(IntEnum):
    """What an event told of a message."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3


class Seen(NamedTuple):
    """A client was told of a message, live or made up for afterwards (`replayed`)."""

    kind: int
    replayed: int
    conversation: int
    message: int
    seq: int
    rev: int
    digest: int


class State(NamedTuple):
    """A message as somebody has it."""

    message: int
    seq: int
    rev: int
    digest: int
    create_ms: int


class Entry(NamedTuple):
    """A message in the store. `position` is the rev at which it was sent."""

    message: int
    seq: int
    position: int
    rev: int
    digest: int
    create_ms: int
    deleted: int


class Acknowledgement(NamedTuple):
    """What a sender was told."""

    message: int
    seq: int
    rev: int
    create_ms: int


class Rows:
    """Tuples of integers, one after the other in one array."""

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
    """What one view was told, in order."""

    def __init__(self) -> None:
        super().__init__(len(Seen._fields))

    def told(self) -> Iterator[Seen]:
        """The rows, by name."""
        return map(Seen._make, self)


class States(Rows):
    """The messages of one conversation as somebody has them, by seq."""

    def __init__(self) -> None:
        super().__init__(len(State._fields))

    def messages(self) -> Iterator[State]:
        """The rows, by name."""
        return map(State._make, self)


class Entries(Rows):
    """The messages of one conversation in the store, by seq."""

    def __init__(self) -> None:
        super().__init__(len(Entry._fields))

    def messages(self) -> Iterator[Entry]:
        """The rows, by name."""
        return map(Entry._make, self)


@dataclass(slots=True)
class Send:
    """A message that somebody wanted to send, under one clientMessageId, however often they tried."""

    conversation: int
    sender: UserKey
    digest: int
    attempts: int = 0
    given_up: bool = False
    acknowledgements: list[Acknowledgement] = field(default_factory=list)


class RevisionAck(NamedTuple):
    """An edit or a deletion that was acknowledged."""

    conversation: int
    message: int
    rev: int
    digest: int
    deleted: bool


class MembersAck(NamedTuple):
    """A change of members that was acknowledged; at the latest with that rev."""

    conversation: int
    user_id: str
    added: bool
    rev: int


@dataclass(slots=True)
class View:
    """One client's life: what it was told, and what it held at the end.

    Attributes:
        name: which one, for people.
        user: whose.
        floors: by conversation, the seq up to which messages were there before this client began.
        seen: the events, in order.
        signals: conversations of which it was told who types or reads.
        holds: at the end, by conversation; empty for one that ended before.
        unread: at the end, by conversation: what it shows as unread.
        members: at the end, by conversation.
    """

    name: str
    user: UserKey
    floors: dict[int, int] = field(default_factory=dict)
    seen: Seens = field(default_factory=Seens)
    signals: set[int] = field(default_factory=set)
    holds: dict[int, States] = field(default_factory=dict)
    unread: dict[int, int] = field(default_factory=dict)
    members: dict[int, frozenset[str]] = field(default_factory=dict)
    lasted: bool = False


@dataclass(slots=True)
class Reading:
    """A conversation as a fresh reader gets it, through sync and through history."""

    synced: States
    listed: States
    seq: int
    rev: int
    read_seq: int
    unread: int
    members: frozenset[str]


class MemberChange(NamedTuple):
    """An entry of a conversation's log about who is in it. `seq` is the conversation's at that rev."""

    rev: int
    seq: int
    added: frozenset[str]
    removed: frozenset[str]


@dataclass(slots=True)
class Stored:
    """A conversation in the store.

    Attributes:
        organization_id: whose.
        messages: by seq.
        posted: for each message in that order, its sender and clientMessageId.
        revs: of all entries of the log, ascending.
        changes: of members, by rev; the first is the making.
        read_seqs: by user, of those who are members now.
    """

    organization_id: str
    messages: Entries = field(default_factory=Entries)
    posted: list[tuple[str, str]] = field(default_factory=list)
    revs: list[int] = field(default_factory=list)
    changes: list[MemberChange] = field(default_factory=list)
    read_seqs: dict[str, int] = field(default_factory=dict)


class NotificationSeen(NamedTuple):
    """A NEW_MESSAGE notification as its owner lists it: how many things it stands for."""

    things: int
    read: bool


class PresenceSample(NamedTuple):
    """What somebody was told of somebody's presence, when the truth had long been so."""

    observer: UserKey
    user_id: str
    expected: str
    status: str


@dataclass(slots=True)
class Problems:
    """What clients met, counted: (op, code, reason) of error replies, close codes, refused upgrades, lost requests."""

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
    """Everything that was observed, and the truth at the end."""

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
        """How many messages were acknowledged."""
        return sum(1 for send in self.sends.values() if send.acknowledgements)
