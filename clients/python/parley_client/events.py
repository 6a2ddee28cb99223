"""What the server tells without being asked, and what the client itself has to say about its connection.

An event that was missed and is made up for while catching up has the type and shape of the live one, with `replayed`
set; what its fields then hold is said at `parley_client.replayed_events`.
"""

from datetime import datetime
from typing import ClassVar

from parley_client.protocol import (
    Conversation,
    EventFrame,
    Limits,
    Member,
    Message,
    Notification,
    User,
    WireObject,
    decode_body,
)


class Event(WireObject, frozen=True, kw_only=True):
    """The base of all events."""

    replayed: bool = False


class UnknownEvent(Event, frozen=True, kw_only=True):
    """An event that this version has no type for."""

    event: str
    body: dict[str, object]


class MessageCreated(Event, frozen=True, kw_only=True):
    """A message was sent, by someone else or on another connection of the same user."""

    name: ClassVar[str] = "message.created"
    message: Message


class MessageUpdated(Event, frozen=True, kw_only=True):
    """A message was edited, or reacted to."""

    name: ClassVar[str] = "message.updated"
    message: Message


class MessageDeleted(Event, frozen=True, kw_only=True):
    """A message was deleted; what is left is its tombstone."""

    name: ClassVar[str] = "message.deleted"
    message: Message


class ConversationCreated(Event, frozen=True, kw_only=True):
    """The user has a new conversation."""

    name: ClassVar[str] = "conversation.created"
    conversation: Conversation


class ConversationUpdated(Event, frozen=True, kw_only=True):
    """A conversation's own fields, or the user's own view of it, changed."""

    name: ClassVar[str] = "conversation.updated"
    conversation: Conversation


class MemberAdded(Event, frozen=True, kw_only=True):
    """Someone joined."""

    name: ClassVar[str] = "member.added"
    conversation_id: str
    member: Member
    rev: int


class MemberRemoved(Event, frozen=True, kw_only=True):
    """Someone left or was removed; when it is the user, nothing more comes of that conversation."""

    name: ClassVar[str] = "member.removed"
    conversation_id: str
    member: Member
    rev: int


class MemberUpdated(Event, frozen=True, kw_only=True):
    """Someone's role changed."""

    name: ClassVar[str] = "member.updated"
    conversation_id: str
    member: Member
    rev: int


class ReceiptUpdated(Event, frozen=True, kw_only=True):
    """Someone received or read more."""

    name: ClassVar[str] = "receipt.updated"
    conversation_id: str
    user_id: str
    read_seq: int = 0
    delivered_seq: int = 0


class TypingUpdated(Event, frozen=True, kw_only=True):
    """Someone is typing, or stopped; ends by itself after 6 s without renewal."""

    name: ClassVar[str] = "typing.updated"
    conversation_id: str
    user_id: str
    active: bool = False


class PresenceUpdated(Event, frozen=True, kw_only=True):
    """Someone came, went or changed their status."""

    name: ClassVar[str] = "presence.updated"
    user_id: str
    status: str = "offline"
    text: str | None = None
    last_seen_time: datetime | None = None


class NotificationCreated(Event, frozen=True, kw_only=True):
    """There is something new to hear of."""

    name: ClassVar[str] = "notification.created"
    notification: Notification
    unread_count: int = 0


class NotificationUpdated(Event, frozen=True, kw_only=True):
    """A notification changed; none is named when one was deleted or all were read."""

    name: ClassVar[str] = "notification.updated"
    notification: Notification | None = None
    unread_count: int = 0


class SessionReady(Event, frozen=True, kw_only=True):
    """The connection is open: the first event of each connection."""

    name: ClassVar[str] = "session.ready"
    session_id: str
    user: User
    server_time: datetime | None = None
    limits: Limits = Limits()


class SessionClosing(Event, frozen=True, kw_only=True):
    """The server is about to close the connection, and says when to come back."""

    name: ClassVar[str] = "session.closing"
    reconnect_after_ms: int = 0


class SessionLost(Event, frozen=True, kw_only=True):
    """The connection ended; said by the client, which is about to reconnect unless the session was refused."""

    code: int


class CaughtUp(Event, frozen=True, kw_only=True):
    """Everything missed while away has been delivered; said by the client, after each connection."""

    missed: int


# Those that carry a rev: a place in the order of one conversation.
MessageEvent = MessageCreated | MessageUpdated | MessageDeleted
ConversationEvent = ConversationCreated | ConversationUpdated


MemberEvent = MemberAdded | MemberRemoved | MemberUpdated
RevisionEvent = MessageEvent | ConversationEvent | MemberEvent


# Those whose rev is that of one change, before which all earlier ones have to be applied.
ChangeEvent = MessageEvent | MemberEvent
_TYPES = (
    MessageCreated,
    MessageUpdated,
    MessageDeleted,
    ConversationCreated,
    ConversationUpdated,
    MemberAdded,
    MemberRemoved,
    MemberUpdated,
    ReceiptUpdated,
    TypingUpdated,
    PresenceUpdated,
    NotificationCreated,
    NotificationUpdated,
    SessionReady,
    SessionClosing,
)


EVENT_TYPES: dict[str, type[Event]] = {event.name: event for event in _TYPES}


def conversation_id_of(event: RevisionEvent) -> str:
    """The conversation in whose order the event stands."""
    if isinstance(event, MessageEvent):
        return event.message.conversation_id
    if isinstance(event, ConversationEvent):
        return event.conversation.conversation_id
    return event.conversation_id


def rev_of(event: RevisionEvent) -> int:
    """The event's place in the order of its conversation."""
    if isinstance(event, MessageEvent):
        return event.message.rev
    if isinstance(event, ConversationEvent):
        return event.conversation.rev
    return event.rev


def decode_event(frame: EventFrame) -> Event:
    """The event, as its own type, or as UnknownEvent where this version has none.

    Raises:
        FrameError: when a known event's body has not the fields that it must have.
    """
    known = EVENT_TYPES.get(frame.name)
    if known is not None:
        return decode_body(frame.body, known)
    return UnknownEvent(event=frame.name, body=decode_body(frame.body, dict[str, object]))
