"""Runs a replica of chat in this process, and calls it as its users do."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
from parley.chat.v1 import (
    chat_pb2,
    conversation_pb2,
    conversation_pb2_grpc,
    draft_pb2,
    draft_pb2_grpc,
    event_pb2_grpc,
    message_pb2,
    schedule_pb2,
    schedule_pb2_grpc,
)
from parley.chat.v1 import message_pb2_grpc as message_grpc

from chassis.rpc.channel import Metadata, open_channel
from chassis.rpc.server import serving
from services.chat.settings import Settings
from services.chat.wiring import wire
from tests.component.auth_service import RunningAuth, SignedIn

TIMEOUT = 40.0


@dataclass(frozen=True)
class RunningChat:
    """A replica of chat, with its stubs."""

    target: str
    channel: grpc.aio.Channel

    @property
    def messages(self) -> message_grpc.MessageServiceStub:
        """Returns a stub of MessageService."""
        return message_grpc.MessageServiceStub(self.channel)

    @property
    def conversations(self) -> conversation_pb2_grpc.ConversationServiceStub:
        """Returns a stub of ConversationService."""
        return conversation_pb2_grpc.ConversationServiceStub(self.channel)

    @property
    def events(self) -> event_pb2_grpc.EventServiceStub:
        """Returns a stub of EventService."""
        return event_pb2_grpc.EventServiceStub(self.channel)

    @property
    def drafts(self) -> draft_pb2_grpc.DraftServiceStub:
        """Returns a stub of DraftService."""
        return draft_pb2_grpc.DraftServiceStub(self.channel)

    @property
    def schedule(self) -> schedule_pb2_grpc.ScheduleServiceStub:
        """Returns a stub of ScheduleService."""
        return schedule_pb2_grpc.ScheduleServiceStub(self.channel)

    def as_user(self, user: SignedIn) -> Person:
        """Returns a user who calls this replica."""
        return Person(self, user.user_id, user.user.name, user.metadata)


@dataclass(frozen=True)
class Person:
    """A user who calls a replica. Each method is one call."""

    chat: RunningChat
    user_id: str
    name: str
    metadata: Metadata

    async def direct(self, other: str) -> chat_pb2.Conversation:
        """Returns the direct conversation with another user."""
        request = conversation_pb2.GetOrCreateDirectConversationRequest(user_id=other)
        stub = self.chat.conversations
        return (await stub.GetOrCreateDirectConversation(request, metadata=self.metadata, timeout=TIMEOUT)).conversation

    async def create_group(self, name: str, *member_ids: str) -> chat_pb2.Conversation:
        """Creates a group."""
        request = conversation_pb2.CreateConversationRequest(
            kind=chat_pb2.CONVERSATION_KIND_GROUP, name=name, member_ids=member_ids
        )
        stub = self.chat.conversations
        return (await stub.CreateConversation(request, metadata=self.metadata, timeout=TIMEOUT)).conversation

    async def conversation(self, conversation_id: str) -> chat_pb2.Conversation:
        """Returns a conversation as this user sees it."""
        request = conversation_pb2.GetConversationRequest(conversation_id=conversation_id)
        stub = self.chat.conversations
        return (await stub.GetConversation(request, metadata=self.metadata, timeout=TIMEOUT)).conversation

    async def list(self, **options: object) -> conversation_pb2.ListConversationsResponse:
        """Returns a page of this user's conversations."""
        request = conversation_pb2.ListConversationsRequest(**options)  # type: ignore[arg-type]
        return await self.chat.conversations.ListConversations(request, metadata=self.metadata, timeout=TIMEOUT)

    async def send(
        self, conversation_id: str, text: str, client_message_id: str | None = None, **draft: object
    ) -> message_pb2.SendResult:
        """Sends a message."""
        request = message_pb2.SendMessageRequest(
            draft=message_pb2.Draft(
                conversation_id=conversation_id,
                text=text,
                client_message_id=secrets.token_hex(8) if client_message_id is None else client_message_id,
                **draft,  # type: ignore[arg-type]
            )
        )
        return (await self.chat.messages.SendMessage(request, metadata=self.metadata, timeout=TIMEOUT)).result

    async def history(self, conversation_id: str, **place: object) -> message_pb2.ListMessagesResponse:
        """Returns a page of history."""
        request = message_pb2.ListMessagesRequest(conversation_id=conversation_id, **place)  # type: ignore[arg-type]
        return await self.chat.messages.ListMessages(request, metadata=self.metadata, timeout=TIMEOUT)

    async def sync(self, conversation_id: str, after_rev: int, page_size: int = 0) -> message_pb2.SyncMessagesResponse:
        """Returns a page of changed messages."""
        request = message_pb2.SyncMessagesRequest(
            conversation_id=conversation_id, after_rev=after_rev, page_size=page_size
        )
        return await self.chat.messages.SyncMessages(request, metadata=self.metadata, timeout=TIMEOUT)

    async def edit(self, conversation_id: str, message_id: str, text: str) -> chat_pb2.Message:
        """Edits a message."""
        request = message_pb2.EditMessageRequest(conversation_id=conversation_id, message_id=message_id, text=text)
        return (await self.chat.messages.EditMessage(request, metadata=self.metadata, timeout=TIMEOUT)).message

    async def delete(self, conversation_id: str, message_id: str) -> chat_pb2.Message:
        """Deletes a message."""
        request = message_pb2.DeleteMessageRequest(conversation_id=conversation_id, message_id=message_id)
        return (await self.chat.messages.DeleteMessage(request, metadata=self.metadata, timeout=TIMEOUT)).message

    async def react(
        self, conversation_id: str, message_id: str, emoji: str, *, active: bool = True
    ) -> chat_pb2.Message:
        """Adds a reaction, or removes one."""
        keys = {"conversation_id": conversation_id, "message_id": message_id, "emoji": emoji}
        if active:
            added = message_pb2.AddReactionRequest(**keys)
            return (await self.chat.messages.AddReaction(added, metadata=self.metadata, timeout=TIMEOUT)).message
        removed = message_pb2.RemoveReactionRequest(**keys)
        return (await self.chat.messages.RemoveReaction(removed, metadata=self.metadata, timeout=TIMEOUT)).message

    async def pin(self, conversation_id: str, message_id: str, *, pinned: bool = True) -> chat_pb2.Message:
        """Pins a message, or unpins it."""
        keys = {"conversation_id": conversation_id, "message_id": message_id}
        stub = self.chat.messages
        if pinned:
            pin = message_pb2.PinMessageRequest(**keys)
            return (await stub.PinMessage(pin, metadata=self.metadata, timeout=TIMEOUT)).message
        unpin = message_pb2.UnpinMessageRequest(**keys)
        return (await stub.UnpinMessage(unpin, metadata=self.metadata, timeout=TIMEOUT)).message

    async def pinned(self, conversation_id: str) -> Sequence[chat_pb2.Message]:
        """Returns the pinned messages."""
        request = message_pb2.ListPinnedMessagesRequest(conversation_id=conversation_id)
        response = await self.chat.messages.ListPinnedMessages(request, metadata=self.metadata, timeout=TIMEOUT)
        return response.messages

    async def versions(self, conversation_id: str, message_id: str) -> Sequence[chat_pb2.MessageVersion]:
        """Returns a message's versions."""
        request = message_pb2.ListMessageVersionsRequest(conversation_id=conversation_id, message_id=message_id)
        response = await self.chat.messages.ListMessageVersions(request, metadata=self.metadata, timeout=TIMEOUT)
        return response.versions

    async def forward(
        self, conversation_id: str, message_id: str, *targets: str, key: str | None = None
    ) -> Sequence[chat_pb2.Message]:
        """Forwards a message."""
        request = message_pb2.ForwardMessageRequest(
            conversation_id=conversation_id,
            message_id=message_id,
            to_conversation_ids=targets,
            client_message_id=key or secrets.token_hex(8),
        )
        response = await self.chat.messages.ForwardMessage(request, metadata=self.metadata, timeout=TIMEOUT)
        return response.messages

    async def pin_conversation(self, conversation_id: str, *, pinned: bool = True) -> chat_pb2.Conversation:
        """Pins a conversation for this user, or unpins it."""
        stub = self.chat.conversations
        if pinned:
            pin = conversation_pb2.PinConversationRequest(conversation_id=conversation_id)
            return (await stub.PinConversation(pin, metadata=self.metadata, timeout=TIMEOUT)).conversation
        unpin = conversation_pb2.UnpinConversationRequest(conversation_id=conversation_id)
        return (await stub.UnpinConversation(unpin, metadata=self.metadata, timeout=TIMEOUT)).conversation

    async def set_draft(self, conversation_id: str, text: str, *, request_id: str = "", reply_to: str = "") -> None:
        """Stores a draft, or removes it."""
        request = draft_pb2.SetDraftRequest(
            conversation_id=conversation_id, text=text, reply_to=reply_to, request_id=request_id
        )
        await self.chat.drafts.SetDraft(request, metadata=self.metadata, timeout=TIMEOUT)

    async def drafts(self) -> Sequence[draft_pb2.MessageDraft]:
        """Returns this user's drafts."""
        stub = self.chat.drafts
        return (await stub.ListDrafts(draft_pb2.ListDraftsRequest(), metadata=self.metadata, timeout=TIMEOUT)).drafts

    async def schedule(
        self, conversation_id: str, text: str, delay: timedelta, key: str | None = None
    ) -> schedule_pb2.ScheduleMessageResponse:
        """Schedules a message."""
        request = schedule_pb2.ScheduleMessageRequest(
            conversation_id=conversation_id, client_message_id=key or secrets.token_hex(8), text=text
        )
        request.send_time.FromDatetime(datetime.now(UTC) + delay)
        return await self.chat.schedule.ScheduleMessage(request, metadata=self.metadata, timeout=TIMEOUT)

    async def scheduled(self, conversation_id: str = "") -> Sequence[schedule_pb2.ScheduledMessage]:
        """Returns this user's scheduled messages."""
        request = schedule_pb2.ListScheduledMessagesRequest(conversation_id=conversation_id)
        response = await self.chat.schedule.ListScheduledMessages(request, metadata=self.metadata, timeout=TIMEOUT)
        return response.scheduled_messages

    async def reschedule(
        self, scheduled_id: str, *, text: str | None = None, delay: timedelta | None = None, request_id: str = ""
    ) -> schedule_pb2.ScheduledMessage:
        """Changes a scheduled message."""
        request = schedule_pb2.RescheduleMessageRequest(
            scheduled_message_id=scheduled_id, text=text, request_id=request_id
        )
        if delay is not None:
            request.send_time.FromDatetime(datetime.now(UTC) + delay)
        stub = self.chat.schedule
        response = await stub.RescheduleMessage(request, metadata=self.metadata, timeout=TIMEOUT)
        return response.scheduled_message

    async def unschedule(self, scheduled_id: str) -> None:
        """Cancels a scheduled message."""
        request = schedule_pb2.UnscheduleMessageRequest(scheduled_message_id=scheduled_id)
        await self.chat.schedule.UnscheduleMessage(request, metadata=self.metadata, timeout=TIMEOUT)

    async def receipts(self, conversation_id: str, message_id: str) -> Sequence[chat_pb2.MessageReceipt]:
        """Returns a message's receipts."""
        request = message_pb2.ListMessageReceiptsRequest(conversation_id=conversation_id, message_id=message_id)
        response = await self.chat.messages.ListMessageReceipts(request, metadata=self.metadata, timeout=TIMEOUT)
        return response.receipts

    async def mark_delivered(self, conversation_id: str, seq: int) -> None:
        """Marks messages as delivered."""
        request = message_pb2.MarkDeliveredRequest(conversation_id=conversation_id, seq=seq)
        await self.chat.messages.MarkDelivered(request, metadata=self.metadata, timeout=TIMEOUT)

    async def mark_read(self, conversation_id: str, seq: int) -> None:
        """Marks messages as read."""
        request = message_pb2.MarkReadRequest(conversation_id=conversation_id, seq=seq)
        await self.chat.messages.MarkRead(request, metadata=self.metadata, timeout=TIMEOUT)

    async def add(self, conversation_id: str, *user_ids: str) -> chat_pb2.Conversation:
        """Adds members."""
        request = conversation_pb2.AddMembersRequest(conversation_id=conversation_id, user_ids=user_ids)
        return (await self.chat.conversations.AddMembers(request, metadata=self.metadata, timeout=TIMEOUT)).conversation

    async def remove(self, conversation_id: str, user_id: str) -> chat_pb2.Conversation:
        """Removes a member, or leaves."""
        request = conversation_pb2.RemoveMemberRequest(conversation_id=conversation_id, user_id=user_id)
        stub = self.chat.conversations
        return (await stub.RemoveMember(request, metadata=self.metadata, timeout=TIMEOUT)).conversation

    async def set_role(
        self, conversation_id: str, user_id: str, role: chat_pb2.MemberRole.ValueType
    ) -> chat_pb2.Conversation:
        """Changes a member's role."""
        request = conversation_pb2.UpdateMemberRequest(
            conversation_id=conversation_id, member=chat_pb2.Member(user_id=user_id, role=role)
        )
        stub = self.chat.conversations
        return (await stub.UpdateMember(request, metadata=self.metadata, timeout=TIMEOUT)).conversation


@asynccontextmanager
async def running_chat(
    auth: RunningAuth, mongodb_uri: str, redis_url: str, database: str, **settings: object
) -> AsyncIterator[RunningChat]:
    """Runs a replica of chat while the context is open."""
    name, secret = auth.service_credentials
    chat_settings = Settings(
        **{  # type: ignore[arg-type]
            "listen": "127.0.0.1:0",
            "mongodb_uri": mongodb_uri,
            "redis_url": redis_url,
            "mongodb_database": database,
            "auth_target": auth.target,
            "service_name": name,
            "service_secret": secret,
            "replica": secrets.token_hex(4),
            "drain_seconds": 2.0,
            "messages_per_second": 10_000.0,
            "messages_burst": 100_000,
            **settings,
        }
    )
    async with wire(chat_settings) as service, serving(service, chat_settings) as port:
        target = f"127.0.0.1:{port}"
        async with open_channel(target) as channel:
            yield RunningChat(target, channel)
