"""Tests of chat's event streams on a real Valkey: attaching, resuming, loss, and slow readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from parley.chat.v1 import event_pb2
from parley.stream.v1.stream_pb2 import Attachments, UserKey
from redis.asyncio import Redis

from chassis.errors import AppError, Category
from chassis.events.subscriber import MAX_PENDING_EVENTS
from chassis.rpc.channel import MAX_MESSAGE_BYTES
from chassis.rpc.status import from_rpc_error
from services.chat import bus
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import Person, RunningChat, running_chat
from tests.component.presence.servers import running_valkey

TIMEOUT = 60.0


class Stream:
    """A gateway's stream, and what it received."""

    def __init__(self, call: Any, organization_id: str) -> None:
        self._call = call
        self._organization_id = organization_id
        self.texts: list[str] = []
        self.positions: dict[int, str] = {}
        self.lost = 0
        self.largest = 0

    async def attach(self, number: int, *users: str, remove: bool = False) -> None:
        """Attaches or detaches users, and waits until the change is in effect."""
        keys = [UserKey(organization_id=self._organization_id, user_id=user) for user in users]
        attachments = (
            Attachments(remove=keys, request_sequence=number)
            if remove
            else Attachments(add=keys, request_sequence=number)
        )
        await self._call.write(event_pb2.SubscribeRequest(attachments=attachments))
        while (await self.read()).acked_sequence != number:
            pass

    async def read(self) -> event_pb2.SubscribeResponse:
        """Reads the next response."""
        async with asyncio.timeout(TIMEOUT):
            response = await self._call.read()
        assert isinstance(response, event_pb2.SubscribeResponse), "the stream ended"
        self.texts += [e.message_created.message.text[:20] for e in response.events if e.HasField("message_created")]
        self.positions |= response.resume_cursors.shards
        self.lost += response.resync_required
        self.largest = max(self.largest, response.ByteSize())
        return response

    async def until(self, text: str) -> list[str]:
        """Waits for a message; returns the texts of all messages received."""
        while text not in self.texts:
            await self.read()
        return self.texts

    async def to_its_end(self) -> AppError:
        """Reads until the stream fails, and returns the error."""
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            while True:
                await self.read()
        return from_rpc_error(ended.value)


@asynccontextmanager
async def subscribed(
    auth: RunningAuth,
    chat: RunningChat,
    organization_id: str,
    *users: str,
    resume_after: Mapping[int, str] | None = None,
) -> AsyncIterator[Stream]:
    call: Any = chat.events.Subscribe(metadata=await auth.service_metadata(), timeout=TIMEOUT)
    stream = Stream(call, organization_id)
    try:
        request = event_pb2.SubscribeRequest(
            attachments=Attachments(
                add=[UserKey(organization_id=organization_id, user_id=user) for user in users], request_sequence=1
            )
        )
        if resume_after is not None:
            request.resume_cursors.shards.update(resume_after)
        await call.write(request)
        yield stream
    finally:
        call.cancel()


async def test_users_attached_later_hear_from_then_on_and_no_more_when_detached(
    auth: RunningAuth, chat: RunningChat, ann: Person, bob: Person, organization_id: str
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    async with (
        subscribed(auth, chat, organization_id, ann.user_id) as watching,
        subscribed(auth, chat, organization_id) as stream,
    ):
        await stream.read()
        await ann.send(key, "before")
        await watching.until("before")
        await stream.attach(2, bob.user_id)
        await ann.send(key, "while")
        assert await stream.until("while") == ["while"]
        await stream.attach(3, bob.user_id, remove=True)
        await ann.send(key, "after")
        await watching.until("after")
        await stream.attach(4)
        assert stream.texts == ["while"]


async def test_whoever_comes_back_gets_what_it_missed_in_order(
    auth: RunningAuth, chat: RunningChat, ann: Person, bob: Person, organization_id: str
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    async with subscribed(auth, chat, organization_id, bob.user_id) as stream:
        await stream.read()
        await ann.send(key, "seen")
        await stream.until("seen")
        positions = dict(stream.positions)
    sent = [f"missed {n}" for n in range(20)]
    for text in sent:
        await ann.send(key, text)
    async with subscribed(auth, chat, organization_id, bob.user_id, resume_after=positions) as stream:
        await ann.send(key, "live")
        texts = await stream.until("live")
    assert (texts, stream.lost) == ([*sent, "live"], 0)


async def append(redis_url: str, organization_id: str, user: str, numbers: range, size: int) -> None:
    """Appends messages to chat's log as replicas do, many per entry."""
    async with bus.open_log(redis_url, shards=4, retention_seconds=3_600) as log:
        events = []
        for number in numbers:
            event = event_pb2.Event(organization_id=organization_id, recipients=[user])
            event.message_created.message.text = f"{number:<20}" + "x" * size
            events.append(event)
        for start in range(0, len(events), 500):
            await bus.publish(log, events[start : start + 500])


async def test_a_backlog_beyond_every_bound_is_given_whole_to_whoever_comes_back(
    auth: RunningAuth, chat: RunningChat, redis_url: str, organization_id: str
) -> None:
    """The backlog exceeds the pending events of a stream and the bytes of a call, so it arrives in parts."""
    async with subscribed(auth, chat, organization_id, "ann") as stream:
        await stream.read()
        positions = dict(stream.positions)
    numbers = range(MAX_PENDING_EVENTS + 2_000)
    await append(redis_url, organization_id, "ann", numbers, 1_000)
    async with subscribed(auth, chat, organization_id, "ann", resume_after=positions) as stream:
        texts = await stream.until(f"{numbers[-1]:<20}")
    assert [int(text) for text in texts] == list(numbers)
    assert stream.largest < MAX_MESSAGE_BYTES // 2
    assert not stream.lost


async def test_whoever_reads_too_slowly_is_cut_off_and_misses_nothing_when_it_comes_back(
    auth: RunningAuth, chat: RunningChat, redis_url: str, organization_id: str
) -> None:
    numbers = range(2 * MAX_PENDING_EVENTS)
    async with (
        subscribed(auth, chat, organization_id, "ann") as slow,
        subscribed(auth, chat, organization_id, "bob") as other,
    ):
        await slow.read()
        await other.read()
        await append(redis_url, organization_id, "ann", numbers, 1_000)
        await append(redis_url, organization_id, "bob", range(1), 0)
        await other.until(f"{0:<20}")  # by now the replica has offered everything to the slow stream
        error = await slow.to_its_end()
    assert (error.category, error.reason) == (Category.RESOURCE_EXHAUSTED, "SUBSCRIBER_TOO_SLOW")
    assert len(slow.texts) < len(numbers)
    async with subscribed(auth, chat, organization_id, "ann", resume_after=slow.positions) as back:
        await back.until(f"{numbers[-1]:<20}")
    assert sorted({int(text) for text in slow.texts + back.texts}) == list(numbers)
    assert not back.lost


async def test_the_loss_of_the_log_is_reported_to_open_and_resumed_streams(
    auth: RunningAuth, mongodb_uri: str, database_name: str, organization_id: str, tmp_path: Path
) -> None:
    await auth.create_organization(organization_id)
    async with (
        running_valkey(tmp_path) as (_, url),
        running_chat(auth, mongodb_uri, url, database_name) as chat,
        Redis.from_url(url) as valkey,
    ):
        ann, bob = [chat.as_user(await auth.sign_in_new(organization_id, "manager")) for _ in range(2)]
        key = (await ann.direct(bob.user_id)).conversation_id
        async with subscribed(auth, chat, organization_id, bob.user_id) as stream:
            await stream.read()
            await ann.send(key, "before")
            await stream.until("before")
            positions = dict(stream.positions)
            await valkey.flushall()
            while not stream.lost:
                await stream.read()
            await ann.send(key, "after")
            await stream.until("after")
            assert stream.lost == 1
        async with subscribed(auth, chat, organization_id, bob.user_id, resume_after=positions) as back:
            while not back.lost:
                await back.read()
            await ann.send(key, "live")
            await back.until("live")
        async with subscribed(auth, chat, organization_id, bob.user_id, resume_after=back.positions) as again:
            await ann.send(key, "at last")
            assert await again.until("at last") == ["at last"]
            assert not again.lost


@pytest.mark.parametrize(
    "shards", [{0: "1-1", 1: "1-1", 2: "1-1", 3: "1-1"}, {0: "1-1"}, {99: "1-1"}], ids=["old", "some", "unknown"]
)
async def test_positions_that_the_log_does_not_reach_are_lost(
    auth: RunningAuth, ann: Person, bob: Person, organization_id: str, shards: dict[int, str]
) -> None:
    chat = ann.chat
    key = (await ann.direct(bob.user_id)).conversation_id
    async with subscribed(auth, chat, organization_id, bob.user_id, resume_after=shards) as stream:
        while not stream.lost:
            await stream.read()
        await ann.send(key, "live")
        await stream.until("live")


@pytest.mark.parametrize("position", ["", "abc", "1", "-1-0", "1-2-3", "9" * 20 + "-0", "$", "x" * 10_000])
async def test_a_malformed_position_is_refused(
    auth: RunningAuth, chat: RunningChat, organization_id: str, position: str
) -> None:
    async with subscribed(auth, chat, organization_id, "ann", resume_after={0: position}) as stream:
        error = await stream.to_its_end()
    assert (error.category, error.reason) == (Category.INVALID_ARGUMENT, "INVALID_FIELDS")
    assert list(error.fields) == ["resumeCursors.shards"]
