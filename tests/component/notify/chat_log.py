"""Chat's event log, and conversations whose events tests publish in it as chat would."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any

from parley.chat.v1 import chat_pb2, event_pb2

from chassis.events.log import EventLog, open_redis
from services.notify.consumer import GROUP
from services.notify.settings import Settings
from tests.component.notify.waiting import eventually

START_MS = 1_700_000_000_000


class ChatLog:
    """The event log that a service consumes, and its replicas' progress."""

    def __init__(self, redis: Any, log: EventLog) -> None:
        self._redis = redis
        self.log = log

    async def append(self, organization_id: str, *events: event_pb2.Event) -> None:
        """Appends one entry."""
        await self.log.append([(organization_id, event_pb2.EventBatch(events=events).SerializeToString())])

    async def unfinished(self) -> int:
        """Returns the number of entries that no replica has acknowledged, read or not."""
        count = 0
        for key in self.keys:
            entries = await self._redis.xlen(key)
            groups = await self._redis.xinfo_groups(key) if entries else []
            states = [group for group in groups if group["name"] == GROUP.encode()]
            count += sum(state["lag"] + state["pending"] for state in states) if states else entries
        return count

    async def unacknowledged_by(self, replica: str) -> int:
        """Returns the number of entries that a replica has read and not acknowledged."""
        count = 0
        for key in self.keys:
            groups = await self._redis.xinfo_groups(key) if await self._redis.exists(key) else []
            if any(group["name"] == GROUP.encode() for group in groups):
                count += len(await self._redis.xpending_range(key, GROUP, "-", "+", 1_000, consumername=replica))
        return count

    async def drained(self) -> None:
        """Waits until the replicas have acknowledged every entry."""
        await eventually(self.unfinished, lambda count: count == 0)

    async def lose(self) -> None:
        """Deletes the log and its consumer group."""
        await self._redis.delete(*self.keys)

    @property
    def keys(self) -> list[str]:
        """The keys of the log's streams."""
        return [self.log.stream_key(shard) for shard in range(self.log.shards)]


@asynccontextmanager
async def opened_chat_log(settings: Settings) -> AsyncIterator[ChatLog]:
    """Opens the log that a service with these settings consumes; deletes it on leaving."""
    redis = open_redis(settings.redis_url)
    chat = ChatLog(redis, EventLog(redis, settings.chat_log, shards=settings.event_shards))
    try:
        yield chat
    finally:
        await chat.lose()
        await redis.aclose()


class Conversation:
    """A conversation. Methods in the past tense return the event that chat would publish; `publish` appends events."""

    def __init__(self, chat: ChatLog, organization_id: str, members: Iterable[str], name: str = "Sales") -> None:
        self._chat = chat
        self.organization_id = organization_id
        self.members = list(members)
        self.name = name
        self.conversation_id = secrets.token_urlsafe(16)
        self.seq = 0
        self.rev = 1

    async def publish(self, *events: event_pb2.Event) -> None:
        """Appends events as one entry."""
        await self._chat.append(self.organization_id, *events)

    async def send(self, sender: str, text: str, **details: Any) -> chat_pb2.Message:
        """Publishes a member's message."""
        event = self.sent(sender, text, **details)
        await self.publish(event)
        return event.message_created.message

    def _event(self) -> event_pb2.Event:
        return event_pb2.Event(organization_id=self.organization_id, recipients=self.members)

    def sent(
        self,
        sender: str,
        text: str,
        *,
        muted: Collection[str] = (),
        mentions: Collection[str] = (),
        kind: chat_pb2.MessageKind.ValueType = chat_pb2.MESSAGE_KIND_TEXT,
    ) -> event_pb2.Event:
        """Returns the event of a new message."""
        self.seq += 1
        self.rev += 1
        event = self._event()
        created = event.message_created
        created.sender_name, created.conversation_name = f"Name of {sender}", self.name
        created.muted.extend(muted)
        message = created.message
        message.message_id = f"message-{self.seq}".ljust(22, "-")
        message.conversation_id, message.seq, message.rev = self.conversation_id, self.seq, self.rev
        message.sender_id, message.kind, message.text = sender, kind, text
        message.mentions.extend(mentions)
        message.create_time.FromMilliseconds(START_MS + self.seq)
        return event

    def edited(self, message: chat_pb2.Message, text: str) -> event_pb2.Event:
        """Returns the event of an edited message."""
        self.rev += 1
        event = self._event()
        edited = event.message_updated.message
        edited.CopyFrom(message)
        edited.rev, edited.text = self.rev, text
        edited.edit_time.FromMilliseconds(START_MS + self.rev)
        return event

    def deleted(self, message: chat_pb2.Message) -> event_pb2.Event:
        """Returns the event of a deleted message."""
        self.rev += 1
        event = self._event()
        tombstone = event.message_deleted.message
        tombstone.CopyFrom(message)
        tombstone.rev, tombstone.text = self.rev, ""
        del tombstone.mentions[:]
        tombstone.delete_time.FromMilliseconds(START_MS + self.rev)
        return event

    def read(self, user_id: str, seq: int) -> event_pb2.Event:
        """Returns the event of a member's receipt up to a message."""
        event = self._event()
        receipt = event.receipt_updated
        receipt.conversation_id, receipt.user_id = self.conversation_id, user_id
        receipt.read_seq = receipt.delivered_seq = seq
        return event

    def added(self, user_id: str, actor_id: str) -> event_pb2.Event:
        """Returns the event of an added member."""
        self.rev += 1
        self.members.append(user_id)
        event = self._event()
        added = event.member_added
        added.conversation_id, added.conversation_name = self.conversation_id, self.name
        added.rev, added.actor_id = self.rev, actor_id
        added.member.user_id, added.member.read_seq = user_id, self.seq
        return event

    def removed(self, user_id: str) -> event_pb2.Event:
        """Returns the event of a removed member, who is its last recipient."""
        self.rev += 1
        event = self._event()
        self.members.remove(user_id)
        removed = event.member_removed
        removed.conversation_id, removed.rev, removed.actor_id = self.conversation_id, self.rev, user_id
        removed.member.user_id = user_id
        return event
