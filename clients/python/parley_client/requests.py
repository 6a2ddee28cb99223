"""Requests as methods, one for each op of the protocol, grouped by what they are about."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from parley_client.protocol import (
    Attachment,
    Conversation,
    ConversationPage,
    ConversationReply,
    Empty,
    Message,
    MessagePage,
    MessageReply,
    NotificationPage,
    Presence,
    PresenceReply,
    SentMessage,
    SyncPage,
    TokenExpiry,
    UnreadCount,
    User,
    UserPage,
    UserReply,
)

T = TypeVar("T")


class Caller(ABC):
    """Makes requests."""

    @abstractmethod
    async def call(
        self, op: str, body: Mapping[str, object], shape: type[T], *, deadline_seconds: float | UnsetType | None = UNSET
    ) -> T:
        """Makes a request and returns its answer in the shape asked for; see Client.call."""


def without_none(**fields: object) -> dict[str, object]:
    """The fields that are given: those that are None are left out."""
    return {name: value for name, value in fields.items() if value is not None}


class AccountRequests(Caller):
    """`user.*`, `presence.*` and `session.*`."""

    async def me(self) -> User:
        """The user as the directory has them now."""
        return (await self.call("user.me", {}, UserReply)).user

    async def search_users(
        self, query: str, *, page_size: int | None = None, page_token: str | None = None
    ) -> UserPage:
        """A page of the users to whom the user may write."""
        return await self.call(
            "user.search", without_none(query=query, pageSize=page_size, pageToken=page_token), UserPage
        )

    async def set_presence(self, status: str, text: str | None = None) -> None:
        """Chooses a status: online, away, dnd or invisible; `text` None leaves the text as it is, "" removes it."""
        await self.call("presence.set", without_none(status=status, text=text), Empty)

    async def set_idle(self, *, idle: bool) -> None:
        """Says whether the user is at this device."""
        await self.call("presence.set", {"idle": idle}, Empty)

    async def get_presences(self, user_ids: Sequence[str]) -> list[Presence]:
        """The presence of some users, at most 200, in the order asked for."""
        return (await self.call("presence.get", {"userIds": user_ids}, PresenceReply)).presences

    async def refresh_session(self, access_token: str) -> TokenExpiry:
        """Shows a newer token for the open connection; the client does so by itself."""
        return await self.call("session.refresh", {"accessToken": access_token}, TokenExpiry)


class ConversationRequests(Caller):
    """`conversation.*` and `member.*`."""

    async def direct_conversation(self, user_id: str) -> Conversation:
        """The conversation with a user, made when there is none yet; the same one for both and every time."""
        return await self._conversation("conversation.direct", {"userId": user_id})

    async def create_group(
        self,
        name: str,
        member_ids: Sequence[str],
        *,
        description: str | None = None,
        external_ref: str | None = None,
    ) -> Conversation:
        """Makes a group with the user as its owner."""
        body = without_none(
            kind="group", name=name, memberIds=member_ids, description=description, externalRef=external_ref
        )
        return await self._conversation("conversation.create", body)

    async def get_conversation(self, conversation_id: str) -> Conversation:
        """One conversation as it is now."""
        return await self._conversation("conversation.get", {"conversationId": conversation_id})

    async def list_conversations(
        self,
        *,
        kind: str | None = None,
        archived: bool | None = None,
        updated_after: datetime | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> ConversationPage:
        """A page of the user's conversations, latest activity first."""
        body = without_none(
            kind=kind, archived=archived, updatedAfter=updated_after, pageSize=page_size, pageToken=page_token
        )
        return await self.call("conversation.list", body, ConversationPage)

    async def update_conversation(
        self,
        conversation_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        archived: bool | None = None,
        tags: Sequence[str] | None = None,
        muted_until: datetime | None = None,
    ) -> Conversation:
        """Changes what is given; `muted_until` is the user's own, and a time in the past ends it."""
        body = without_none(
            conversationId=conversation_id,
            name=name,
            description=description,
            archived=archived,
            tags=tags,
            mutedUntil=muted_until,
        )
        return await self._conversation("conversation.update", body)

    async def add_members(self, conversation_id: str, user_ids: Sequence[str]) -> Conversation:
        """Adds users to a group."""
        return await self._conversation("member.add", {"conversationId": conversation_id, "userIds": user_ids})

    async def remove_member(self, conversation_id: str, user_id: str) -> Conversation:
        """Removes a member, or the user, who leaves."""
        return await self._conversation("member.remove", {"conversationId": conversation_id, "userId": user_id})

    async def update_member(self, conversation_id: str, user_id: str, role: str) -> Conversation:
        """Gives a member a role: owner, admin or member."""
        body = without_none(conversationId=conversation_id, userId=user_id, role=role)
        return await self._conversation("member.update", body)

    async def _conversation(self, op: str, body: dict[str, object]) -> Conversation:
        return (await self.call(op, body, ConversationReply)).conversation


class MessageRequests(Caller):
    """`message.*`, `receipt.*` and `typing.*`."""

    @abstractmethod
    def new_message_id(self) -> str:
        """A clientMessageId that was never used."""

    async def send_message(
        self,
        conversation_id: str,
        text: str,
        *,
        client_message_id: str | None = None,
        kind: str | None = None,
        reply_to: str | None = None,
        mentions: Sequence[str] = (),
        attachments: Sequence[Attachment] = (),
        deadline_seconds: float | None = None,
    ) -> SentMessage:
        """Sends a message, and returns when it is stored.

        It is sent again, with the same clientMessageId, after every reconnect and every error that may pass, until it
        is acknowledged or refused: it is posted once however often that is. Messages that are sent one after the
        other, each awaited, keep their order; those sent at the same time may change places when one has to be retried.

        Args:
            conversation_id: where to.
            text: what, at most 16 KiB.
            client_message_id: 1 to 64 characters, the same for the same message; made up when not given.
            kind: text when not given.
            reply_to: the id of the message that it answers.
            mentions: user ids.
            attachments: what it carries.
            deadline_seconds: how long to try; for ever when not given. After it nobody knows whether the message was
                stored: send it again with the same clientMessageId to learn.
        """
        message_id = client_message_id or self.new_message_id()
        body = without_none(
            conversationId=conversation_id,
            clientMessageId=message_id,
            text=text,
            kind=kind,
            replyTo=reply_to,
            mentions=list(mentions) or None,
            attachments=list(attachments) or None,
        )
        sent = await self.call("message.send", body, SentMessage, deadline_seconds=deadline_seconds)
        return msgspec.structs.replace(sent, client_message_id=message_id)

    async def list_messages(
        self,
        conversation_id: str,
        *,
        before_seq: int | None = None,
        after_seq: int | None = None,
        page_size: int | None = None,
    ) -> MessagePage:
        """A page of history: the newest messages, or those just before or just after a seq."""
        body = without_none(
            conversationId=conversation_id, beforeSeq=before_seq, afterSeq=after_seq, pageSize=page_size
        )
        return await self.call("message.list", body, MessagePage)

    async def sync_messages(self, conversation_id: str, after_rev: int, *, page_size: int | None = None) -> SyncPage:
        """A page of what changed after a rev; a client that tracks state does so by itself."""
        body = without_none(conversationId=conversation_id, afterRev=after_rev, pageSize=page_size)
        return await self.call("message.sync", body, SyncPage)

    async def edit_message(self, conversation_id: str, message_id: str, text: str) -> Message:
        """Replaces the text of one's own message."""
        body = {"conversationId": conversation_id, "messageId": message_id, "text": text}
        return (await self.call("message.edit", body, MessageReply)).message

    async def delete_message(self, conversation_id: str, message_id: str) -> Message:
        """Deletes a message for everyone; returns its tombstone."""
        body = {"conversationId": conversation_id, "messageId": message_id}
        return (await self.call("message.delete", body, MessageReply)).message

    async def mark_read(self, conversation_id: str, seq: int) -> None:
        """Says that everything up to a seq has been read."""
        await self.call("receipt.read", {"conversationId": conversation_id, "seq": seq}, Empty)

    async def mark_delivered(self, conversation_id: str, seq: int) -> None:
        """Says that everything up to a seq has reached this user."""
        await self.call("receipt.delivered", {"conversationId": conversation_id, "seq": seq}, Empty)

    async def set_typing(self, conversation_id: str, *, active: bool = True) -> None:
        """Says that the user is typing, for 6 s, or has stopped."""
        await self.call("typing.set", {"conversationId": conversation_id, "active": active}, Empty)


class NotificationRequests(Caller):
    """`notification.*`."""

    async def list_notifications(
        self,
        *,
        unread_only: bool | None = None,
        kind: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> NotificationPage:
        """A page of notifications, latest first; `kind` is a notification type such as NEW_MESSAGE."""
        body = without_none(unreadOnly=unread_only, type=kind, pageSize=page_size, pageToken=page_token)
        return await self.call("notification.list", body, NotificationPage)

    async def read_notification(self, notification_id: str) -> int:
        """Marks one as read; returns how many are unread."""
        return await self._unread_count("notification.read", {"notificationId": notification_id})

    async def delete_notification(self, notification_id: str) -> int:
        """Deletes one; returns how many are unread."""
        return await self._unread_count("notification.delete", {"notificationId": notification_id})

    async def read_all_notifications(self) -> int:
        """Marks all as read; returns how many are unread."""
        return await self._unread_count("notification.readAll", {})

    async def unread_notification_count(self) -> int:
        """How many are unread."""
        return await self._unread_count("notification.unreadCount", {})

    async def _unread_count(self, op: str, body: dict[str, object]) -> int:
        return (await self.call(op, body, UnreadCount)).unread_count


class Requests(AccountRequests, ConversationRequests, MessageRequests, NotificationRequests):
    """All requests."""


__all__ = ["Requests"]
