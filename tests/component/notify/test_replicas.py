"""Several replicas share chat's log; none that dies, and no store that goes away for a while, loses anything."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from parley.notify.v1 import notification_pb2

from chassis.process.supervise import supervised
from services.notify import chat_events
from services.notify.bus import EventPublisher, open_logs
from services.notify.consumer import GROUP, ChatConsumer
from services.notify.folding import fold
from services.notify.projection import Projection
from services.notify.settings import Settings
from services.notify.store import NotificationStore, open_client
from tests.component.auth_service import RunningAuth
from tests.component.notify.chat_log import ChatLog, Conversation
from tests.component.notify.person import Person
from tests.component.notify.running import (
    Stage,
    another_replica,
    running_notify,
)
from tests.component.notify.severable import Severable, severable
from tests.component.notify.subscription import subscribed
from tests.component.notify.waiting import eventually

ROUNDS = 30


async def _talk(conversations: Sequence[Conversation]) -> None:
    """Ann writes to everyone, a message an entry; each reads the first half meanwhile, and is mentioned at last."""
    for number in range(1, ROUNDS + 1):
        for conversation in conversations:
            _, user_id = conversation.members
            await conversation.say("ann", f"text {number}", mentions=[user_id] if number == ROUNDS else [])
            if number % 5 == 0:
                await conversation.tell(conversation.read(user_id, number // 2))


async def test_two_replicas_come_to_what_one_would(stage: Stage) -> None:
    people = [await stage.person(f"user-{number}") for number in range(4)]
    async with running_notify(another_replica(stage.settings)):
        await _talk([stage.conversation("ann", person.user_id) for person in people])
        await stage.chat.settled()
    for person in people:
        notifications = {notification.type: notification for notification in await person.notifications()}
        message = notifications[notification_pb2.NOTIFICATION_TYPE_NEW_MESSAGE]
        assert (message.count, message.body) == (ROUNDS - ROUNDS // 2, f"text {ROUNDS}")
        assert len(notifications) == await person.unread() == 2


@asynccontextmanager
async def _process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """A replica in a process of its own."""
    values = settings.model_dump(mode="json", exclude_none=True) | {
        "service_secret": settings.service_secret.get_secret_value()
    }
    environment = os.environ | {f"PARLEY_{name.upper()}": str(value) for name, value in values.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notify", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if b"process_ready" in line:
                break
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_what_a_killed_replica_had_taken_is_taken_over(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    settings = another_replica(stage.settings, claim_idle_seconds=30.0)
    async with _process(settings) as victim:
        while not await stage.chat.unacknowledged_by(settings.replica):
            victim.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.05)
            victim.send_signal(signal.SIGSTOP)
            for _ in range(10):
                await conversation.say("ann", "hello")
        victim.send_signal(signal.SIGKILL)
    await stage.chat.settled()
    assert (await ben.only()).count == conversation.seq


async def test_a_replica_that_is_told_to_stop_finishes_what_it_took(
    settings: Settings, chat: ChatLog, database: Any, organization: str
) -> None:
    crowd = [f"user-{number}" for number in range(3_000)]
    conversation = Conversation(chat, organization, crowd)

    async def taken_and_left() -> tuple[int, int]:
        return await chat.unacknowledged_by(settings.replica), await chat.unfinished()

    patient = settings.model_copy(update={"drain_seconds": 60.0, "shutdown_delay_seconds": 0.2})
    async with _process(patient) as process:
        taken = 0
        while not taken:  # it may have been through with the one before between two looks
            await conversation.say("user-0", "hello")
            taken, _ = await eventually(taken_and_left, lambda counts: counts[0] > 0 or counts[1] == 0)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert await chat.unfinished() == 0
    assert await database.notifications.count_documents({"unread": True}) == len(crowd) - 1


async def test_what_was_stored_but_not_told_by_a_replica_that_died_is_still_told(
    auth: RunningAuth, settings: Settings, chat: ChatLog, database: Any, organization: str
) -> None:
    """The replica is played: it takes an entry and stores what follows from it, and is never heard of again."""
    conversation = Conversation(chat, organization, ["ann", "ben"])
    async with (
        open_client(settings.mongodb_uri) as client,
        open_logs(settings.redis_url, settings.chat_log, shards=settings.event_shards, retention_seconds=60.0) as logs,
    ):
        store = NotificationStore(
            client, settings.mongodb_database, retention=timedelta(days=90), replay=timedelta(hours=2)
        )
        before = await logs[1].end()
        await chat.log.read_group(GROUP, "dead", block_ms=1)
        await conversation.say("ann", "hello")
        (entry,) = await chat.log.read_group(GROUP, "dead", block_ms=1_000)
        await store.join(fold(chat_events.read(entry)).changes)
        async with (
            running_notify(settings) as stub,
            subscribed(auth, stub, organization, "ben", resume_after=before) as stream,
        ):
            event, *_ = await stream.count(1)
            await chat.settled()
    assert event.notification_updated.notification.body == "hello"
    assert event.notification_updated.unread_count == 1


async def test_an_entry_that_can_not_be_read_holds_up_nothing(stage: Stage, ben: Person) -> None:
    await stage.chat.log.append([(stage.organization_id, b"\xff\xff\xff")])
    await stage.conversation("ann", "ben").say("ann", "hello")
    await stage.chat.settled()
    assert (await ben.only()).count == 1


async def test_a_log_that_is_lost_is_followed_from_its_new_beginning(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    await conversation.say("ann", "before")
    await stage.chat.settled()
    await stage.chat.lose()
    await conversation.say("ann", "lost")
    await stage.chat.lose()
    await conversation.say("ann", "after")
    await stage.chat.settled()
    notification = await ben.only()
    assert (notification.body, notification.count) == ("after", 3)


@asynccontextmanager
async def _cuttable(url: str) -> AsyncIterator[tuple[Severable, str]]:
    """A server's address by a way that can be cut."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    async with severable(parts.hostname, parts.port) as (way, port):
        yield way, urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))


async def test_a_database_that_is_away_for_longer_than_a_call_waits_loses_nothing(
    settings: Settings, chat: ChatLog, database: Any, organization: str
) -> None:
    """The consumer is put together by hand, to wait a shorter while."""
    conversation = Conversation(chat, organization, ["ann", "ben"])
    async with (
        _cuttable(settings.mongodb_uri) as (way, uri),
        open_client(uri, timeout_ms=300) as client,
        open_logs(settings.redis_url, settings.chat_log, shards=4, retention_seconds=60.0) as (chat_log, own_log),
    ):
        store = NotificationStore(
            client, settings.mongodb_database, retention=timedelta(days=90), replay=timedelta(hours=2)
        )
        consumer = ChatConsumer(
            chat_log,
            Projection(store, EventPublisher(own_log)),
            settings.replica,
            coalesce_seconds=0.0,
            claim_idle_seconds=60.0,
        )
        way.sever()
        async with supervised({"consumer": consumer.run}):
            await conversation.say("ann", "hello")
            await eventually(lambda: chat.unacknowledged_by(settings.replica), lambda count: count == 1)
            await asyncio.sleep(1.0)  # longer than a call waits
            assert await chat.unacknowledged_by(settings.replica) == 1
            way.mend()
            await eventually(lambda: chat.unacknowledged_by(settings.replica), lambda count: count == 0)
    assert await database.notifications.count_documents({"unread": True}) == 1


async def test_a_redis_that_is_away_for_a_while_loses_nothing(
    auth: RunningAuth, settings: Settings, chat: ChatLog, database: Any, organization: str
) -> None:
    signed_in = await auth.sign_in_new(organization, "employee", user_id="ben")
    conversation = Conversation(chat, organization, ["ann", "ben"])
    async with (
        _cuttable(settings.redis_url) as (way, url),
        running_notify(settings.model_copy(update={"redis_url": url})) as stub,
    ):
        ben = Person(signed_in.user, signed_in.metadata, stub)
        await conversation.say("ann", "one")
        await chat.settled()
        way.sever()
        for _ in range(10):
            await conversation.say("ann", "meanwhile")
        await asyncio.sleep(1.0)
        way.mend()
        await chat.settled()
        assert (await ben.only()).count == conversation.seq
