"""The requests that the contract cannot generate: those that do more than one op, or are about the connection."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from parley_client.contract import Attachment, Operations, SendMessageResponse
from parley_client.protocol import Empty, WireObject, request_body


class SentMessage(SendMessageResponse, frozen=True, kw_only=True):
    """The place of a sent message, with the id that `send_message` sent it with."""

    client_message_id: str = ""


class TokenExpiry(WireObject, frozen=True, kw_only=True):
    """The expiry of the open connection's token."""

    expire_time: datetime | None = None


class ServerTime(WireObject, frozen=True, kw_only=True):
    """The server's time."""

    server_time: datetime


class Requests(Operations):
    """The requests of a client as methods."""

    @abstractmethod
    def new_message_id(self) -> str:
        """Returns a unique clientMessageId."""

    async def send_message(
        self,
        conversation_id: str,
        text: str,
        *,
        client_message_id: str | None = None,
        kind: Literal["text", "image", "file", "audio", "link", "video", "location", "contact", "sticker"]
        | None = None,
        reply_to: str | None = None,
        mentions: Sequence[str] = (),
        attachments: Sequence[Attachment] = (),
        data: Mapping[str, object] | None = None,
        deadline_seconds: float | None = None,
    ) -> SentMessage:
        """Sends a message, and returns when it is stored. Unlike `message_send`, it makes the id and has no deadline.

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
            data: what a location, contact or sticker consists of.
            deadline_seconds: how long to try; None tries without end. When it has passed, the message may or may not
                be stored: send it again with the same clientMessageId to find out.
        """
        message_id = client_message_id or self.new_message_id()
        body = request_body(
            conversationId=conversation_id,
            clientMessageId=message_id,
            text=text,
            kind=kind,
            replyTo=reply_to,
            mentions=list(mentions) or None,
            attachments=list(attachments) or None,
            data=data,
        )
        sent = await self.call("message.send", body, SentMessage, deadline_seconds=deadline_seconds)
        return msgspec.structs.replace(sent, client_message_id=message_id)

    # The gateway handles these ops itself; no RPC defines them.

    async def set_idle(self, *, idle: bool) -> None:
        """Reports whether the user is away from this device."""
        await self.call("presence.set", {"idle": idle}, Empty)

    async def session_refresh(self, *, access_token: str) -> TokenExpiry:
        """Presents a newer token for the open connection; the client does so by itself."""
        return await self.call("session.refresh", {"accessToken": access_token}, TokenExpiry)

    async def session_ping(self) -> ServerTime:
        """Returns the server's time."""
        return await self.call("session.ping", {}, ServerTime)
