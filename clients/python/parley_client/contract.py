"""The contract's objects, replies and ops, generated from protos/ by `make reference`; do not edit.

Objects ignore fields that they do not know, and fields that the server leaves out have proto3's defaults. The values of
enums are plain strings, because a newer server may send new names; the `Literal` types list those known here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec

from parley_client.protocol import Empty, WireObject, request_body

T = TypeVar("T")

ChosenStatus = Literal[
    "online",
    "away",
    "dnd",
    "invisible",
]
"""A status that a user chooses.

Values:
    online: The sessions determine the status: online, away or offline. The default.
    away: Away, even while a session is active.
    dnd: Do not disturb, while a session is open.
    invisible: Offline to others.
"""

ConversationKind = Literal[
    "direct",
    "group",
    "project",
]
"""The kind of a conversation.

Values:
    direct: Two users; at most one conversation for each pair.
    group: Up to 5,000 users.
    project: A project of the CRM: like a group, and the only project conversation of its organization with its
        external_ref.
"""

MemberRole = Literal[
    "owner",
    "admin",
    "member",
]
"""The role of a member, which decides what the member may do in a conversation.

Values:
    owner: May do everything; a group has exactly one owner.
    admin: May add and remove members, change the conversation and delete every message.
    member: May read and write. Both members of a direct conversation have this role.
"""

MessageKind = Literal[
    "text",
    "image",
    "file",
    "audio",
    "link",
    "system",
    "video",
    "location",
    "contact",
    "sticker",
]
"""The kind of a message's content.

Values:
    text: Plain text.
    image: A picture, in the attachments.
    file: A file, in the attachments.
    audio: A recording, in the attachments.
    link: A link, in the text.
    system: Written by Parley or a service, never by a user.
    video: A video, in the attachments.
    location: A place, in data.
    contact: A person's contact details, in data.
    sticker: A sticker: its picture is the only attachment.
"""

NotificationType = Literal[
    "NEW_MESSAGE",
    "LEAD_ASSIGNED",
    "LEAD_STATUS_CHANGED",
    "LEAD_UPDATED",
    "SYSTEM_ALERT",
    "TASK_ASSIGNED",
    "REMINDER",
    "MENTION",
    "MEMBER_ADDED",
]
"""The subject of a notification.

Values:
    NEW_MESSAGE: Unread messages of a conversation. Made from chat's events only.
    LEAD_ASSIGNED: A lead was assigned to the user.
    LEAD_STATUS_CHANGED: The status of a lead changed.
    LEAD_UPDATED: A lead changed.
    SYSTEM_ALERT: An announcement of the CRM.
    TASK_ASSIGNED: A task was assigned to the user.
    REMINDER: A reminder of something that is due.
    MENTION: A message mentioned the user. Made from chat's events or by a service.
    MEMBER_ADDED: The user was added to a conversation. Made from chat's events or by a service.
"""

PresenceStatus = Literal[
    "online",
    "away",
    "dnd",
    "invisible",
    "offline",
]
"""A user's observed presence.

The values have the same numbers as in ChosenStatus.

Values:
    online: At least one session is active.
    away: All sessions are idle, or the user chose to appear away.
    dnd: The user has a session open and does not want to be disturbed.
    invisible: The user has a session open and chose to appear offline. Only the user sees this value; others see
        OFFLINE.
    offline: No session has been open for 10 s.
"""

Role = Literal[
    "admin",
    "manager",
    "lead",
    "sales",
    "employee",
    "client",
    "agent_l1",
    "agent_l2",
    "agent_l3",
    "bot",
]
"""A user's role in the organization, which decides whom the user may contact; see CheckContacts.

Values:
    admin: Administrates the organization and its users; may contact everyone.
    manager: May contact everyone in the organization.
    lead: Leads a team; may contact admins, managers and the team.
    sales: Sells, in a team; may contact admins, managers and the team.
    employee: Any other member of staff; may contact admins, managers and the team.
    client: A customer of the organization; may contact admins, managers and agents, and never sees other clients.
    agent_l1: First-line support; may contact admins, managers, agents, clients and the team.
    agent_l2: Second-line support; may contact the same users as first-line support.
    agent_l3: Third-line support; may contact the same users as first-line support.
    bot: An automated user; may contact admins, managers and the team, except other bots.
"""

UpsertOutcome = Literal[
    "created",
    "updated",
    "unchanged",
    "failed",
]
"""What became of a row of BatchUpsertUsers.

Values:
    created: The user is new.
    updated: The user existed, and has changed.
    unchanged: The user existed, and had these values already.
    failed: Nothing was done; the result says why.
"""

READS: Final = frozenset(
    {
        "user.me",
        "user.get",
        "user.batchGet",
        "user.list",
        "user.search",
        "conversation.get",
        "conversation.list",
        "member.list",
        "draft.list",
        "message.get",
        "message.list",
        "message.sync",
        "message.pinned",
        "message.versions",
        "message.receipts",
        "message.scheduled",
        "notification.list",
        "notification.unreadCount",
        "notification.preferences.get",
        "presence.get",
    }
)
"""The ops that change nothing."""

CHANGES: Final = frozenset(
    {
        "user.create",
        "user.update",
        "user.setPassword",
        "user.deactivate",
        "user.batchUpsert",
        "conversation.direct",
        "conversation.create",
        "conversation.joinRoom",
        "conversation.update",
        "conversation.pin",
        "conversation.unpin",
        "member.add",
        "member.remove",
        "member.update",
        "draft.set",
        "message.edit",
        "message.delete",
        "message.react",
        "message.unreact",
        "message.pin",
        "message.unpin",
        "message.reschedule",
        "message.unschedule",
        "notification.read",
        "notification.readAll",
        "notification.delete",
        "notification.preferences.set",
        "presence.set",
    }
)
"""The ops that take a `requestId`, by which the server recognizes a repeat."""


class User(WireObject, frozen=True, kw_only=True):
    """A person or bot of one organization.

    Attributes:
        user_id: The user's id, unique within the organization; it may be the CRM's own. 1 to 64 of `A-Za-z0-9_.:@-`.
        name: The name shown to others: 1 to 100 characters on one line, without surrounding white space.
        role: The user's role in the organization; never unspecified in a response.
        teams: Names of the user's teams: at most 50, each 1 to 64 characters, together at most 2,000 bytes as JSON,
            because every access token holds them.
        avatar_url: The https URL of a picture: at most 2,000 characters, empty for none.
    """

    user_id: str
    name: str = ""
    role: str = ""
    teams: list[str] = []
    avatar_url: str = ""


class UserRow(WireObject, frozen=True, kw_only=True):
    """A user to create or to change.

    The service checks each row by itself, so that a bad one fails alone; the limits are those of User.

    Attributes:
        user_id: The user's id.
        name: The name shown to others.
        email: The e-mail address that the user signs in with; empty for none.
        role: The user's role: admin, manager, lead, sales, employee, client, agent_l1, agent_l2, agent_l3 or bot.
        teams: Names of the user's teams.
        avatar_url: The https URL of a picture; empty for none.
        disabled: Whether the account is disabled.
    """

    user_id: str
    name: str = ""
    email: str = ""
    role: str = ""
    teams: list[str] = []
    avatar_url: str = ""
    disabled: bool = False


class UserRowResult(WireObject, frozen=True, kw_only=True):
    """The result of a row.

    Attributes:
        user_id: The user's id, as in the row.
        outcome: What became of the row.
        reason: Why the row failed, in upper case with underscores, such as EMAIL_TAKEN; empty unless it failed.
        message: The same in a sentence.
        errors: The bad fields, if the reason is INVALID_FIELDS.
    """

    user_id: str
    outcome: str = ""
    reason: str = ""
    message: str = ""
    errors: list[UserRowError] = []


class UserRowError(WireObject, frozen=True, kw_only=True):
    """What is wrong with a field of a row.

    Attributes:
        field: The field, as in JSON.
        description: What it must be.
    """

    field: str
    description: str = ""


class Conversation(WireObject, frozen=True, kw_only=True):
    """A conversation as one of its members, the viewer, sees it.

    A member_count of 0 is a conversation that the viewer has left or was removed from: the response to a repeat of one
    of the viewer's earlier requests. Only its ids (conversation_id, kind, external_ref and created_by), and the rev and
    seq of that request's change, are meaningful; every other field, such as last_activity_time, has no meaning.

    Attributes:
        conversation_id: The conversation's id: 22 characters of base64url.
        kind: The conversation's kind; never changes.
        name: The name: 1 to 200 characters; empty for a direct conversation.
        description: The description: at most 2,000 characters.
        external_ref: A reference that the creator chose, such as a ticket number: at most 200 characters.
        created_by: The id of the user who created the conversation.
        seq: The seq of the latest message; 0 before the first one.
        rev: The rev of the latest change.
        last_message: The latest message; absent before the first one.
        last_activity_time: The time of the latest message, or of the creation before the first one. Listings are in
            this order.
        archived: Whether the conversation is archived, for all members. Messages can still be sent.
        tags: Tags, the same for all members: at most 20, each 1 to 50 characters.
        members: All members, if there are at most 200; otherwise empty, see ListMembers.
        member_count: The number of members.
        read_seq: The viewer's read mark; see Member.read_seq.
        unread_count: The number of messages that the viewer has not read: seq - read_seq.
        muted_until: The time until which the viewer gets no notifications of this conversation; absent if not muted.
        pinned: Whether the viewer has pinned the conversation in their own list.
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
    pinned: bool = False


class Message(WireObject, frozen=True, kw_only=True):
    """A message.

    A deleted message is a tombstone: it keeps its ids, seq, kind, sender and times, and nothing else.

    Attributes:
        message_id: The message's id: 22 characters of base64url, derived from the organization, conversation, sender
            and client_message_id.
        conversation_id: The id of the message's conversation.
        seq: The position in the conversation: 1, 2, 3, ... without gaps; never changes.
        rev: The conversation's rev at the message's latest change.
        sender_id: The id of the user who sent the message.
        client_message_id: The id that the sender's client chose.
        kind: The kind of the content.
        text: The text: at most 16 KiB of UTF-8.
        attachments: The attachments, at most 20.
        reply_to: The id of the message that this one answers, of the same conversation; empty for none.
        mentions: The ids of the mentioned users, at most 50.
        create_time: The time at which the message was sent; never decreases with seq.
        edit_time: The time of the latest edit; absent if there was none.
        delete_time: The time of the deletion; absent if the message is not deleted.
        reactions: The reactions by emoji, in the order in which the emoji were first used; at most 20 emoji and 1,000
            reactions.
        data: What the kind needs: {latitude, longitude, name?} of a location, {name, phones?, emails?} of a contact,
            {pack?, emoji?} of a sticker; absent for others.
        pinned: Whether the message is pinned, for all members.
        forwarded_from: The message that this one is a copy of; absent unless it was forwarded.
    """

    message_id: str
    conversation_id: str = ""
    seq: int = 0
    rev: int = 0
    sender_id: str = ""
    client_message_id: str = ""
    kind: str = ""
    text: str = ""
    attachments: list[Attachment] = []
    reply_to: str = ""
    mentions: list[str] = []
    create_time: datetime | None = None
    edit_time: datetime | None = None
    delete_time: datetime | None = None
    reactions: dict[str, list[str]] = {}
    data: dict[str, object] = {}
    pinned: bool = False
    forwarded_from: ForwardedFrom | None = None


class Attachment(WireObject, frozen=True, kw_only=True):
    """A reference to content outside the message.

    Attributes:
        url: The http or https URL of the content: at most 2,000 characters.
        name: The file's name: at most 200 characters; may be empty.
        content_type: The media type: at most 100 characters; may be empty.
        size_bytes: The size in bytes; 0 if unknown.
    """

    url: str
    name: str = ""
    content_type: str = ""
    size_bytes: int = 0


class ForwardedFrom(WireObject, frozen=True, kw_only=True):
    """The message that a forwarded message is a copy of.

    Attributes:
        conversation_id: The id of the first message's conversation.
        message_id: The id of the first message.
        sender_id: The id of the user who wrote it.
    """

    conversation_id: str = ""
    message_id: str = ""
    sender_id: str = ""


class Member(WireObject, frozen=True, kw_only=True):
    """A member of a conversation.

    Attributes:
        user_id: The user's id.
        role: The member's role in the conversation.
        read_seq: The member has read all messages up to this seq; never decreases.
        delivered_seq: All messages up to this seq have reached one of the user's devices; never decreases, and is at
            least read_seq.
    """

    user_id: str
    role: str = ""
    read_seq: int = 0
    delivered_seq: int = 0


class MessageDraft(WireObject, frozen=True, kw_only=True):
    """What a user has written in a conversation and not sent.

    Attributes:
        conversation_id: The conversation's id.
        text: The text; empty in the event of a removal.
        reply_to: The id of the message that the draft answers; empty for none.
        update_time: The time of the latest change.
    """

    conversation_id: str
    text: str = ""
    reply_to: str = ""
    update_time: datetime | None = None


class MessageVersion(WireObject, frozen=True, kw_only=True):
    """A text that a message had, or has.

    Attributes:
        text: The text.
        time: The time at which the message got this text.
    """

    text: str
    time: datetime | None = None


class MessageReceipt(WireObject, frozen=True, kw_only=True):
    """What is known of a message's way to a member.

    Members confirm all messages up to one at once, so the times are those of their latest confirmations: they received
    and read the message then or earlier.

    Attributes:
        user_id: The member's id.
        delivered_time: The message was delivered at this time at the latest; absent if the time is not known.
        read_time: The message was read at this time at the latest; absent if it was not read.
    """

    user_id: str
    delivered_time: datetime | None = None
    read_time: datetime | None = None


class ScheduledMessage(WireObject, frozen=True, kw_only=True):
    """A message that is sent later.

    Attributes:
        scheduled_message_id: The id, which is also the id of the message that is sent.
        conversation_id: The conversation's id.
        client_message_id: The id that the sender's client chose.
        text: The text.
        send_time: The time at which the message is sent.
    """

    scheduled_message_id: str
    conversation_id: str = ""
    client_message_id: str = ""
    text: str = ""
    send_time: datetime | None = None


class Notification(WireObject, frozen=True, kw_only=True):
    """A notification of one user.

    Attributes:
        notification_id: The notification's id: 22 characters of base64url.
        type: The subject of the notification.
        title: The title: 1 to 200 characters.
        body: The text: at most 2,000 characters.
        data: Data for the user's front-end, such as the ids to link to: at most 8 KiB as JSON.
        count: For NEW_MESSAGE the number of unread messages of the conversation; 1 for other types.
        read: Whether the user has read the notification.
        create_time: The time of the latest event that the notification stands for. The JSON name is an earlier name of
            the field.
    """

    notification_id: str
    type: str = ""
    title: str = ""
    body: str = ""
    data: dict[str, object] = {}
    count: int = 0
    read: bool = False
    create_time: datetime | None = None


class Preferences(WireObject, frozen=True, kw_only=True):
    """A user's preferences for notifications.

    Attributes:
        muted_types: The types of which the user gets no notifications, at most 50; none by default.
    """

    muted_types: list[str] = []


class Presence(WireObject, frozen=True, kw_only=True):
    """A user's presence, as the caller sees it.

    Attributes:
        user_id: The user's id.
        status: The user's status; INVISIBLE for the caller's own only.
        text: A text that the user chose: at most 140 characters; empty for none.
        last_seen_time: The time at which the user was last active, not counting activity while invisible. Only with
            OFFLINE, and absent for a user who was never seen.
    """

    user_id: str
    status: str = ""
    text: str = ""
    last_seen_time: datetime | None = None


class GetMeResponse(WireObject, frozen=True, kw_only=True):
    """Response of GetMe.

    Attributes:
        user: The calling user.
    """

    user: User


class GetUserResponse(WireObject, frozen=True, kw_only=True):
    """Response of GetUser.

    Attributes:
        user: The user, with an e-mail address only if the caller may see it.
    """

    user: User


class BatchGetUsersResponse(WireObject, frozen=True, kw_only=True):
    """Response of BatchGetUsers.

    Attributes:
        users: The users that were found, in the order of the request.
    """

    users: list[User] = []


class ListUsersResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListUsers.

    Attributes:
        users: The users, by name and then by id.
        next_page_token: Continues the listing as page_token; empty on the last page.
    """

    users: list[User] = []
    next_page_token: str = ""


class SearchUsersResponse(WireObject, frozen=True, kw_only=True):
    """Response of SearchUsers.

    Attributes:
        users: The users, by name and then by id.
        next_page_token: Continues the listing as page_token; empty on the last page.
    """

    users: list[User] = []
    next_page_token: str = ""


class CreateUserResponse(WireObject, frozen=True, kw_only=True):
    """Response of CreateUser.

    Attributes:
        user: The new user.
    """

    user: User


class UpdateUserResponse(WireObject, frozen=True, kw_only=True):
    """Response of UpdateUser.

    Attributes:
        user: The user after the change.
    """

    user: User


class DeactivateUserResponse(WireObject, frozen=True, kw_only=True):
    """Response of DeactivateUser.

    Attributes:
        user: The user after the change.
    """

    user: User


class BatchUpsertUsersResponse(WireObject, frozen=True, kw_only=True):
    """Response of BatchUpsertUsers.

    Attributes:
        results: One result for each row, in the order of the request.
    """

    results: list[UserRowResult] = []


class GetOrCreateDirectConversationResponse(WireObject, frozen=True, kw_only=True):
    """Response of GetOrCreateDirectConversation.

    Attributes:
        conversation: The conversation, as the caller sees it.
    """

    conversation: Conversation


class CreateConversationResponse(WireObject, frozen=True, kw_only=True):
    """Response of CreateConversation.

    Attributes:
        conversation: The new conversation, as the caller sees it.
    """

    conversation: Conversation


class JoinRoomResponse(WireObject, frozen=True, kw_only=True):
    """Response of JoinRoom.

    Attributes:
        conversation: The room, as the caller sees it.
    """

    conversation: Conversation


class GetConversationResponse(WireObject, frozen=True, kw_only=True):
    """Response of GetConversation.

    Attributes:
        conversation: The conversation, as the caller sees it.
    """

    conversation: Conversation


class ListConversationsResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListConversations.

    Attributes:
        conversations: The conversations, latest activity first.
        next_page_token: Continues the listing as page_token; empty on the last page.
    """

    conversations: list[Conversation] = []
    next_page_token: str = ""


class UpdateConversationResponse(WireObject, frozen=True, kw_only=True):
    """Response of UpdateConversation.

    Attributes:
        conversation: The conversation after the change, as the caller sees it.
    """

    conversation: Conversation


class PinConversationResponse(WireObject, frozen=True, kw_only=True):
    """Response of PinConversation.

    Attributes:
        conversation: The conversation, as the caller sees it.
    """

    conversation: Conversation


class UnpinConversationResponse(WireObject, frozen=True, kw_only=True):
    """Response of UnpinConversation.

    Attributes:
        conversation: The conversation, as the caller sees it.
    """

    conversation: Conversation


class AddMembersResponse(WireObject, frozen=True, kw_only=True):
    """Response of AddMembers.

    Attributes:
        conversation: The conversation after the change, as the caller sees it.
    """

    conversation: Conversation


class RemoveMemberResponse(WireObject, frozen=True, kw_only=True):
    """Response of RemoveMember.

    Attributes:
        conversation: The conversation after the change, as the caller sees it; before the change if the caller left.
    """

    conversation: Conversation


class UpdateMemberResponse(WireObject, frozen=True, kw_only=True):
    """Response of UpdateMember.

    Attributes:
        conversation: The conversation after the change, as the caller sees it.
    """

    conversation: Conversation


class ListMembersResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListMembers.

    Attributes:
        members: The members, by user id.
        next_page_token: Continues the listing as page_token; empty on the last page.
    """

    members: list[Member] = []
    next_page_token: str = ""


class ListDraftsResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListDrafts.

    Attributes:
        drafts: The drafts, latest first.
    """

    drafts: list[MessageDraft] = []


class SendMessageResponse(WireObject, frozen=True, kw_only=True):
    """Response of SendMessage.

    Attributes:
        message_id: The message's id.
        seq: The message's position in the conversation.
        rev: The conversation's rev at which the message was sent.
        create_time: The time at which the message was sent.
    """

    message_id: str
    seq: int = 0
    rev: int = 0
    create_time: datetime | None = None


class GetMessageResponse(WireObject, frozen=True, kw_only=True):
    """Response of GetMessage.

    Attributes:
        message: The message's present state.
    """

    message: Message


class ListMessagesResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListMessages.

    Attributes:
        messages: The messages, by ascending seq.
        has_more: Whether there are more messages in the direction of the page; around a seq, in either direction.
    """

    messages: list[Message] = []
    has_more: bool = False


class SyncMessagesResponse(WireObject, frozen=True, kw_only=True):
    """Response of SyncMessages.

    Attributes:
        messages: The messages, by ascending rev.
        conversation: The conversation, as the caller sees it. After the last page, its rev is the caller's next
            after_rev.
        has_more: Whether there are more messages: call again with the rev of the last message.
    """

    messages: list[Message] = []
    conversation: Conversation
    has_more: bool = False


class EditMessageResponse(WireObject, frozen=True, kw_only=True):
    """Response of EditMessage.

    Attributes:
        message: The message after the edit.
    """

    message: Message


class DeleteMessageResponse(WireObject, frozen=True, kw_only=True):
    """Response of DeleteMessage.

    Attributes:
        message: The tombstone.
    """

    message: Message


class AddReactionResponse(WireObject, frozen=True, kw_only=True):
    """Response of AddReaction.

    Attributes:
        message: The message with its reactions.
    """

    message: Message


class RemoveReactionResponse(WireObject, frozen=True, kw_only=True):
    """Response of RemoveReaction.

    Attributes:
        message: The message with its reactions.
    """

    message: Message


class PinMessageResponse(WireObject, frozen=True, kw_only=True):
    """Response of PinMessage.

    Attributes:
        message: The pinned message.
    """

    message: Message


class UnpinMessageResponse(WireObject, frozen=True, kw_only=True):
    """Response of UnpinMessage.

    Attributes:
        message: The message.
    """

    message: Message


class ListPinnedMessagesResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListPinnedMessages.

    Attributes:
        messages: The pinned messages, by ascending seq.
    """

    messages: list[Message] = []


class ListMessageVersionsResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListMessageVersions.

    Attributes:
        versions: The versions, oldest first; the last one is the present text.
    """

    versions: list[MessageVersion] = []


class ListMessageReceiptsResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListMessageReceipts.

    Attributes:
        receipts: A receipt for each member whom the message has reached.
    """

    receipts: list[MessageReceipt] = []


class ForwardMessageResponse(WireObject, frozen=True, kw_only=True):
    """Response of ForwardMessage.

    Attributes:
        messages: The copies, in the order of the conversations.
    """

    messages: list[Message] = []


class ScheduleMessageResponse(WireObject, frozen=True, kw_only=True):
    """Response of ScheduleMessage.

    Attributes:
        scheduled_message_id: The id of the scheduled message, which is also the id of the message that is sent.
        send_time: The time at which the message is sent.
    """

    scheduled_message_id: str = ""
    send_time: datetime | None = None


class ListScheduledMessagesResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListScheduledMessages.

    Attributes:
        scheduled_messages: The messages, by ascending send_time.
    """

    scheduled_messages: list[ScheduledMessage] = []


class RescheduleMessageResponse(WireObject, frozen=True, kw_only=True):
    """Response of RescheduleMessage.

    Attributes:
        scheduled_message: The scheduled message after the change.
    """

    scheduled_message: ScheduledMessage


class ListNotificationsResponse(WireObject, frozen=True, kw_only=True):
    """Response of ListNotifications.

    Attributes:
        notifications: The notifications, latest first.
        next_page_token: Continues the listing as page_token; empty on the last page.
        unread_count: The number of the caller's unread notifications, whatever the filters.
    """

    notifications: list[Notification] = []
    next_page_token: str = ""
    unread_count: int = 0


class MarkNotificationReadResponse(WireObject, frozen=True, kw_only=True):
    """Response of MarkNotificationRead.

    Attributes:
        unread_count: The number of notifications that are still unread.
    """

    unread_count: int = 0


class MarkAllNotificationsReadResponse(WireObject, frozen=True, kw_only=True):
    """Response of MarkAllNotificationsRead.

    Attributes:
        unread_count: The number of unread notifications; above 0 if new ones have arrived.
    """

    unread_count: int = 0


class DeleteNotificationResponse(WireObject, frozen=True, kw_only=True):
    """Response of DeleteNotification.

    Attributes:
        unread_count: The number of notifications that are still unread.
    """

    unread_count: int = 0


class GetUnreadCountResponse(WireObject, frozen=True, kw_only=True):
    """Response of GetUnreadCount.

    Attributes:
        unread_count: The number of unread notifications.
    """

    unread_count: int = 0


class GetPreferencesResponse(WireObject, frozen=True, kw_only=True):
    """Response of GetPreferences.

    Attributes:
        preferences: The stored preferences, or the defaults.
    """

    preferences: Preferences


class UpdatePreferencesResponse(WireObject, frozen=True, kw_only=True):
    """Response of UpdatePreferences.

    Attributes:
        preferences: The preferences after the change.
    """

    preferences: Preferences


class BatchGetPresenceResponse(WireObject, frozen=True, kw_only=True):
    """Response of BatchGetPresence.

    Attributes:
        presences: The users' presence, in the order of the request.
    """

    presences: list[Presence] = []


class Operations(ABC):
    """A method for each op of the contract. All of them go through `call`."""

    @abstractmethod
    async def call(
        self,
        op: str,
        body: Mapping[str, object],
        shape: type[T],
        *,
        repeatable: bool | None = None,
        deadline_seconds: float | msgspec.UnsetType | None = msgspec.UNSET,
    ) -> T:
        """Makes a request and returns its reply as `shape`; see Client.call."""

    async def user_me(self) -> GetMeResponse:
        """Returns the calling user.

        Errors: UNAUTHENTICATED (ACCOUNT_DISABLED).
        """
        return await self.call("user.me", {}, GetMeResponse)

    async def user_get(self, *, user_id: str) -> GetUserResponse:
        """Returns a user of the organization.

        Clients do not see other clients. Errors: NOT_FOUND (USER_NOT_FOUND) if the user does not exist, belongs to
        another organization or is hidden from the caller; UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED
        (ORGANIZATION_REQUIRED).

        Args:
            user_id: The user's id.
        """
        return await self.call("user.get", request_body(userId=user_id), GetUserResponse)

    async def user_batch_get(self, *, user_ids: Sequence[str]) -> BatchGetUsersResponse:
        """Returns several users, once each and in the order of the request, omitting those that GetUser would not find.

        Errors: UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (ORGANIZATION_REQUIRED).

        Args:
            user_ids: The users' ids, at most 200; duplicates count once.
        """
        return await self.call("user.batchGet", request_body(userIds=user_ids), BatchGetUsersResponse)

    async def user_list(
        self,
        *,
        query: str | None = None,
        role: Role | None = None,
        team: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> ListUsersResponse:
        """Lists users by name, with filters.

        Admins, managers and services see all users, disabled ones included; others see themselves and the users whom
        they may contact. Errors: INVALID_ARGUMENT (INVALID_PAGE_TOKEN); UNAUTHENTICATED (ACCOUNT_DISABLED);
        PERMISSION_DENIED (ORGANIZATION_REQUIRED).

        Args:
            query: Words that must each begin a word of the user's name, id or, for callers who may see it, e-mail
                address, without regard to case. At most 10 words and 100 characters; empty for all users.
            role: The role of the users to list; unspecified for all roles.
            team: The name of a team of the users to list, at most 64 characters; empty for all users.
            page_size: The number of items in a page: 50 if 0, at most 200; larger values count as 200.
            page_token: The next_page_token of the previous page, with the same filters; empty for the first page. At
                most 2,000 characters.
        """
        return await self.call(
            "user.list",
            request_body(query=query, role=role, team=team, pageSize=page_size, pageToken=page_token),
            ListUsersResponse,
        )

    async def user_search(
        self,
        *,
        query: str,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> SearchUsersResponse:
        """Lists the users whom the caller may contact, by name.

        The caller is not among them. Errors: INVALID_ARGUMENT (INVALID_PAGE_TOKEN); UNAUTHENTICATED (ACCOUNT_DISABLED).

        Args:
            query: Words that must each begin a word of the user's name, id or, for callers who may see it, e-mail
                address, without regard to case. At most 10 words and 100 characters; empty for all users.
            page_size: The number of items in a page: 50 if 0, at most 200; larger values count as 200.
            page_token: The next_page_token of the previous page, with the same filters; empty for the first page. At
                most 2,000 characters.
        """
        return await self.call(
            "user.search",
            request_body(query=query, pageSize=page_size, pageToken=page_token),
            SearchUsersResponse,
        )

    async def user_create(
        self,
        *,
        user_id: str | None = None,
        name: str,
        email: str | None = None,
        role: Role,
        teams: Sequence[str] | None = None,
        avatar_url: str | None = None,
        password: str | None = None,
        request_id: str | None = None,
    ) -> CreateUserResponse:
        """Creates a user.

        Only admins and services may do so. Errors: ALREADY_EXISTS (USER_EXISTS) if the id is taken, (EMAIL_TAKEN) if an
        account of any organization has the address; NOT_FOUND (ORGANIZATION_NOT_FOUND); RESOURCE_EXHAUSTED (OVERLOADED,
        with RetryInfo) if too many passwords are being hashed; UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED
        (NOT_ALLOWED, ORGANIZATION_REQUIRED).

        Args:
            user_id: The user's id, unique within the organization; it may be the CRM's own. 1 to 64 of
                `A-Za-z0-9_.:@-`.
            name: The name shown to others: 1 to 100 characters on one line, without surrounding white space.
            email: The e-mail address that the user signs in with, unique across all organizations; at most 254
                characters, empty for none. Only services, admins, managers and the user see it; others get it empty.
            role: The user's role in the organization; never unspecified in a response.
            teams: Names of the user's teams: at most 50, each 1 to 64 characters, together at most 2,000 bytes as JSON,
                because every access token holds them.
            avatar_url: The https URL of a picture: at most 2,000 characters, empty for none.
            password: The password: 8 to 1,024 bytes of UTF-8. Empty for a user who signs in through ExchangeToken only.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "user.create",
            request_body(
                userId=user_id,
                name=name,
                email=email,
                role=role,
                teams=teams,
                avatarUrl=avatar_url,
                password=password,
                requestId=request_id,
            ),
            CreateUserResponse,
        )

    async def user_update(
        self,
        *,
        user_id: str,
        name: str | None = None,
        email: str | None = None,
        role: Role | None = None,
        teams: Sequence[str] | None = None,
        avatar_url: str | None = None,
        disabled: bool | None = None,
        request_id: str | None = None,
    ) -> UpdateUserResponse:
        """Changes the given fields of a user.

        Admins and services may change every user; others their own name and avatar_url. Disabling a user ends the
        user's sessions. Errors: NOT_FOUND (USER_NOT_FOUND); ALREADY_EXISTS (EMAIL_TAKEN) if another account of any
        organization has the address; FAILED_PRECONDITION (LAST_ADMIN) if no enabled admin would remain; ABORTED
        (CONCURRENT_CHANGES) if others keep changing the user; UNAVAILABLE (REVOCATION_NOT_PUBLISHED) if the user is
        disabled but open connections could not be closed, so repeat the call; UNAUTHENTICATED (ACCOUNT_DISABLED);
        PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).

        Args:
            user_id: The user's id, unique within the organization; it may be the CRM's own. 1 to 64 of
                `A-Za-z0-9_.:@-`.
            name: The name shown to others: 1 to 100 characters on one line, without surrounding white space.
            email: The e-mail address that the user signs in with, unique across all organizations; at most 254
                characters, empty for none. Only services, admins, managers and the user see it; others get it empty.
            role: The user's role in the organization; never unspecified in a response.
            teams: Names of the user's teams: at most 50, each 1 to 64 characters, together at most 2,000 bytes as JSON,
                because every access token holds them.
            avatar_url: The https URL of a picture: at most 2,000 characters, empty for none.
            disabled: Whether the account is disabled. A disabled user cannot sign in, and open sessions have ended.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "user.update",
            request_body(
                userId=user_id,
                name=name,
                email=email,
                role=role,
                teams=teams,
                avatarUrl=avatar_url,
                disabled=disabled,
                requestId=request_id,
            ),
            UpdateUserResponse,
        )

    async def user_set_password(self, *, user_id: str, password: str, request_id: str | None = None) -> None:
        """Sets a user's password, and ends the user's sessions.

        Only admins and services may do so. Errors: NOT_FOUND (USER_NOT_FOUND); RESOURCE_EXHAUSTED (OVERLOADED, with
        RetryInfo) if too many passwords are being hashed; ABORTED (CONCURRENT_CHANGES) if others keep changing the
        user; UNAVAILABLE (REVOCATION_NOT_PUBLISHED) if the password is set but open connections could not be closed, so
        repeat the call; UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).

        Args:
            user_id: The user's id.
            password: The new password: 8 to 1,024 bytes of UTF-8.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        await self.call(
            "user.setPassword",
            request_body(userId=user_id, password=password, requestId=request_id),
            Empty,
        )

    async def user_deactivate(self, *, user_id: str, request_id: str | None = None) -> DeactivateUserResponse:
        """Disables a user, and ends the user's sessions.

        Only admins and services may do so; UpdateUser enables the user again. Errors: NOT_FOUND (USER_NOT_FOUND);
        FAILED_PRECONDITION (LAST_ADMIN) if no enabled admin would remain; ABORTED (CONCURRENT_CHANGES) if others keep
        changing the user; UNAVAILABLE (REVOCATION_NOT_PUBLISHED) if the user is disabled but open connections could not
        be closed, so repeat the call; UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (NOT_ALLOWED,
        ORGANIZATION_REQUIRED).

        Args:
            user_id: The user's id.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "user.deactivate",
            request_body(userId=user_id, requestId=request_id),
            DeactivateUserResponse,
        )

    async def user_batch_upsert(
        self,
        *,
        users: Sequence[UserRow],
        fields: Sequence[str] | None = None,
        request_id: str | None = None,
    ) -> BatchUpsertUsersResponse:
        """Creates the users of a list that do not exist, and sets the named fields of those that do, as a sync job of
        the CRM does.

        Each row succeeds or fails by itself, and its result says which. Rows may swap e-mail addresses. A field that
        already has its value is not written: it neither ends sessions nor revokes tokens. Only admins and services may
        do so. Errors: UNAVAILABLE (STORE_UNAVAILABLE, REVOCATION_NOT_PUBLISHED) if some rows may not be done, so repeat
        the call; UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED); NOT_FOUND
        (ORGANIZATION_NOT_FOUND). Of a row: INVALID_FIELDS, DUPLICATE_ROW, EMAIL_TAKEN, LAST_ADMIN, CONCURRENT_CHANGES.

        Args:
            users: The rows, at most one for each user.
            fields: The fields that rows set in users that exist, of name, email, role, teams, avatarUrl and disabled;
                all if empty. A new user gets all fields of its row.
            request_id: Makes a repeat return the first outcome of each row that was done; kept for at least 24 hours. 1
                to 64 characters; empty for none.
        """
        return await self.call(
            "user.batchUpsert",
            request_body(users=users, fields=fields, requestId=request_id),
            BatchUpsertUsersResponse,
        )

    async def conversation_direct(
        self,
        *,
        user_id: str,
        request_id: str | None = None,
    ) -> GetOrCreateDirectConversationResponse:
        """Returns the direct conversation with a user, and creates it if necessary.

        Both users and all calls get the same one. Errors: INVALID_ARGUMENT (OWN_USER) if the user is the caller; if the
        conversation does not exist yet, NOT_FOUND (USER_NOT_FOUND) and PERMISSION_DENIED (CONTACT_NOT_ALLOWED) if the
        caller may not contact the user; UNAUTHENTICATED (ACCOUNT_DISABLED); RESOURCE_EXHAUSTED (OVERLOADED);
        UNAVAILABLE (SHUTTING_DOWN).

        Args:
            user_id: The other user's id.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "conversation.direct",
            request_body(userId=user_id, requestId=request_id),
            GetOrCreateDirectConversationResponse,
        )

    async def conversation_create(
        self,
        *,
        kind: Literal["group", "project"],
        name: str,
        description: str | None = None,
        member_ids: Sequence[str],
        external_ref: str | None = None,
        request_id: str | None = None,
    ) -> CreateConversationResponse:
        """Creates a group or project with the caller as its owner.

        An organization has one project for each external_ref: if it exists, returns it to its members unchanged. A
        project that all members have left passes to the caller and the given members; name and history stay. The
        organization's administrators and managers become admins of a project that has members. Errors:
        PERMISSION_DENIED (GROUP_CREATION_NOT_ALLOWED) if the caller's role may not create groups, (CONTACT_NOT_ALLOWED)
        if the caller may not contact one of the members, both whether the project exists or not; (NOT_A_MEMBER) if the
        project has members and the caller, with another role, is none of them; NOT_FOUND (USER_NOT_FOUND);
        FAILED_PRECONDITION (TOO_MANY_MEMBERS) if the project has 5,000 members; UNAUTHENTICATED (ACCOUNT_DISABLED);
        ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            kind: The kind of the new conversation; not direct, see GetOrCreateDirectConversation.
            name: The group's name: 1 to 200 characters, not blank.
            description: The group's description: at most 2,000 characters.
            member_ids: The ids of the other members, at most 4,999; duplicates and the caller are ignored.
            external_ref: A reference of the caller's choice, such as a ticket number: at most 200 characters.
                Identifies a project, where it must not be blank; several groups may have the same one, and it may be
                empty.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "conversation.create",
            request_body(
                kind=kind,
                name=name,
                description=description,
                memberIds=member_ids,
                externalRef=external_ref,
                requestId=request_id,
            ),
            CreateConversationResponse,
        )

    async def conversation_join_room(
        self,
        *,
        external_ref: str,
        name: str | None = None,
        request_id: str | None = None,
    ) -> JoinRoomResponse:
        """Adds the caller to a room, and creates the room if necessary.

        A room is a group that its external_ref identifies in the organization, and that all staff may join. The user
        who creates it becomes its owner. A client can enter a room only as a member that another user added, and
        creates none. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND) if the caller is a client and there is no such room;
        PERMISSION_DENIED (NOT_A_MEMBER) if the caller is a client and not a member; FAILED_PRECONDITION
        (TOO_MANY_MEMBERS) if the room has 5,000 members; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
        UNAVAILABLE (SHUTTING_DOWN).

        Args:
            external_ref: The reference that identifies the room: 1 to 200 characters, not blank.
            name: The room's name if this call creates it: at most 200 characters; empty to use external_ref.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "conversation.joinRoom",
            request_body(externalRef=external_ref, name=name, requestId=request_id),
            JoinRoomResponse,
        )

    async def conversation_get(self, *, conversation_id: str) -> GetConversationResponse:
        """Returns a conversation of the caller.

        Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).

        Args:
            conversation_id: The conversation's id.
        """
        return await self.call(
            "conversation.get",
            request_body(conversationId=conversation_id),
            GetConversationResponse,
        )

    async def conversation_list(
        self,
        *,
        kind: ConversationKind | None = None,
        archived: bool | None = None,
        updated_after: datetime | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        external_ref: str | None = None,
        kinds: Sequence[ConversationKind] | None = None,
    ) -> ListConversationsResponse:
        """Lists the caller's conversations, latest activity first.

        Errors: INVALID_ARGUMENT (INVALID_PAGE_TOKEN).

        Args:
            kind: The kind of the conversations to list; unspecified for all kinds.
            archived: Whether to list archived conversations or the others; absent for both.
            updated_after: Lists only conversations whose latest change, of any kind that takes a rev, was at or after
                this time; absent for all.
            page_size: The number of items in a page: 50 if 0, at most 200; larger values count as 200.
            page_token: The next_page_token of the previous page, with the same filters; empty for the first page. At
                most 2,000 characters.
            external_ref: Lists only conversations with this external_ref: at most 200 characters; empty for all.
            kinds: Only conversations of one of these kinds, or of kind; empty for any.
        """
        return await self.call(
            "conversation.list",
            request_body(
                kind=kind,
                archived=archived,
                updatedAfter=updated_after,
                pageSize=page_size,
                pageToken=page_token,
                externalRef=external_ref,
                kinds=kinds,
            ),
            ListConversationsResponse,
        )

    async def conversation_update(
        self,
        *,
        conversation_id: str,
        name: str | None = None,
        description: str | None = None,
        archived: bool | None = None,
        tags: Sequence[str] | None = None,
        muted_until: datetime | msgspec.UnsetType | None = msgspec.UNSET,
        request_id: str | None = None,
    ) -> UpdateConversationResponse:
        """Changes the given fields of a conversation.

        Every member may change muted_until_time, which is the member's own. The other fields require an owner or admin
        in a group; in a direct conversation both members may change archived and tags. Errors: NOT_FOUND
        (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_AN_ADMIN) if the caller is neither owner nor
        admin of the group; FAILED_PRECONDITION (DIRECT_CONVERSATION) if the name or description of a direct
        conversation is to change; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The conversation's id: 22 characters of base64url.
            name: The name: 1 to 200 characters; empty for a direct conversation.
            description: The description: at most 2,000 characters.
            archived: Whether the conversation is archived, for all members. Messages can still be sent.
            tags: Tags, the same for all members: at most 20, each 1 to 50 characters.
            muted_until: The time until which the viewer gets no notifications of this conversation; absent if not
                muted. None clears it.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "conversation.update",
            request_body(
                "mutedUntil",
                conversationId=conversation_id,
                name=name,
                description=description,
                archived=archived,
                tags=tags,
                mutedUntil=muted_until,
                requestId=request_id,
            ),
            UpdateConversationResponse,
        )

    async def conversation_pin(self, *, conversation_id: str, request_id: str | None = None) -> PinConversationResponse:
        """Pins a conversation in the caller's own list.

        Pinning a pinned conversation has no effect. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED
        (NOT_A_MEMBER); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The conversation's id.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "conversation.pin",
            request_body(conversationId=conversation_id, requestId=request_id),
            PinConversationResponse,
        )

    async def conversation_unpin(
        self,
        *,
        conversation_id: str,
        request_id: str | None = None,
    ) -> UnpinConversationResponse:
        """Unpins a conversation in the caller's own list.

        Unpinning one that is not pinned has no effect. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED
        (NOT_A_MEMBER); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The conversation's id.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "conversation.unpin",
            request_body(conversationId=conversation_id, requestId=request_id),
            UnpinConversationResponse,
        )

    async def member_add(
        self,
        *,
        conversation_id: str,
        user_ids: Sequence[str],
        request_id: str | None = None,
    ) -> AddMembersResponse:
        """Adds users to a group.

        Users who are members already remain as they are. Requires an owner or admin. New members see the whole history;
        messages sent before they joined count as read. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, USER_NOT_FOUND);
        PERMISSION_DENIED (NOT_A_MEMBER), (NOT_AN_ADMIN), (CONTACT_NOT_ALLOWED) if the caller may not contact one of the
        users; FAILED_PRECONDITION (DIRECT_CONVERSATION), (TOO_MANY_MEMBERS) if the group would have more than 5,000;
        UNAUTHENTICATED (ACCOUNT_DISABLED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE
        (SHUTTING_DOWN).

        Args:
            conversation_id: The group's id.
            user_ids: The ids of the users to add, 1 to 4,999.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "member.add",
            request_body(conversationId=conversation_id, userIds=user_ids, requestId=request_id),
            AddMembersResponse,
        )

    async def member_remove(
        self,
        *,
        conversation_id: str,
        user_id: str,
        request_id: str | None = None,
    ) -> RemoveMemberResponse:
        """Removes a member from a group, or lets the caller leave.

        Removing others requires an owner or admin. When the owner leaves, the longest-standing admin becomes the owner,
        or else the longest-standing member. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND), (MEMBER_NOT_FOUND) if the user
        is not a member; PERMISSION_DENIED (NOT_A_MEMBER), (NOT_AN_ADMIN), (OWNER_STAYS) if the user is the owner and
        not the caller; FAILED_PRECONDITION (DIRECT_CONVERSATION); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
        UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The group's id.
            user_id: The id of the user to remove; the caller's own to leave.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "member.remove",
            request_body(conversationId=conversation_id, userId=user_id, requestId=request_id),
            RemoveMemberResponse,
        )

    async def member_update(
        self,
        *,
        conversation_id: str,
        user_id: str,
        role: MemberRole,
        request_id: str | None = None,
    ) -> UpdateMemberResponse:
        """Changes the role of a member of a group.

        Requires an owner or admin; only the owner makes another member the owner, and then becomes an admin. Errors:
        NOT_FOUND (CONVERSATION_NOT_FOUND), (MEMBER_NOT_FOUND) if the user is not a member; PERMISSION_DENIED
        (NOT_A_MEMBER), (NOT_AN_ADMIN), (NOT_THE_OWNER) if the role of owner is to be given or taken by another than the
        owner; FAILED_PRECONDITION (DIRECT_CONVERSATION), (OWNER_NEEDED) if the owner would lose the role without a new
        owner; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The group's id.
            user_id: The user's id.
            role: The member's role in the conversation.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "member.update",
            request_body(conversationId=conversation_id, userId=user_id, role=role, requestId=request_id),
            UpdateMemberResponse,
        )

    async def member_list(
        self,
        *,
        conversation_id: str,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> ListMembersResponse:
        """Lists the members of a conversation, by user id.

        Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT
        (INVALID_PAGE_TOKEN).

        Args:
            conversation_id: The conversation's id.
            page_size: The number of items in a page: 50 if 0, at most 200; larger values count as 200.
            page_token: The next_page_token of the previous page, with the same filters; empty for the first page. At
                most 2,000 characters.
        """
        return await self.call(
            "member.list",
            request_body(conversationId=conversation_id, pageSize=page_size, pageToken=page_token),
            ListMembersResponse,
        )

    async def draft_set(
        self,
        *,
        conversation_id: str,
        text: str,
        reply_to: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Stores the caller's draft in a conversation, or removes it if the text is empty.

        The latest call wins. The caller's connections get an event of it. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND);
        PERMISSION_DENIED (NOT_A_MEMBER).

        Args:
            conversation_id: The conversation's id.
            text: The text: at most 16 KiB of UTF-8; empty to remove the draft.
            reply_to: The id of the message that the draft answers; empty for none.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        await self.call(
            "draft.set",
            request_body(conversationId=conversation_id, text=text, replyTo=reply_to, requestId=request_id),
            Empty,
        )

    async def draft_list(self) -> ListDraftsResponse:
        """Lists the caller's drafts in conversations of the caller, latest first: at most 200, and about 256 Ki
        characters.

        Errors: only those common to all RPCs.
        """
        return await self.call("draft.list", {}, ListDraftsResponse)

    async def message_send(
        self,
        *,
        conversation_id: str,
        client_message_id: str,
        text: str,
        kind: Literal["text", "image", "file", "audio", "link", "video", "location", "contact", "sticker"]
        | None = None,
        reply_to: str | None = None,
        mentions: Sequence[str] | None = None,
        attachments: Sequence[Attachment] | None = None,
        data: Mapping[str, object] | None = None,
    ) -> SendMessageResponse:
        """Sends a message as the caller.

        A repeat with the same conversation and client_message_id returns the first outcome, whatever else it says, for
        ever. The message is durable when the call returns, and counts as read by its sender together with all messages
        before it. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT
        (REPLY_NOT_FOUND) if reply_to is no message of the conversation; RESOURCE_EXHAUSTED (RATE_LIMITED) if the user
        sends too fast (by default over 20 messages a second after a burst of 100), (OVERLOADED) if too many messages
        are pending; ABORTED (CONTENDED); UNAVAILABLE (STORE_UNAVAILABLE, SHUTTING_DOWN). The last three codes have
        RetryInfo: repeat the call with the same client_message_id.

        Args:
            conversation_id: The conversation's id.
            client_message_id: The id that the client chose, which identifies repeats: 1 to 64 characters, preferably a
                UUID.
            text: The text: at most 16 KiB of UTF-8, not blank unless there are attachments.
            kind: The kind of the content: text if unspecified, never system.
            reply_to: The id of the message that this one answers, of the same conversation; empty for none.
            mentions: The ids of the mentioned users, at most 50; those of users who are not members are dropped.
            attachments: The attachments, at most 20.
            data: What the kind needs; see Message.data. A location and a contact require it, a sticker may have it,
                others must not.
        """
        return await self.call(
            "message.send",
            request_body(
                conversationId=conversation_id,
                clientMessageId=client_message_id,
                text=text,
                kind=kind,
                replyTo=reply_to,
                mentions=mentions,
                attachments=attachments,
                data=data,
            ),
            SendMessageResponse,
        )

    async def message_get(self, *, message_id: str) -> GetMessageResponse:
        """Returns a message by its id alone, from any conversation of the caller.

        Errors: NOT_FOUND (MESSAGE_NOT_FOUND) if it does not exist or belongs to another organization; PERMISSION_DENIED
        (NOT_A_MEMBER).

        Args:
            message_id: The message's id.
        """
        return await self.call("message.get", request_body(messageId=message_id), GetMessageResponse)

    async def message_list(
        self,
        *,
        conversation_id: str,
        before_seq: int | None = None,
        after_seq: int | None = None,
        around_seq: int | None = None,
        page_size: int | None = None,
    ) -> ListMessagesResponse:
        """Lists a page of a conversation's messages, by ascending seq.

        A page holds at most about 256 Ki characters, and at least one message if there is one. Errors: NOT_FOUND
        (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).

        Args:
            conversation_id: The conversation's id.
            before_seq: Lists the messages just before this seq; at least 1.
            after_seq: Lists the messages just after this seq; at least 0.
            around_seq: Lists the messages on both sides of this seq, and the one that has it; at least 1.
            page_size: The number of items in a page: 50 if 0, at most 200; larger values count as 200.
        """
        return await self.call(
            "message.list",
            request_body(
                conversationId=conversation_id,
                beforeSeq=before_seq,
                afterSeq=after_seq,
                aroundSeq=around_seq,
                pageSize=page_size,
            ),
            ListMessagesResponse,
        )

    async def message_sync(
        self,
        *,
        conversation_id: str,
        after_rev: int,
        page_size: int | None = None,
    ) -> SyncMessagesResponse:
        """Lists the messages that changed after a rev, by ascending rev, each once in its present state and tombstones
        included.

        A page holds at most about 256 Ki characters, and at least one message if there is one. Errors: NOT_FOUND
        (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).

        Args:
            conversation_id: The conversation's id.
            after_rev: The highest rev that the caller has applied; 0 for none.
            page_size: The number of items in a page: 50 if 0, at most 200; larger values count as 200.
        """
        return await self.call(
            "message.sync",
            request_body(conversationId=conversation_id, afterRev=after_rev, pageSize=page_size),
            SyncMessagesResponse,
        )

    async def message_edit(
        self,
        *,
        conversation_id: str,
        message_id: str,
        text: str,
        request_id: str | None = None,
    ) -> EditMessageResponse:
        """Replaces the text of one of the caller's messages.

        Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER),
        (NOT_THE_SENDER) if another user sent the message; FAILED_PRECONDITION (MESSAGE_DELETED); ABORTED (CONTENDED);
        RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The conversation's id.
            message_id: The message's id.
            text: The new text: 1 byte to 16 KiB of UTF-8, not blank.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "message.edit",
            request_body(conversationId=conversation_id, messageId=message_id, text=text, requestId=request_id),
            EditMessageResponse,
        )

    async def message_delete(
        self,
        *,
        conversation_id: str,
        message_id: str,
        request_id: str | None = None,
    ) -> DeleteMessageResponse:
        """Deletes a message for all members, and its text from the store.

        The sender may do so, the conversation's owner and admins, and those members who are admins or managers of the
        organization. Deleting a deleted message has no effect. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND,
        MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_THE_SENDER) if the caller may not delete the message;
        ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The conversation's id.
            message_id: The message's id.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "message.delete",
            request_body(conversationId=conversation_id, messageId=message_id, requestId=request_id),
            DeleteMessageResponse,
        )

    async def message_react(
        self,
        *,
        conversation_id: str,
        message_id: str,
        emoji: str,
        request_id: str | None = None,
    ) -> AddReactionResponse:
        """Adds a reaction of the caller to a message, at most one of each emoji.

        A reaction that exists has no effect. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND);
        PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT (INVALID_FIELDS) if emoji is not exactly one emoji of
        Unicode's list; FAILED_PRECONDITION (MESSAGE_DELETED), (TOO_MANY_REACTIONS) if the message has 20 other emoji or
        1,000 reactions; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The conversation's id.
            message_id: The message's id.
            emoji: The emoji: one of Unicode's list, with or without variation selectors.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "message.react",
            request_body(conversationId=conversation_id, messageId=message_id, emoji=emoji, requestId=request_id),
            AddReactionResponse,
        )

    async def message_unreact(
        self,
        *,
        conversation_id: str,
        message_id: str,
        emoji: str,
        request_id: str | None = None,
    ) -> RemoveReactionResponse:
        """Removes a reaction of the caller from a message.

        Removing one that does not exist has no effect. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND);
        PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT (INVALID_FIELDS) if emoji is not exactly one emoji of
        Unicode's list; FAILED_PRECONDITION (MESSAGE_DELETED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
        UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The conversation's id.
            message_id: The message's id.
            emoji: The emoji: one of Unicode's list, with or without variation selectors.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "message.unreact",
            request_body(conversationId=conversation_id, messageId=message_id, emoji=emoji, requestId=request_id),
            RemoveReactionResponse,
        )

    async def message_pin(
        self,
        *,
        conversation_id: str,
        message_id: str,
        request_id: str | None = None,
    ) -> PinMessageResponse:
        """Pins a message for all members.

        Pinning a pinned message has no effect. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND);
        PERMISSION_DENIED (NOT_A_MEMBER); FAILED_PRECONDITION (MESSAGE_DELETED), (TOO_MANY_PINNED) if the conversation
        has 50 pinned messages; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The conversation's id.
            message_id: The message's id.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "message.pin",
            request_body(conversationId=conversation_id, messageId=message_id, requestId=request_id),
            PinMessageResponse,
        )

    async def message_unpin(
        self,
        *,
        conversation_id: str,
        message_id: str,
        request_id: str | None = None,
    ) -> UnpinMessageResponse:
        """Unpins a message for all members.

        Unpinning a message that is not pinned has no effect. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND,
        MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); FAILED_PRECONDITION (MESSAGE_DELETED); ABORTED
        (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).

        Args:
            conversation_id: The conversation's id.
            message_id: The message's id.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "message.unpin",
            request_body(conversationId=conversation_id, messageId=message_id, requestId=request_id),
            UnpinMessageResponse,
        )

    async def message_pinned(self, *, conversation_id: str) -> ListPinnedMessagesResponse:
        """Lists the pinned messages of a conversation, by ascending seq: at most 50, which is all of them.

        Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).

        Args:
            conversation_id: The conversation's id.
        """
        return await self.call(
            "message.pinned",
            request_body(conversationId=conversation_id),
            ListPinnedMessagesResponse,
        )

    async def message_versions(self, *, conversation_id: str, message_id: str) -> ListMessageVersionsResponse:
        """Lists the texts that a message had and the one that it has, oldest first: the latest 200, and at most about
        256 Ki characters.

        Requires the message's sender, or an owner or admin of its group. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND,
        MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_THE_SENDER) if the caller may not see the versions;
        FAILED_PRECONDITION (MESSAGE_DELETED).

        Args:
            conversation_id: The conversation's id.
            message_id: The message's id.
        """
        return await self.call(
            "message.versions",
            request_body(conversationId=conversation_id, messageId=message_id),
            ListMessageVersionsResponse,
        )

    async def message_receipts(self, *, conversation_id: str, message_id: str) -> ListMessageReceiptsResponse:
        """Lists the members whom a message has reached, by user id, without its sender and those who joined after it.

        Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).

        Args:
            conversation_id: The conversation's id.
            message_id: The message's id.
        """
        return await self.call(
            "message.receipts",
            request_body(conversationId=conversation_id, messageId=message_id),
            ListMessageReceiptsResponse,
        )

    async def message_forward(
        self,
        *,
        conversation_id: str,
        message_id: str,
        to_conversation_ids: Sequence[str],
        client_message_id: str,
    ) -> ForwardMessageResponse:
        """Sends a copy of a message to other conversations of the caller, as the caller.

        The copies have the message's kind, text, attachments and data, and name the first message that they are copies
        of. A repeat with the same client_message_id completes the first attempt, and returns its messages. Errors:
        NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER) if the caller is not a
        member of one of the conversations; FAILED_PRECONDITION (MESSAGE_DELETED), (SYSTEM_MESSAGE) if it is one;
        RESOURCE_EXHAUSTED (RATE_LIMITED); in all of these cases nothing is sent. ABORTED (CONTENDED),
        RESOURCE_EXHAUSTED (OVERLOADED) and UNAVAILABLE (STORE_UNAVAILABLE, SHUTTING_DOWN) may leave some of the copies
        sent: repeat the call.

        Args:
            conversation_id: The conversation's id.
            message_id: The message's id.
            to_conversation_ids: The ids of the conversations to send a copy to: 1 to 20. Duplicates are ignored.
            client_message_id: The id that the client chose for the copies, which identifies repeats: 1 to 64
                characters, preferably a UUID.
        """
        return await self.call(
            "message.forward",
            request_body(
                conversationId=conversation_id,
                messageId=message_id,
                toConversationIds=to_conversation_ids,
                clientMessageId=client_message_id,
            ),
            ForwardMessageResponse,
        )

    async def receipt_read(self, *, conversation_id: str, seq: int) -> None:
        """Marks all messages up to a seq as read by the caller and delivered.

        Marks never move backwards. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).

        Args:
            conversation_id: The conversation's id.
            seq: The seq of the last message that was read, at least 1; one beyond the latest message counts as the
                latest.
        """
        await self.call("receipt.read", request_body(conversationId=conversation_id, seq=seq), Empty)

    async def receipt_delivered(self, *, conversation_id: str, seq: int) -> None:
        """Marks all messages up to a seq as delivered to the caller.

        Marks never move backwards. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).

        Args:
            conversation_id: The conversation's id.
            seq: The seq of the last message that was delivered, at least 1; one beyond the latest message counts as the
                latest.
        """
        await self.call("receipt.delivered", request_body(conversationId=conversation_id, seq=seq), Empty)

    async def typing_set(self, *, conversation_id: str, active: bool) -> None:
        """Shows the other members for 6 s that the caller is typing, or that the caller has stopped.

        Typing is never stored. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).

        Args:
            conversation_id: The conversation's id.
            active: Whether the caller is typing; false for stopped.
        """
        await self.call("typing.set", request_body(conversationId=conversation_id, active=active), Empty)

    async def message_schedule(
        self,
        *,
        conversation_id: str,
        client_message_id: str,
        text: str,
        send_time: datetime,
    ) -> ScheduleMessageResponse:
        """Schedules a message.

        A repeat with the same conversation and client_message_id returns the first outcome. Errors: NOT_FOUND
        (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT (INVALID_FIELDS) if send_time is
        past or over a year ahead; FAILED_PRECONDITION (ALREADY_SENT) if a message with the client_message_id was sent,
        (TOO_MANY_SCHEDULED) if 100 of the caller's messages are scheduled.

        Args:
            conversation_id: The conversation's id.
            client_message_id: The id that the client chose, which identifies repeats: 1 to 64 characters, preferably a
                UUID.
            text: The text: 1 byte to 16 KiB of UTF-8, not blank.
            send_time: The time at which to send the message: in the future, at most 366 days ahead.
        """
        return await self.call(
            "message.schedule",
            request_body(
                conversationId=conversation_id,
                clientMessageId=client_message_id,
                text=text,
                sendTime=send_time,
            ),
            ScheduleMessageResponse,
        )

    async def message_scheduled(self, *, conversation_id: str | None = None) -> ListScheduledMessagesResponse:
        """Lists the caller's scheduled messages, by ascending time.

        They are at most 100, and come in one page. Errors: only those common to all RPCs.

        Args:
            conversation_id: The id of the conversation; empty for all.
        """
        return await self.call(
            "message.scheduled",
            request_body(conversationId=conversation_id),
            ListScheduledMessagesResponse,
        )

    async def message_reschedule(
        self,
        *,
        scheduled_message_id: str,
        text: str | None = None,
        send_time: datetime | None = None,
        request_id: str | None = None,
    ) -> RescheduleMessageResponse:
        """Changes the text or the time of one of the caller's scheduled messages.

        Errors: NOT_FOUND (SCHEDULED_MESSAGE_NOT_FOUND); INVALID_ARGUMENT (INVALID_FIELDS) if neither is given, or
        send_time is past or over a year ahead; FAILED_PRECONDITION (ALREADY_SENT) if the message was sent or is being
        sent, (SEND_FAILED) if it could not be sent at its time.

        Args:
            scheduled_message_id: The id of the scheduled message.
            text: The new text: 1 byte to 16 KiB of UTF-8, not blank; absent to keep it.
            send_time: The new time: in the future, at most 366 days ahead; absent to keep it.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "message.reschedule",
            request_body(scheduledMessageId=scheduled_message_id, text=text, sendTime=send_time, requestId=request_id),
            RescheduleMessageResponse,
        )

    async def message_unschedule(self, *, scheduled_message_id: str, request_id: str | None = None) -> None:
        """Cancels one of the caller's scheduled messages.

        Cancelling a cancelled one has no effect. Errors: NOT_FOUND (SCHEDULED_MESSAGE_NOT_FOUND); FAILED_PRECONDITION
        (ALREADY_SENT) if the message was sent or is being sent, (SEND_FAILED) if it could not be sent at its time.

        Args:
            scheduled_message_id: The id of the scheduled message.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        await self.call(
            "message.unschedule",
            request_body(scheduledMessageId=scheduled_message_id, requestId=request_id),
            Empty,
        )

    async def notification_list(
        self,
        *,
        unread_only: bool | None = None,
        type: NotificationType | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> ListNotificationsResponse:
        """Lists the caller's notifications, latest first.

        Read ones are deleted after 90 days by default. Errors: INVALID_ARGUMENT (INVALID_PAGE_TOKEN).

        Args:
            unread_only: Lists only unread notifications.
            type: Lists only notifications of this type; unspecified for all types.
            page_size: The number of items in a page: 50 if 0, at most 200; larger values count as 200.
            page_token: The next_page_token of the previous page, with the same filters; empty for the first page. At
                most 2,000 characters.
        """
        return await self.call(
            "notification.list",
            request_body(unreadOnly=unread_only, type=type, pageSize=page_size, pageToken=page_token),
            ListNotificationsResponse,
        )

    async def notification_read(
        self,
        *,
        notification_id: str,
        request_id: str | None = None,
    ) -> MarkNotificationReadResponse:
        """Marks a notification as read.

        Errors: NOT_FOUND (NOTIFICATION_NOT_FOUND).

        Args:
            notification_id: The notification's id.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "notification.read",
            request_body(notificationId=notification_id, requestId=request_id),
            MarkNotificationReadResponse,
        )

    async def notification_read_all(self, *, request_id: str | None = None) -> MarkAllNotificationsReadResponse:
        """Marks all of the caller's notifications as read.

        Errors: only those common to all RPCs.

        Args:
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "notification.readAll",
            request_body(requestId=request_id),
            MarkAllNotificationsReadResponse,
        )

    async def notification_delete(
        self,
        *,
        notification_id: str,
        request_id: str | None = None,
    ) -> DeleteNotificationResponse:
        """Deletes a notification.

        Errors: NOT_FOUND (NOTIFICATION_NOT_FOUND).

        Args:
            notification_id: The notification's id.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "notification.delete",
            request_body(notificationId=notification_id, requestId=request_id),
            DeleteNotificationResponse,
        )

    async def notification_unread_count(self) -> GetUnreadCountResponse:
        """Returns the number of the caller's unread notifications.

        Errors: only those common to all RPCs.
        """
        return await self.call("notification.unreadCount", {}, GetUnreadCountResponse)

    async def notification_preferences_get(self) -> GetPreferencesResponse:
        """Returns the types of notifications that the caller has muted.

        Errors: only those common to all RPCs.
        """
        return await self.call("notification.preferences.get", {}, GetPreferencesResponse)

    async def notification_preferences_set(
        self,
        *,
        muted_types: Sequence[NotificationType],
        request_id: str | None = None,
    ) -> UpdatePreferencesResponse:
        """Replaces the types of notifications that the caller mutes.

        Errors: only those common to all RPCs.

        Args:
            muted_types: The types of which the user gets no notifications, at most 50; none by default.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        return await self.call(
            "notification.preferences.set",
            request_body(mutedTypes=muted_types, requestId=request_id),
            UpdatePreferencesResponse,
        )

    async def presence_get(self, *, user_ids: Sequence[str]) -> BatchGetPresenceResponse:
        """Returns the presence of users, in the order of the request.

        Users that do not exist, and other clients if the caller is a client, are offline without last_seen_time.
        Errors: only those common to all RPCs.

        Args:
            user_ids: The users' ids, at most 200.
        """
        return await self.call("presence.get", request_body(userIds=user_ids), BatchGetPresenceResponse)

    async def presence_set(
        self,
        *,
        status: ChosenStatus,
        text: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Sets the status that the caller shows.

        It stays, also without a session, until it is set again. Errors: ABORTED (STATUS_CONTENDED) if other calls of
        the user keep changing it; UNAVAILABLE (STORE_UNAVAILABLE), after which the status may have been set.

        Args:
            status: The status to show.
            text: The text to show: at most 140 characters; empty for none, absent to keep the present one.
            request_id: Makes a repeat return the first outcome; kept for at least 24 hours. 1 to 64 characters; empty
                for none.
        """
        await self.call("presence.set", request_body(status=status, text=text, requestId=request_id), Empty)
