"""The JSON of the protocol (docs/protocol.md): its objects, the answers to requests, and the frames around them.

Unknown fields are ignored and missing fields take proto3's defaults, so that the client understands newer and sparser
servers. Kinds, roles and states are plain strings for the same reason.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from parley_client.errors import FrameError, ParleyError


class WireObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The base of JSON objects with lowerCamelCase names.

    Subclasses inherit all of these settings; each repeats two of them for type checkers, which do not know that.
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
    """A file that a message refers to by URL."""

    url: str
    name: str = ""
    content_type: str = ""
    size_bytes: int = 0


class Message(WireObject, frozen=True, kw_only=True):
    """A message. A deleted message is a tombstone, which keeps only its ids, seq, sender and times."""

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
    """A user's membership of a conversation."""

    user_id: str
    role: str = "member"
    read_seq: int = 0
    delivered_seq: int = 0


class Conversation(WireObject, frozen=True, kw_only=True):
    """A conversation as its reader sees it; `read_seq`, `unread_count` and `muted_until` are the reader's own.

    `members` is empty above 200 members; `member_count` is always set.
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
    """A user's presence: online, away, dnd or offline."""

    user_id: str
    status: str = "offline"
    text: str | None = None
    last_seen_time: datetime | None = None


class Notification(WireObject, frozen=True, kw_only=True):
    """A notification; `count` is the number of events that it stands for."""

    notification_id: str
    type: str = ""
    title: str = ""
    body: str = ""
    data: dict[str, object] = {}
    count: int = 1
    read: bool = False
    create_time: datetime | None = None


class Limits(WireObject, frozen=True, kw_only=True):
    """The server's limits on one connection."""

    frame_bytes: int = 65_536
    text_bytes: int = 16_384
    messages_per_second: float = 0.0


class Empty(WireObject, frozen=True, kw_only=True):
    """An answer without content."""


class UserReply(WireObject, frozen=True, kw_only=True):
    """A user."""

    user: User


class UserPage(WireObject, frozen=True, kw_only=True):
    """A page of users; `next_page_token` is empty on the last page."""

    users: list[User] = msgspec.field(default_factory=list)
    next_page_token: str = ""


class ConversationReply(WireObject, frozen=True, kw_only=True):
    """A conversation."""

    conversation: Conversation


class ConversationPage(WireObject, frozen=True, kw_only=True):
    """A page of conversations, latest activity first; `next_page_token` is empty on the last page."""

    conversations: list[Conversation] = msgspec.field(default_factory=list)
    next_page_token: str = ""


class SentMessage(WireObject, frozen=True, kw_only=True):
    """The place of a sent message; the client fills in `client_message_id`."""

    message_id: str
    seq: int
    rev: int
    create_time: datetime | None = None
    client_message_id: str = ""


class MessageReply(WireObject, frozen=True, kw_only=True):
    """A message after a change."""

    message: Message


class MessagePage(WireObject, frozen=True, kw_only=True):
    """A page of history, by ascending seq; `has_more` refers to the direction of the page."""

    messages: list[Message] = msgspec.field(default_factory=list)
    has_more: bool = False


class SyncPage(WireObject, frozen=True, kw_only=True):
    """The messages that changed after a rev, by ascending rev; the last page reaches the conversation's rev."""

    messages: list[Message] = msgspec.field(default_factory=list)
    conversation: Conversation | None = None
    has_more: bool = False


class PresenceReply(WireObject, frozen=True, kw_only=True):
    """The presence of the requested users, in the order of the request."""

    presences: list[Presence] = msgspec.field(default_factory=list)


class NotificationPage(WireObject, frozen=True, kw_only=True):
    """A page of notifications, latest first, with the number of unread ones of all types."""

    notifications: list[Notification] = msgspec.field(default_factory=list)
    next_page_token: str = ""
    unread_count: int = 0


class UnreadCount(WireObject, frozen=True, kw_only=True):
    """The number of unread notifications."""

    unread_count: int = 0


class TokenExpiry(WireObject, frozen=True, kw_only=True):
    """The expiry of the open connection's token."""

    expire_time: datetime | None = None


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to the request with the same id: `error` or, if None, `ok`."""

    request_id: int
    ok: msgspec.Raw
    error: ParleyError | None


@dataclass(frozen=True, slots=True)
class EventFrame:
    """An event with an undecoded body."""

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
# Not JSON, or of another shape; nested too deeply; not UTF-8.
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeError)


def encode_request(request_id: int, op: str, body: Mapping[str, object]) -> bytes:
    """Returns a request as the text of one frame."""
    return _ENCODER.encode({"id": request_id, "op": op, "body": body})


def decode_frame(data: str | bytes) -> Reply | EventFrame:
    """Decodes a frame of the server.

    Raises:
        FrameError: the frame is neither a reply nor an event.
    """
    if isinstance(data, bytes):
        raise FrameError("a binary frame; all frames are text")
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
    """Decodes a body as an object of type `shape`.

    Raises:
        FrameError: the body is not one.
    """
    try:
        decoded: T = _decoder(cast("Hashable", shape)).decode(body)
    except _UNREADABLE as error:
        raise FrameError(f"not a {getattr(shape, '__name__', shape)}: {error}") from error
    return decoded


def decode_error_body(body: bytes) -> ParleyError | None:
    """Returns the error in the body of an HTTP response, which has the form of a reply's; None if there is none."""
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
