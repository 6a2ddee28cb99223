"""The notification model and its pure rules.

A notification represents a range of source events: the unread messages of a conversation, numbered by their seq, or a
single event, numbered 1. Its `State` is a join-semilattice (https://en.wikipedia.org/wiki/Semilattice): every part only
moves one way, and states can be joined in any order and any number of times with the same result. So several replicas
can apply the same events at once and again after a crash, while users read and delete, without a lock.

Imports neither gRPC, protobuf, MongoDB nor Redis. Times are Unix milliseconds.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from hashlib import blake2b
from typing import Final, NamedTuple

MAX_TITLE_CHARACTERS: Final = 200
MAX_DATA_BYTES: Final = 8_192


class NotificationType(IntEnum):
    """The types of notifications, with the numbers of the proto."""

    NEW_MESSAGE = 1
    LEAD_ASSIGNED = 2
    LEAD_STATUS_CHANGED = 3
    LEAD_UPDATED = 4
    SYSTEM_ALERT = 5
    TASK_ASSIGNED = 6
    REMINDER = 7
    MENTION = 8
    MEMBER_ADDED = 9


class Owner(NamedTuple):
    """The user that a notification belongs to."""

    organization_id: str
    user_id: str


class Latest(NamedTuple):
    """The latest source event, without its text. States are joined by comparing the fields in this order.

    `data` is a JSON object, as text, for the user's front-end.
    """

    seq: int
    time_ms: int
    title: str
    data: str


class Text(NamedTuple):
    """The text of the latest source event. Edits and deletions change it: the highest rev of the highest seq wins."""

    seq: int
    rev: int
    body: str


@dataclass(frozen=True, slots=True)
class State:
    """The state of a notification.

    Attributes:
        first_seq: the first source event; earlier ones don't count. None until there is one.
        last_seq: the latest source event.
        last_rev: the conversation's rev at that event; 1 without a conversation.
        read_seq: the last source event that the user has read, wrote, or wanted no notification of.
        hidden_seq: the last source event that the user deleted.
        removed_rev: the conversation's rev when the user was last removed from it.
        latest: the latest source event.
        text: its text.
    """

    first_seq: int | None = None
    last_seq: int = 0
    last_rev: int = 0
    read_seq: int = 0
    hidden_seq: int = 0
    removed_rev: int = 0
    latest: Latest | None = None
    text: Text | None = None

    def join(self, other: State) -> State:
        """Joins two states. Commutative, associative and idempotent."""
        return State(
            first_seq=_least(self.first_seq, other.first_seq),
            last_seq=max(self.last_seq, other.last_seq),
            last_rev=max(self.last_rev, other.last_rev),
            read_seq=max(self.read_seq, other.read_seq),
            hidden_seq=max(self.hidden_seq, other.hidden_seq),
            removed_rev=max(self.removed_rev, other.removed_rev),
            latest=_later(self.latest, other.latest),
            text=_newer(self.text, other.text),
        )

    @property
    def listed(self) -> bool:
        """Whether the notification exists for the user: it has an event after its deletion and the user's removal."""
        return self.last_seq > self.hidden_seq and self.last_rev > self.removed_rev

    @property
    def unread_count(self) -> int:
        """The number of unread source events."""
        return max(0, self.last_seq - max(self.read_seq, (self.first_seq or 1) - 1))

    @property
    def unread(self) -> bool:
        """Whether the notification is listed and has unread source events."""
        return self.listed and self.unread_count > 0

    def silenced(self) -> State:
        """Returns the state for a user who muted the type: all source events count as read."""
        return State(read_seq=max(self.read_seq, self.last_seq), removed_rev=self.removed_rev)


EMPTY: Final = State()


def joined(states: Iterable[State]) -> State:
    """Joins all of the states."""
    return reduce(State.join, states, EMPTY)


def _least(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


def _later(a: Latest | None, b: Latest | None) -> Latest | None:
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


def _newer(a: Text | None, b: Text | None) -> Text | None:
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification of one user, or the change that an event makes to one.

    `subject` identifies the message of a mention, whose deletion replaces the text; empty for other types.
    """

    notification_id: str
    owner: Owner
    type: NotificationType
    state: State
    subject: str = ""

    @property
    def count(self) -> int:
        """The number of unread messages of a conversation; 1 for other types."""
        return self.state.unread_count if self.type is NotificationType.NEW_MESSAGE else 1


class InboxEvent(NamedTuple):
    """An event for a connected user: a notification was created or updated, or (None) some were deleted or read."""

    owner: Owner
    notification: Notification | None
    created: bool


def inbox_event(before: Notification | None, after: Notification, *, repeated: bool) -> InboxEvent | None:
    """Returns the event that a change causes for the owner, if any.

    Args:
        before: the notification before the change; None if there was none.
        after: the notification after the change.
        repeated: the same change may have been made before without its event being published. The owner then gets an
            update even if nothing changed, which is harmless.
    """
    was_unread = before is not None and before.state.unread
    if after.state.unread and not was_unread:
        return InboxEvent(after.owner, after, created=True)
    changed = before is not None and was_unread and before.state != after.state
    if changed or (repeated and after.state.last_seq):
        return InboxEvent(after.owner, after if after.state.listed else None, created=False)
    return None


def source_event(seq: int, rev: int, time_ms: int, *, title: str, body: str, data: str) -> State:
    """Returns the state of a notification that represents one source event."""
    return State(
        first_seq=seq,
        last_seq=seq,
        last_rev=rev,
        latest=Latest(seq, time_ms, title[:MAX_TITLE_CHARACTERS], data),
        text=Text(seq, rev, body),
    )


def digest_id(*parts: str) -> str:
    """Returns 128 bits of BLAKE2b over the parts, as 22 characters of base64url.

    Each part is preceded by its length, so that different splits of one text give different ids.
    """
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return id_from_bytes(digest.digest())


def id_from_bytes(raw: bytes) -> str:
    """Encodes the 16 bytes of an id as text."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def id_bytes(text: str) -> bytes:
    """Returns the 16 bytes of an id of 22 characters."""
    return base64.urlsafe_b64decode(f"{text}==")
