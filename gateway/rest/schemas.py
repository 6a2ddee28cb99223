"""The shapes of the answers, for the OpenAPI document, as `gateway.wire.json_objects` makes them.

Answers are made from the services' protos, not from these; the tests check each of them against its shape. Fields
that may be absent have the default UNSET.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.wire.enum_names import CONVERSATION_KINDS, MEMBER_ROLES, MESSAGE_KINDS, NOTIFICATION_TYPES, ROLES

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, description="RFC 3339, UTC, with milliseconds.")]

if TYPE_CHECKING:
    Role: TypeAlias = str
    ConversationKind: TypeAlias = str
    MemberRole: TypeAlias = str
    MessageKind: TypeAlias = str
    NotificationType: TypeAlias = str
else:  # the names of the protos' enums, which are known when the program runs
    Role = Literal[ROLES.names]
    ConversationKind = Literal[CONVERSATION_KINDS.names]
    MemberRole = Literal[MEMBER_ROLES.names]
    MessageKind = Literal[MESSAGE_KINDS.names]
    NotificationType = Literal[NOTIFICATION_TYPES.names]


class Shape(Struct, rename="camel"):
    """A JSON object with lowerCamelCase names."""


class Problem(Shape):
    """Why a request failed."""

    code: Annotated[str, Meta(description="A canonical gRPC code, such as PERMISSION_DENIED.")]
    reason: Annotated[str, Meta(description="Stable, for programs, such as NOT_A_MEMBER.")]
    message: Annotated[str, Meta(description="A sentence for people.")]
    retry_after_ms: Annotated[int, Meta(description="After how many ms a repeat may succeed.")] | UnsetType = UNSET
    fields: Annotated[dict[str, str], Meta(description="What is wrong, by field.")] | UnsetType = UNSET


class Failure(Shape):
    """The answer to a request that failed."""

    error: Problem


class Empty(Shape):
    """Done; there is nothing to say."""


class Welcome(Shape):
    """What this is."""

    message: str
    version: str
    documentation: Annotated[str, Meta(description="The path of the documentation.")]


class Health(Shape):
    """How this process is."""

    status: Literal["ok"]


class KeySet(Shape):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]]


class User(Shape):
    """A person or bot of the organization."""

    user_id: str
    name: str
    role: Role
    teams: list[str]
    avatar_url: str | UnsetType = UNSET


class Account(User, kw_only=True):
    """A user as the organization's admins see it."""

    email: str | UnsetType = UNSET
    disabled: bool


class Session(Shape):
    """The tokens of a session."""

    access_token: Annotated[str, Meta(description="A JWT for the Authorization header: Bearer <token>.")]
    refresh_token: Annotated[str, Meta(description="For /api/auth/refresh, once.")]
    expires_in: Annotated[int, Meta(description="How long the access token is valid, in seconds.")]
    user: User


class UserAnswer(Shape):
    """One user."""

    user: User


class AccountAnswer(Shape):
    """One user, as the organization's admins see it."""

    user: Account


class UserPage(Shape):
    """A page of users."""

    users: list[User]
    next_page_token: Annotated[str, Meta(description="Empty on the last page.")]


class Attachment(Shape):
    """Something that a message carries by reference."""

    url: str
    name: str | UnsetType = UNSET
    content_type: str | UnsetType = UNSET
    size_bytes: int | UnsetType = UNSET


class Message(Shape, kw_only=True):
    """A message; a deleted one keeps its ids, seq, sender and times, and its text is empty."""

    message_id: str
    conversation_id: str
    seq: Annotated[int, Meta(description="The place in the conversation: 1, 2, 3, without gaps.")]
    rev: Annotated[int, Meta(description="The conversation's rev at the message's latest change.")]
    sender_id: str
    client_message_id: str
    kind: MessageKind
    text: str
    attachments: list[Attachment] | UnsetType = UNSET
    reply_to: str | UnsetType = UNSET
    mentions: list[str] | UnsetType = UNSET
    create_time: Time
    edit_time: Time | UnsetType = UNSET
    delete_time: Time | UnsetType = UNSET


class Member(Shape):
    """A user's place in a conversation."""

    user_id: str
    role: MemberRole
    read_seq: int
    delivered_seq: int


class Conversation(Shape, kw_only=True):
    """A conversation; readSeq, unreadCount and mutedUntil are the caller's own."""

    conversation_id: str
    kind: ConversationKind
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    external_ref: str | UnsetType = UNSET
    created_by: str
    seq: Annotated[int, Meta(description="The seq of the latest message; 0 before the first.")]
    rev: Annotated[int, Meta(description="The rev of the latest change.")]
    last_message: Message | UnsetType = UNSET
    last_activity_time: Time
    archived: bool
    tags: list[str]
    members: Annotated[list[Member], Meta(description="Left out above 200 members.")] | UnsetType = UNSET
    member_count: int
    read_seq: int
    unread_count: int
    muted_until: Time | UnsetType = UNSET


class ConversationAnswer(Shape):
    """One conversation."""

    conversation: Conversation


class ConversationPage(Shape):
    """A page of conversations, latest activity first."""

    conversations: list[Conversation]
    next_page_token: Annotated[str, Meta(description="Empty on the last page.")]


class History(Shape):
    """A page of a conversation's messages, by seq ascending."""

    messages: list[Message]
    has_more: Annotated[bool, Meta(description="Whether there are older ones.")]
    page: Annotated[int, Meta(description="The page asked for; left out with beforeSeq.")] | UnsetType = UNSET


class Sent(Shape):
    """Where a message landed."""

    message_id: str
    seq: int
    rev: int
    create_time: Time
    client_message_id: Annotated[str, Meta(description="The key by which a repeat is known.")]


class Notification(Shape):
    """Something that the user should hear of."""

    notification_id: str
    type: NotificationType
    title: str
    body: str
    data: dict[str, Any]
    count: Annotated[int, Meta(description="How many things it stands for.")]
    read: bool
    create_time: Time


class NotificationPage(Shape):
    """A page of notifications, latest first."""

    notifications: list[Notification]
    has_more: bool
    unread_count: Annotated[int, Meta(description="Of all the caller's notifications.")]
    page: int


class Count(Shape):
    """How many."""

    count: int


class UnreadCount(Shape):
    """How many of the caller's notifications are unread now."""

    unread_count: int
