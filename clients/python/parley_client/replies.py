"""What the server answers to requests, one type for each shape of `ok`."""

from datetime import datetime

import msgspec

from parley_client.objects import Conversation, Message, Notification, Presence, User, WireObject


class Nothing(WireObject, frozen=True, kw_only=True):
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
