"""Requests about messages, receipts and typing."""

from abc import abstractmethod
from collections.abc import Sequence

import msgspec

from parley_client.objects import Attachment, Message
from parley_client.replies import MessagePage, MessageReply, Nothing, SentMessage, SyncPage
from parley_client.requests.caller import Caller, present


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
        body = present(
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
        body = present(conversationId=conversation_id, beforeSeq=before_seq, afterSeq=after_seq, pageSize=page_size)
        return await self.call("message.list", body, MessagePage)

    async def sync_messages(self, conversation_id: str, after_rev: int, *, page_size: int | None = None) -> SyncPage:
        """A page of what changed after a rev; a client that tracks state does so by itself."""
        body = present(conversationId=conversation_id, afterRev=after_rev, pageSize=page_size)
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
        await self.call("receipt.read", {"conversationId": conversation_id, "seq": seq}, Nothing)

    async def mark_delivered(self, conversation_id: str, seq: int) -> None:
        """Says that everything up to a seq has reached this user."""
        await self.call("receipt.delivered", {"conversationId": conversation_id, "seq": seq}, Nothing)

    async def set_typing(self, conversation_id: str, *, active: bool = True) -> None:
        """Says that the user is typing, for 6 s, or has stopped."""
        await self.call("typing.set", {"conversationId": conversation_id, "active": active}, Nothing)
