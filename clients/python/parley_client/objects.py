"""The objects of the wire, as native.md names them, with Python's names for their attributes.

Fields that this version does not know are ignored, and fields that are left out take proto3's defaults, so that a
newer or sparser server is understood. Kinds, roles and states are plain strings for the same reason.
"""

from datetime import datetime

import msgspec


class WireObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Anything that travels as a JSON object with lowerCamelCase names.

    Subclasses inherit all of these settings; two are repeated in each for type checkers, which do not know that.
    """


class User(WireObject, frozen=True, kw_only=True):
    """A person or bot of the organization."""

    user_id: str
    name: str = ""
    role: str = ""
    teams: list[str] = []
    avatar_url: str | None = None
    status: str | None = None
    last_seen_time: datetime | None = None


class Attachment(WireObject, frozen=True, kw_only=True):
    """Something that a message carries by reference."""

    url: str
    name: str = ""
    content_type: str = ""
    size_bytes: int = 0


class Message(WireObject, frozen=True, kw_only=True):
    """A message; a deleted one keeps its ids, seq, sender and times only."""

    message_id: str
    conversation_id: str
    seq: int
    rev: int
    sender_id: str = ""
    client_message_id: str = ""
    kind: str = "text"
    text: str = ""
    attachments: list[Attachment] = []
    reply_to: str | None = None
    mentions: list[str] = []
    reactions: dict[str, list[str]] = {}
    create_time: datetime | None = None
    edit_time: datetime | None = None
    delete_time: datetime | None = None


class Member(WireObject, frozen=True, kw_only=True):
    """A user's place in a conversation."""

    user_id: str
    role: str = "member"
    read_seq: int = 0
    delivered_seq: int = 0


class Conversation(WireObject, frozen=True, kw_only=True):
    """A conversation as the caller sees it; `read_seq`, `unread_count` and `muted_until` are the caller's own.

    `members` is empty above 200 members; `member_count` holds always.
    """

    conversation_id: str
    kind: str = ""
    name: str = ""
    description: str = ""
    external_ref: str = ""
    created_by: str = ""
    seq: int = 0
    rev: int = 0
    last_message: Message | None = None
    last_activity_time: datetime | None = None
    archived: bool = False
    tags: list[str] = []
    members: list[Member] = []
    member_count: int = 0
    read_seq: int = 0
    unread_count: int = 0
    muted_until: datetime | None = None


class Presence(WireObject, frozen=True, kw_only=True):
    """How present a user is: online, away, dnd or offline."""

    user_id: str
    status: str = "offline"
    text: str | None = None
    last_seen_time: datetime | None = None


class Notification(WireObject, frozen=True, kw_only=True):
    """Something that the user should hear of; `count` is how many things it stands for."""

    notification_id: str
    type: str = ""
    title: str = ""
    body: str = ""
    data: dict[str, object] = {}
    count: int = 1
    read: bool = False
    create_time: datetime | None = None


class Limits(WireObject, frozen=True, kw_only=True):
    """What the server takes from one connection."""

    frame_bytes: int = 65_536
    text_bytes: int = 16_384
    messages_per_second: float = 0.0
