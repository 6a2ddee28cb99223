"""The notification model and its pure rules.

A notification stands for a range of things: the unread messages of a conversation, numbered by their seq, or just one
thing, numbered 1. What is known of it is a `State`, every part of which only ever moves one way, so two states can be
joined: in any order, any number of times, with the same result. That is what lets several replicas handle the same
events at once, repeat them after a crash, and meet users who read and delete meanwhile, without a lock.

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
MAX_BODY_CHARACTERS: Final = 2_000
MAX_DATA_BYTES: Final = 8_192
MAX_KEY_CHARACTERS: Final = 128
MAX_ITEMS: Final = 1_000


class NotificationType(IntEnum):
    """What a notification is about; numbered as in the contract."""

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
    """Whose a notification is."""

    organization_id: str
    user_id: str


class Latest(NamedTuple):
    """The latest thing that a notification stands for, but for its text. States are joined by comparing in this order.

    `data` is a JSON object, as text: what the user's front-end needs to act on it.
    """

    seq: int
    time_ms: int
    title: str
    data: str


class Text(NamedTuple):
    """What the latest thing says, which edits and deletions change: the highest rev of the highest seq counts."""

    seq: int
    rev: int
    body: str


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a notification.

    Attributes:
        first_seq: the first thing it was made for; nothing before it counts. None before there is one.
        last_seq: the latest thing it was made for.
        last_rev: the conversation's rev at that; 1 where there is no conversation.
        read_seq: up to here the user is done: read it, wrote it, or wanted no notification of it.
        hidden_seq: up to here the user deleted it.
        removed_rev: the conversation's rev when the user was last removed from it.
        latest: the latest thing.
        text: what it says.
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
        """What is known when both are. Commutative, associative and idempotent."""
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
        """Whether there is a notification at all: something newer than the deletion and the removal."""
        return self.last_seq > self.hidden_seq and self.last_rev > self.removed_rev

    @property
    def unread_things(self) -> int:
        """How many of the things that it stands for are unread."""
        return max(0, self.last_seq - max(self.read_seq, (self.first_seq or 1) - 1))

    @property
    def unread(self) -> bool:
        """Whether the user is still to read it."""
        return self.listed and self.unread_things > 0

    def silenced(self) -> State:
        """The same for a user who wants no notification of it: the things it tells of are as good as read."""
        return State(read_seq=max(self.read_seq, self.last_seq), removed_rev=self.removed_rev)


EMPTY: Final = State()


def joined(states: Iterable[State]) -> State:
    """All of the states, joined."""
    return reduce(State.join, states, EMPTY)


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _later(one: Latest | None, other: Latest | None) -> Latest | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _newer(one: Text | None, other: Text | None) -> Text | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification of one user, or what an event adds to one.

    `subject` names what its text must vanish with: the message of a mention; empty for others.
    """

    notification_id: str
    owner: Owner
    type: NotificationType
    state: State
    subject: str = ""

    @property
    def count(self) -> int:
        """How many things it stands for: 1, or the unread messages of a conversation."""
        return self.state.unread_things if self.type is NotificationType.NEW_MESSAGE else 1


class Announcement(NamedTuple):
    """What a connected user is told: a notification is new, or one changed, or (None) one or several are gone."""

    owner: Owner
    notification: Notification | None
    created: bool


def announce(before: Notification | None, after: Notification, *, repeated: bool) -> Announcement | None:
    """What the owner is to be told after a change, if anything.

    Args:
        before: as it was; None when it was not there.
        after: as it is.
        repeated: the same change may have been made before, and what followed from it not told: then an update is
            told of even when nothing changed, which is harmless.
    """
    was_unread = before is not None and before.state.unread
    if after.state.unread and not was_unread:
        return Announcement(after.owner, after, created=True)
    changed = before is not None and was_unread and before.state != after.state
    if changed or (repeated and after.state.last_seq):
        return Announcement(after.owner, after if after.state.listed else None, created=False)
    return None


def source_event(seq: int, rev: int, time_ms: int, *, title: str, body: str, data: str) -> State:
    """What is known of a notification from one thing alone."""
    return State(
        first_seq=seq,
        last_seq=seq,
        last_rev=rev,
        latest=Latest(seq, time_ms, title[:MAX_TITLE_CHARACTERS], data),
        text=Text(seq, rev, body),
    )


def digest_id(*parts: str) -> str:
    """128 bits of BLAKE2b over the parts, each with its length, or they would collide; 22 characters of base64url."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
