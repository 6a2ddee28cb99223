"""Chat's domain model and rules: values, permissions, and how heads advance.

Imports neither gRPC, protobuf, MongoDB nor Redis. Times are Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

MAX_MEMBERS: Final = 5_000
MAX_LISTED_MEMBERS: Final = 200
MAX_PINNED: Final = 50
CLIENT_ROLE: Final = "client"
MODERATING_ROLES: Final = frozenset({"admin", "manager"})


class ConversationKind(IntEnum):
    """The kind of a conversation, numbered as in the proto."""

    DIRECT = 1
    GROUP = 2
    PROJECT = 3


class MemberRole(IntEnum):
    """A member's role, numbered as in the proto."""

    OWNER = 1
    ADMIN = 2
    MEMBER = 3


class MessageKind(IntEnum):
    """The kind of a message, numbered as in the proto."""

    TEXT = 1
    IMAGE = 2
    FILE = 3
    AUDIO = 4
    LINK = 5
    SYSTEM = 6
    VIDEO = 7
    LOCATION = 8
    CONTACT = 9
    STICKER = 10


class Attachment(NamedTuple):
    """An attachment: a reference to a file elsewhere."""

    url: str
    name: str
    content_type: str
    size_bytes: int


class Origin(NamedTuple):
    """The first message that a forwarded one is a copy of."""

    conversation_id: str
    message_id: str
    sender_id: str


class Version(NamedTuple):
    """A text of a message, and when it got it, in Unix ms."""

    text: str
    time_ms: int


class Reaction(NamedTuple):
    """An emoji, and the users who reacted with it, in order."""

    emoji: str
    user_ids: tuple[str, ...]


@dataclass(slots=True)
class Message:
    """A message.

    `sent_rev` is the rev at which it was sent, and never changes; `rev` is that of its latest change. `sender_name` is
    the sender's name at the time of sending, and may be empty. `data` is what the kind needs besides the text.
    """

    message_id: str
    conversation_id: str
    seq: int
    sent_rev: int
    rev: int
    sender_id: str
    client_message_id: str
    kind: int
    text: str
    create_ms: int
    sender_name: str = ""
    attachments: tuple[Attachment, ...] = ()
    reply_to: str = ""
    mentions: tuple[str, ...] = ()
    edit_ms: int = 0
    delete_ms: int = 0
    reactions: tuple[Reaction, ...] = ()
    data: dict[str, object] | None = None
    pinned: bool = False
    forwarded_from: Origin | None = None

    @property
    def version(self) -> Version:
        """The present text."""
        return Version(self.text, self.edit_ms or self.create_ms)

    def tombstone(self, rev: int, now_ms: int) -> Message:
        """Returns what remains after a deletion: ids, seq, sender and times."""
        return Message(
            message_id=self.message_id,
            conversation_id=self.conversation_id,
            seq=self.seq,
            sent_rev=self.sent_rev,
            rev=rev,
            sender_id=self.sender_id,
            client_message_id=self.client_message_id,
            kind=self.kind,
            text="",
            create_ms=self.create_ms,
            sender_name=self.sender_name,
            edit_ms=self.edit_ms,
            delete_ms=now_ms,
        )


class Owner(NamedTuple):
    """A user, to whom a draft or a scheduled message belongs."""

    organization_id: str
    user_id: str


class MessageDraft(NamedTuple):
    """What a user has written in a conversation and not sent; without a text if it was removed."""

    conversation_id: str
    text: str
    reply_to: str
    update_ms: int


class ScheduledMessage(NamedTuple):
    """A message that is sent later; its id is that of the message."""

    scheduled_message_id: str
    owner: Owner
    sender_name: str
    conversation_id: str
    client_message_id: str
    text: str
    send_ms: int


class ScheduleState(IntEnum):
    """What became of a scheduled message. FAILED: its sender was not allowed to send it."""

    WAITING = 0
    SENT = 1
    CANCELLED = 2
    FAILED = 3


class MemberKey(NamedTuple):
    """The key of a member of a conversation."""

    conversation_id: str
    user_id: str


class ReadMark(NamedTuple):
    """The seqs up to which a member has read and received messages; a read_seq of 0 advances delivered_seq alone."""

    read_seq: int
    delivered_seq: int


@dataclass(slots=True)
class Member:
    """A member of a conversation.

    `joined_rev` orders members by seniority. `read_ms` and `delivered_ms` are the times of the last marks; 0 if
    there is none.
    """

    user_id: str
    role: MemberRole
    read_seq: int = 0
    delivered_seq: int = 0
    muted_until_ms: int = 0
    joined_rev: int = 0
    read_ms: int = 0
    pinned: bool = False
    delivered_ms: int = 0


class ChangeKind(IntEnum):
    """The kind of a change entry in a conversation's log; UNCHANGED is not in the log, but only in `requests`.

    UPDATED is an edit of a message, or a change of its reactions or its pin.
    """

    UNCHANGED = 0
    CREATED = 1
    UPDATED = 2
    DELETED = 3
    MEMBERS = 4
    SETTINGS = 5


@dataclass(slots=True)
class Change:
    """An entry of a conversation's log that is not a message.

    `seq` is that of the conversation at this rev. `removed` has the removed members as they were, which is stored
    nowhere else. `change_id` is derived from the id of the request (see `change_id_of`); empty if it had none.
    """

    conversation_id: str
    rev: int
    seq: int
    kind: ChangeKind
    actor_id: str
    time_ms: int
    message_id: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[Member, ...] = ()
    updated: tuple[str, ...] = ()
    change_id: str = ""


LogEntry = Message | Change


class Head(NamedTuple):
    """The end of a conversation's log: its latest seq and rev, and its latest message."""

    seq: int
    rev: int
    last_message_id: str
    last_message_ms: int
    """When the latest message was sent; without messages, when the conversation was created."""
    changed_ms: int
    """When the latest entry was written."""


def advance(head: Head, entry: LogEntry) -> Head:
    """Returns the head after the entry that follows it."""
    if isinstance(entry, Message):
        return Head(entry.seq, entry.sent_rev, entry.message_id, entry.create_ms, max(head.changed_ms, entry.create_ms))
    return Head(entry.seq, entry.rev, head.last_message_id, head.last_message_ms, max(head.changed_ms, entry.time_ms))


def advance_over(head: Head, entries: Iterable[LogEntry]) -> Head:
    """Returns the head after the entries that follow it, in order."""
    for entry in entries:
        head = advance(head, entry)
    return head


@dataclass(slots=True)
class Conversation:
    """A conversation's own fields and its head; in the store, the head of its summary."""

    conversation_id: str
    organization_id: str
    kind: ConversationKind
    created_by: str
    head: Head
    name: str = ""
    description: str = ""
    external_ref: str = ""
    archived: bool = False
    tags: tuple[str, ...] = ()
    member_count: int = 0
    created_ms: int = 0


@dataclass(slots=True)
class ChangeSet:
    """A change and everything that is written with it in one transaction.

    Attributes:
        change: the log entry. UNCHANGED if no other member sees a difference; then nothing is written to the log.
        message: the message that it changes, as it is afterwards.
        add, remove, roles, settings: the changes of members and settings.
        muted_until: when the mutes of some members end, in Unix ms; 0 to unmute.
        pinned: whether some members have pinned the conversation.
        replaced: the text that an edit of the message replaces.
    """

    change: Change
    message: Message | None = None
    add: tuple[Member, ...] = ()
    remove: tuple[str, ...] = ()
    roles: Mapping[str, MemberRole] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    muted_until: Mapping[str, int] = field(default_factory=dict)
    pinned: Mapping[str, bool] = field(default_factory=dict)
    replaced: Version | None = None


def may_manage(member: Member) -> bool:
    """Returns whether a member may change a group and its members."""
    return member.role in {MemberRole.OWNER, MemberRole.ADMIN}


def may_delete(message: Message, member: Member, organization_role: str) -> bool:
    """Returns whether a member may delete a message."""
    return message.sender_id == member.user_id or may_manage(member) or organization_role in MODERATING_ROLES


def successor(members: Iterable[Member], leaving: str) -> str | None:
    """Returns the next owner when the owner leaves: the most senior admin, else member; None without other members."""
    others = [member for member in members if member.user_id != leaving]
    if not others:
        return None
    return min(others, key=lambda m: (m.role, m.joined_rev, m.user_id)).user_id


def unread(seq: int, read_seq: int) -> int:
    """Returns the number of messages that a member has not read."""
    return max(0, seq - read_seq)
