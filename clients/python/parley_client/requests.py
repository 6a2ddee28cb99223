"""One method for each op of the protocol. All of them go through `call`."""

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


def without_none(**fields: object) -> dict[str, object]:
    """Returns the fields whose value is not None."""
    return {name: value for name, value in fields.items() if value is not None}


class Requests(ABC):
    """The requests of a client as methods."""

    @abstractmethod
    async def call(
        self,
        op: str,
        body: Mapping[str, object],
        shape: type[T],
        *,
        repeatable: bool | None = None,
        deadline_seconds: float | UnsetType | None = UNSET,
    ) -> T:
        """Makes a request and returns its answer as `shape`; see Client.call."""

    @abstractmethod
    def new_message_id(self) -> str:
        """Returns a unique clientMessageId."""

    # user.*, presence.* and session.*

    async def me(self) -> User:
        """Returns the user as the directory has them now."""
        return (await self.call("user.me", {}, UserReply)).user

    async def search_users(
        self, query: str, *, page_size: int | None = None, page_token: str | None = None
    ) -> UserPage:
        """Returns a page of the users to whom the user may write."""
        body = without_none(query=query, pageSize=page_size, pageToken=page_token)
        return await self.call("user.search", body, UserPage)

    async def set_presence(self, status: str, text: str | None = None) -> None:
        """Sets the status: online, away, dnd or invisible. `text` None keeps the current text, "" removes it."""
        await self.call("presence.set", without_none(status=status, text=text), Empty)

    async def set_idle(self, *, idle: bool) -> None:
        """Reports whether the user is idle at this device."""
        await self.call("presence.set", {"idle": idle}, Empty)

    async def get_presences(self, user_ids: Sequence[str]) -> list[Presence]:
        """Returns the presence of at most 200 users, in the order of `user_ids`."""
        return (await self.call("presence.get", {"userIds": user_ids}, PresenceReply)).presences

    async def refresh_session(self, access_token: str) -> TokenExpiry:
        """Presents a newer token for the open connection; the client does so by itself."""
        return await self.call("session.refresh", {"accessToken": access_token}, TokenExpiry)

    # conversation.* and member.*

    async def direct_conversation(self, user_id: str) -> Conversation:
        """Returns the direct conversation with a user, and creates it if there is none; both users get the same one."""
        return await self._conversation("conversation.direct", {"userId": user_id})

    async def create_group(
        self,
        name: str,
        member_ids: Sequence[str],
        *,
        description: str | None = None,
        external_ref: str | None = None,
    ) -> Conversation:
        """Creates a group with the user as its owner."""
        body = without_none(
            kind="group", name=name, memberIds=member_ids, description=description, externalRef=external_ref
        )
        return await self._conversation("conversation.create", body)

    async def get_conversation(self, conversation_id: str) -> Conversation:
        """Returns a conversation as it is now."""
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
        """Returns a page of the user's conversations, latest activity first."""
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
        """Changes the fields that are not None.

        Args:
            conversation_id: the conversation.
            name: its name.
            description: its description.
            archived: whether it is archived.
            tags: its tags, all of them.
            muted_until: until when it is muted for this user alone; a time in the past unmutes it.
        """
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
        """Removes a member; with the user's own id, leaves the conversation."""
        return await self._conversation("member.remove", {"conversationId": conversation_id, "userId": user_id})

    async def update_member(self, conversation_id: str, user_id: str, role: str) -> Conversation:
        """Sets a member's role: owner, admin or member."""
        body = without_none(conversationId=conversation_id, userId=user_id, role=role)
        return await self._conversation("member.update", body)

    async def _conversation(self, op: str, body: dict[str, object]) -> Conversation:
        return (await self.call(op, body, ConversationReply)).conversation

    # message.*, receipt.* and typing.*

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

        The client repeats it, with the same clientMessageId, after every reconnect and every retryable error, until the
        server acknowledges or refuses it. The message is posted once, however often the client sends it. Messages sent
        one after the other, each awaited, keep their order; messages sent concurrently may be reordered by a retry.

        Args:
            conversation_id: the conversation.
            text: the text, at most 16 KiB.
            client_message_id: 1 to 64 characters that identify the message; generated if None.
            kind: the kind of message; "text" if None.
            reply_to: the id of the message that this one replies to.
            mentions: the ids of the users that it mentions.
            attachments: its attachments.
            deadline_seconds: how long to try; None tries without end. When it has passed, the message may or may not
                be stored: send it again with the same clientMessageId to find out.
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
        """Returns a page of history: the latest messages, or those just before or just after a seq."""
        body = without_none(
            conversationId=conversation_id, beforeSeq=before_seq, afterSeq=after_seq, pageSize=page_size
        )
        return await self.call("message.list", body, MessagePage)

    async def sync_messages(self, conversation_id: str, after_rev: int, *, page_size: int | None = None) -> SyncPage:
        """Returns a page of the changes after a rev; a client that tracks state does so by itself."""
        body = without_none(conversationId=conversation_id, afterRev=after_rev, pageSize=page_size)
        return await self.call("message.sync", body, SyncPage)

    async def edit_message(self, conversation_id: str, message_id: str, text: str) -> Message:
        """Replaces the text of one of the user's own messages."""
        body = {"conversationId": conversation_id, "messageId": message_id, "text": text}
        return (await self.call("message.edit", body, MessageReply)).message

    async def delete_message(self, conversation_id: str, message_id: str) -> Message:
        """Deletes a message for all members; returns its tombstone."""
        body = {"conversationId": conversation_id, "messageId": message_id}
        return (await self.call("message.delete", body, MessageReply)).message

    async def mark_read(self, conversation_id: str, seq: int) -> None:
        """Marks all messages up to a seq as read."""
        await self.call("receipt.read", {"conversationId": conversation_id, "seq": seq}, Empty)

    async def mark_delivered(self, conversation_id: str, seq: int) -> None:
        """Marks all messages up to a seq as delivered to this user."""
        await self.call("receipt.delivered", {"conversationId": conversation_id, "seq": seq}, Empty)

    async def set_typing(self, conversation_id: str, *, active: bool = True) -> None:
        """Reports that the user is typing, for 6 s, or has stopped."""
        await self.call("typing.set", {"conversationId": conversation_id, "active": active}, Empty)

    # notification.*

    async def list_notifications(
        self,
        *,
        unread_only: bool | None = None,
        kind: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> NotificationPage:
        """Returns a page of notifications, latest first; `kind` is a notification type such as NEW_MESSAGE."""
        body = without_none(unreadOnly=unread_only, type=kind, pageSize=page_size, pageToken=page_token)
        return await self.call("notification.list", body, NotificationPage)

    async def read_notification(self, notification_id: str) -> int:
        """Marks a notification as read; returns the number of unread ones."""
        return await self._unread_count("notification.read", {"notificationId": notification_id})

    async def delete_notification(self, notification_id: str) -> int:
        """Deletes a notification; returns the number of unread ones."""
        return await self._unread_count("notification.delete", {"notificationId": notification_id})

    async def read_all_notifications(self) -> int:
        """Marks all notifications as read; returns the number of unread ones."""
        return await self._unread_count("notification.readAll", {})

    async def unread_notification_count(self) -> int:
        """Returns the number of unread notifications."""
        return await self._unread_count("notification.unreadCount", {})

    async def _unread_count(self, op: str, body: dict[str, object]) -> int:
        return (await self.call(op, body, UnreadCount)).unread_count
