"""Replicas share chat's log; neither the death of a replica nor an outage of a store loses anything."""

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
from services.notify.bus import open_logs
from services.notify.consumer import GROUP, ChatConsumer
from services.notify.folding import fold
from services.notify.projection import Projection
from services.notify.publisher import EventPublisher
from services.notify.settings import Settings
from services.notify.store import NotificationStore, open_client
from tests.component.auth_service import RunningAuth
from tests.component.notify.chat_log import ChatLog, Conversation
from tests.component.notify.harness import (
    Harness,
    another_replica,
    running_notify,
)
from tests.component.notify.subscription import subscribed
from tests.component.notify.user import User
from tests.component.notify.waiting import eventually
from tests.component.tcp_proxy import TcpProxy, tcp_proxy

ROUNDS = 30


async def _talk(conversations: Sequence[Conversation]) -> None:
    """Ann writes to each user, one message an entry; users read the first half meanwhile, and are mentioned last."""
    for number in range(1, ROUNDS + 1):
        for conversation in conversations:
            _, user_id = conversation.members
            await conversation.send("ann", f"text {number}", mentions=[user_id] if number == ROUNDS else [])
            if number % 5 == 0:
                await conversation.publish(conversation.read(user_id, number // 2))


async def test_two_replicas_reach_the_same_result_as_one(harness: Harness) -> None:
    users = [await harness.create_user(f"user-{number}") for number in range(4)]
    async with running_notify(another_replica(harness.settings)):
        await _talk([harness.conversation("ann", user.user_id) for user in users])
        await harness.chat.drained()
    for user in users:
        notifications = {notification.type: notification for notification in await user.notifications()}
        message = notifications[notification_pb2.NOTIFICATION_TYPE_NEW_MESSAGE]
        assert (message.count, message.body) == (ROUNDS - ROUNDS // 2, f"text {ROUNDS}")
        assert len(notifications) == await user.unread() == 2


@asynccontextmanager
async def _process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs a replica in its own process."""
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


async def test_entries_of_a_killed_replica_are_claimed(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    settings = another_replica(harness.settings, claim_idle_seconds=30.0)
    async with _process(settings) as victim:
        while not await harness.chat.unacknowledged_by(settings.replica):
            victim.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.05)
            victim.send_signal(signal.SIGSTOP)
            for _ in range(10):
                await conversation.send("ann", "hello")
        victim.send_signal(signal.SIGKILL)
    await harness.chat.drained()
    assert (await ben.only()).count == conversation.seq


async def test_a_replica_that_stops_finishes_the_entries_that_it_read(
    settings: Settings, chat: ChatLog, database: Any, organization: str
) -> None:
    crowd = [f"user-{number}" for number in range(3_000)]
    conversation = Conversation(chat, organization, crowd)

    async def taken_and_left() -> tuple[int, int]:
        return await chat.unacknowledged_by(settings.replica), await chat.unfinished()

    patient = settings.model_copy(update={"drain_seconds": 60.0, "shutdown_delay_seconds": 0.2})
    async with _process(patient) as process:
        taken = 0
        while not taken:  # the replica may have finished the previous entry between two polls
            await conversation.send("user-0", "hello")
            taken, _ = await eventually(taken_and_left, lambda counts: counts[0] > 0 or counts[1] == 0)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert await chat.unfinished() == 0
    assert await database.notifications.count_documents({"unread": True}) == len(crowd) - 1


async def test_changes_that_a_dead_replica_stored_without_publishing_are_published(
    auth: RunningAuth, settings: Settings, chat: ChatLog, database: Any, organization: str
) -> None:
    """The test plays the replica: it reads an entry, stores the changes, and never acknowledges it."""
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
        await conversation.send("ann", "hello")
        (entry,) = await chat.log.read_group(GROUP, "dead", block_ms=1_000)
        await store.join(fold(chat_events.read(entry)).changes)
        async with (
            running_notify(settings) as stub,
            subscribed(auth, stub, organization, "ben", resume_cursors=before) as stream,
        ):
            event, *_ = await stream.count(1)
            await chat.drained()
    assert event.notification_updated.notification.body == "hello"
    assert event.notification_updated.unread_count == 1


async def test_a_malformed_entry_blocks_nothing(harness: Harness, ben: User) -> None:
    await harness.chat.log.append([(harness.organization_id, b"\xff\xff\xff")])
    await harness.conversation("ann", "ben").send("ann", "hello")
    await harness.chat.drained()
    assert (await ben.only()).count == 1


async def test_a_lost_log_is_consumed_from_its_new_beginning(harness: Harness, ben: User) -> None:
    conversation = harness.conversation("ann", "ben")
    await conversation.send("ann", "before")
    await harness.chat.drained()
    await harness.chat.lose()
    await conversation.send("ann", "lost")
    await harness.chat.lose()
    await conversation.send("ann", "after")
    await harness.chat.drained()
    notification = await ben.only()
    assert (notification.body, notification.count) == ("after", 3)


@asynccontextmanager
async def _proxied(url: str) -> AsyncIterator[tuple[TcpProxy, str]]:
    """Runs a proxy to the server of a URL; yields it and the URL through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    async with tcp_proxy(parts.hostname, parts.port) as (proxy, port):
        yield proxy, urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))


async def test_a_database_outage_longer_than_a_calls_timeout_loses_nothing(
    settings: Settings, chat: ChatLog, database: Any, organization: str
) -> None:
    """The test builds the consumer itself, with a short timeout."""
    conversation = Conversation(chat, organization, ["ann", "ben"])
    async with (
        _proxied(settings.mongodb_uri) as (proxy, uri),
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
        proxy.cut()
        async with supervised({"consumer": consumer.run}):
            await conversation.send("ann", "hello")
            await eventually(lambda: chat.unacknowledged_by(settings.replica), lambda count: count == 1)
            await asyncio.sleep(1.0)  # longer than a call's timeout
            assert await chat.unacknowledged_by(settings.replica) == 1
            proxy.restore()
            await eventually(lambda: chat.unacknowledged_by(settings.replica), lambda count: count == 0)
    assert await database.notifications.count_documents({"unread": True}) == 1


async def test_a_redis_outage_loses_nothing(
    auth: RunningAuth, settings: Settings, chat: ChatLog, database: Any, organization: str
) -> None:
    signed_in = await auth.sign_in_new(organization, "employee", user_id="ben")
    conversation = Conversation(chat, organization, ["ann", "ben"])
    async with (
        _proxied(settings.redis_url) as (proxy, url),
        running_notify(settings.model_copy(update={"redis_url": url})) as stub,
    ):
        ben = User(signed_in.user, signed_in.metadata, stub)
        await conversation.send("ann", "one")
        await chat.drained()
        proxy.cut()
        for _ in range(10):
            await conversation.send("ann", "meanwhile")
        await asyncio.sleep(1.0)
        proxy.restore()
        await chat.drained()
        assert (await ben.only()).count == conversation.seq
