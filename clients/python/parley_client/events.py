"""Events: those that the server pushes, and those of the client about its connection.

A missed event that catch-up replays has the type and shape of the live one, with `replayed` set;
`parley_client.replayed_events` says what its fields hold.
"""

from datetime import datetime
from typing import ClassVar

from parley_client.contract import Conversation, Member, Message, MessageDraft, Notification, User
from parley_client.protocol import EventFrame, Limits, WireObject, decode_body


class Event(WireObject, frozen=True, kw_only=True):
    """The base class of events."""

    replayed: bool = False


class UnknownEvent(Event, frozen=True, kw_only=True):
    """An event that this version of the client does not know."""

    event: str
    body: dict[str, object]


class MessageCreated(Event, frozen=True, kw_only=True):
    """Someone else, or another connection of the same user, sent a message."""

    name: ClassVar[str] = "message.created"
    message: Message


class MessageUpdated(Event, frozen=True, kw_only=True):
    """A message was edited, or its reactions changed."""

    name: ClassVar[str] = "message.updated"
    message: Message


class MessageDeleted(Event, frozen=True, kw_only=True):
    """A message was deleted; `message` is its tombstone."""

    name: ClassVar[str] = "message.deleted"
    message: Message


class ConversationCreated(Event, frozen=True, kw_only=True):
    """The user has a new conversation."""

    name: ClassVar[str] = "conversation.created"
    conversation: Conversation


class ConversationUpdated(Event, frozen=True, kw_only=True):
    """A conversation's settings, or the user's own settings for it, changed."""

    name: ClassVar[str] = "conversation.updated"
    conversation: Conversation


class MemberAdded(Event, frozen=True, kw_only=True):
    """A member joined."""

    name: ClassVar[str] = "member.added"
    conversation_id: str
    member: Member
    rev: int


class MemberRemoved(Event, frozen=True, kw_only=True):
    """A member left or was removed. If it is the user, no more events of that conversation follow."""

    name: ClassVar[str] = "member.removed"
    conversation_id: str
    member: Member
    rev: int


class MemberUpdated(Event, frozen=True, kw_only=True):
    """A member's role changed."""

    name: ClassVar[str] = "member.updated"
    conversation_id: str
    member: Member
    rev: int


class ReceiptUpdated(Event, frozen=True, kw_only=True):
    """A member received or read more messages."""

    name: ClassVar[str] = "receipt.updated"
    conversation_id: str
    user_id: str
    read_seq: int = 0
    delivered_seq: int = 0


class TypingUpdated(Event, frozen=True, kw_only=True):
    """A member started or stopped typing; `active` expires after 6 s without renewal."""

    name: ClassVar[str] = "typing.updated"
    conversation_id: str
    user_id: str
    active: bool = False


class DraftUpdated(Event, frozen=True, kw_only=True):
    """The user's draft in a conversation changed, on any of the user's devices; without a text it was removed."""

    name: ClassVar[str] = "draft.updated"
    draft: MessageDraft


class PresenceUpdated(Event, frozen=True, kw_only=True):
    """A user came online, went offline or changed their status."""

    name: ClassVar[str] = "presence.updated"
    user_id: str
    status: str = "offline"
    text: str | None = None
    last_seen_time: datetime | None = None


class NotificationCreated(Event, frozen=True, kw_only=True):
    """A notification was created, or stands for one more event."""

    name: ClassVar[str] = "notification.created"
    notification: Notification
    unread_count: int = 0


class NotificationUpdated(Event, frozen=True, kw_only=True):
    """A notification changed; None if one was deleted or all were read."""

    name: ClassVar[str] = "notification.updated"
    notification: Notification | None = None
    unread_count: int = 0


class SessionReady(Event, frozen=True, kw_only=True):
    """The connection is open. The first event of each connection."""

    name: ClassVar[str] = "session.ready"
    session_id: str
    user: User
    server_time: datetime | None = None
    limits: Limits = Limits()


class SessionClosing(Event, frozen=True, kw_only=True):
    """The server is about to close the connection, and says when to reconnect."""

    name: ClassVar[str] = "session.closing"
    reconnect_after_ms: int = 0


class SessionLost(Event, frozen=True, kw_only=True):
    """The connection closed. The client publishes this; it reconnects unless the server refused the session."""

    code: int


class CaughtUp(Event, frozen=True, kw_only=True):
    """Catch-up is complete: all missed events were replayed. The client publishes this after each connection."""

    missed: int


# Events with a rev: a position in the order of one conversation.
MessageEvent = MessageCreated | MessageUpdated | MessageDeleted
ConversationEvent = ConversationCreated | ConversationUpdated


MemberEvent = MemberAdded | MemberRemoved | MemberUpdated
RevisionEvent = MessageEvent | ConversationEvent | MemberEvent


# Events whose rev is that of one change; all earlier changes must be applied first.
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
    DraftUpdated,
    PresenceUpdated,
    NotificationCreated,
    NotificationUpdated,
    SessionReady,
    SessionClosing,
)


EVENT_TYPES: dict[str, type[Event]] = {event.name: event for event in _TYPES}


def conversation_id_of(event: RevisionEvent) -> str:
    """Returns the conversation in whose order the event stands."""
    if isinstance(event, MessageEvent):
        return event.message.conversation_id
    if isinstance(event, ConversationEvent):
        return event.conversation.conversation_id
    return event.conversation_id


def rev_of(event: RevisionEvent) -> int:
    """Returns the event's position in the order of its conversation."""
    if isinstance(event, MessageEvent):
        return event.message.rev
    if isinstance(event, ConversationEvent):
        return event.conversation.rev
    return event.rev


def decode_event(frame: EventFrame) -> Event:
    """Decodes an event into its type, or UnknownEvent if this version has none for it.

    Raises:
        FrameError: the body of a known event lacks a required field or has one of the wrong type.
    """
    known = EVENT_TYPES.get(frame.name)
    if known is not None:
        return decode_body(frame.body, known)
    return UnknownEvent(event=frame.name, body=decode_body(frame.body, dict[str, object]))
