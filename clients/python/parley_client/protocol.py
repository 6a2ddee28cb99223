"""The objects of the wire, as native.md names them, with Python's names for their attributes.

Fields that this version does not know are ignored, and fields that are left out take proto3's defaults, so that a
newer or sparser server is understood. Kinds, roles and states are plain strings for the same reason.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from parley_client.errors import FrameError, ParleyError


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


class Empty(WireObject, frozen=True, kw_only=True):
    """An answer that says only that it was done."""


class UserReply(WireObject, frozen=True, kw_only=True):
    """One user."""

    user: User


class UserPage(WireObject, frozen=True, kw_only=True):
    """A page of users; `next_page_token` is empty on the last."""

    users: list[User] = msgspec.field(default_factory=list)
    next_page_token: str = ""


class ConversationReply(WireObject, frozen=True, kw_only=True):
    """One conversation."""

    conversation: Conversation


class ConversationPage(WireObject, frozen=True, kw_only=True):
    """A page of conversations, latest activity first; `next_page_token` is empty on the last."""

    conversations: list[Conversation] = msgspec.field(default_factory=list)
    next_page_token: str = ""


class SentMessage(WireObject, frozen=True, kw_only=True):
    """Where a sent message landed; `client_message_id` is filled in by this client."""

    message_id: str
    seq: int
    rev: int
    create_time: datetime | None = None
    client_message_id: str = ""


class MessageReply(WireObject, frozen=True, kw_only=True):
    """One message after its change."""

    message: Message


class MessagePage(WireObject, frozen=True, kw_only=True):
    """A page of history, by seq ascending; `has_more` speaks of the direction of the page."""

    messages: list[Message] = msgspec.field(default_factory=list)
    has_more: bool = False


class SyncPage(WireObject, frozen=True, kw_only=True):
    """What changed after a rev, by rev ascending; the conversation's rev is reached with the last page."""

    messages: list[Message] = msgspec.field(default_factory=list)
    conversation: Conversation | None = None
    has_more: bool = False


class PresenceReply(WireObject, frozen=True, kw_only=True):
    """The presence of some users, in the order asked for."""

    presences: list[Presence] = msgspec.field(default_factory=list)


class NotificationPage(WireObject, frozen=True, kw_only=True):
    """A page of notifications, latest first, with the count of unread ones of all types."""

    notifications: list[Notification] = msgspec.field(default_factory=list)
    next_page_token: str = ""
    unread_count: int = 0


class UnreadCount(WireObject, frozen=True, kw_only=True):
    """How many notifications are unread."""

    unread_count: int = 0


class TokenExpiry(WireObject, frozen=True, kw_only=True):
    """Until when the open socket's token holds."""

    expire_time: datetime | None = None


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the request of the same id: `error`, or else `ok`."""

    request_id: int
    ok: msgspec.Raw
    error: ParleyError | None


@dataclass(frozen=True, slots=True)
class EventFrame:
    """An event whose body is still to be decoded, for those who need it."""

    name: str
    body: msgspec.Raw


class _ErrorObject(msgspec.Struct, rename="camel"):
    code: str
    reason: str = ""
    message: str = ""
    retry_after_ms: float | None = None
    fields: dict[str, str] = {}


class _Frame(msgspec.Struct):
    id: int | None = None
    ok: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _ErrorObject | None = None
    event: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"{}")


class _ErrorBody(msgspec.Struct):
    error: _ErrorObject


_FRAME = msgspec.json.Decoder(_Frame)
_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)


_ENCODER = msgspec.json.Encoder()
# Not JSON, or not of the shape; nested beyond reason; not text.
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeError)


def encode_request(request_id: int, op: str, body: Mapping[str, object]) -> bytes:
    """The request as the text of one frame."""
    return _ENCODER.encode({"id": request_id, "op": op, "body": body})


def decode_frame(data: str | bytes) -> Reply | EventFrame:
    """What the server said.

    Raises:
        FrameError: when it is neither a reply nor an event.
    """
    if isinstance(data, bytes):
        raise FrameError("a binary frame, where all frames are text")
    try:
        frame = _FRAME.decode(data)
    except _UNREADABLE as error:
        raise FrameError(f"not a frame: {error}") from error
    if frame.event is not None:
        return EventFrame(frame.event, frame.body)
    if frame.id is None:
        raise FrameError("neither a reply nor an event")
    if frame.error is not None:
        return Reply(frame.id, msgspec.Raw(b"{}"), _parley_error(frame.error))
    if isinstance(frame.ok, msgspec.UnsetType):
        raise FrameError("a reply with neither ok nor error")
    return Reply(frame.id, frame.ok, None)


def decode_body(body: msgspec.Raw | bytes, shape: type[T]) -> T:
    """The body as an object of that shape.

    Raises:
        FrameError: when it is not one.
    """
    try:
        decoded: T = _decoder(cast("Hashable", shape)).decode(body)
    except _UNREADABLE as error:
        raise FrameError(f"not a {getattr(shape, '__name__', shape)}: {error}") from error
    return decoded


def decode_error_body(body: bytes) -> ParleyError | None:
    """The error that the HTTP interface put in a body, which has the shape of a reply's; None when there is none."""
    try:
        return _parley_error(_ERROR_BODY.decode(body).error)
    except _UNREADABLE:
        return None


@cache
def _decoder(shape: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast("type[Any]", shape))


def _parley_error(failure: _ErrorObject) -> ParleyError:
    return ParleyError(
        failure.code,
        failure.reason,
        failure.message,
        retry_after_ms=None if failure.retry_after_ms is None else int(failure.retry_after_ms),
        fields=failure.fields,
    )
