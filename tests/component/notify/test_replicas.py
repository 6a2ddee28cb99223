"""Several replicas share chat's log; none that dies, and no store that goes away for a while, loses anything."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import pytest
from parley.notify.v1 import notification_pb2

from services.notify import chat_events
from services.notify.consumer import GROUP
from services.notify.folding import fold
from services.notify.settings import Settings
from services.notify.store import NotificationStore, open_client
from tests.component.auth_service import RunningAuth
from tests.component.notify.chat_log import ChatLog, Conversation, opened_chat_log
from tests.component.notify.person import Person
from tests.component.notify.running import (
    Stage,
    another_replica,
    notify_settings,
    opened_database,
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
    values = settings.model_dump(mode="json") | {"service_secret": settings.service_secret.get_secret_value()}
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


async def test_a_replica_that_is_told_to_stop_leaves_nothing_behind(stage: Stage, ben: Person) -> None:
    conversation = stage.conversation("ann", "ben")
    settings = another_replica(stage.settings)
    async with _process(settings) as process:
        for _ in range(50):
            await conversation.say("ann", "hello")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert await stage.chat.unacknowledged_by(settings.replica) == 0
    await stage.chat.settled()
    assert (await ben.only()).count == 50


async def test_what_was_stored_but_not_told_by_a_replica_that_died_is_still_told(
    auth: RunningAuth, settings: Settings, chat: ChatLog, organization: str
) -> None:
    """The replica is played: it takes an entry and stores what follows from it, and is never heard of again."""
    conversation = Conversation(chat, organization, ["ann", "ben"])
    async with opened_database(settings), open_client(settings.mongodb_uri) as client:
        store = NotificationStore(
            client, settings.mongodb_database, retention=timedelta(days=90), replay=timedelta(hours=2)
        )
        await chat.log.read_group(GROUP, "dead", block_ms=1)
        await conversation.say("ann", "hello")
        (entry,) = await chat.log.read_group(GROUP, "dead", block_ms=1_000)
        await store.join(fold(chat_events.read(entry)).changes)
        async with (
            running_notify(settings) as stub,
            subscribed(auth, stub, organization, "ben") as stream,
        ):
            (event,) = await stream.count(1)
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


def _through(url: str, port: int) -> str:
    return urlunsplit(urlsplit(url)._replace(netloc=f"127.0.0.1:{port}"))


@pytest.mark.parametrize("store", ["mongodb_uri", "redis_url"])
async def test_a_store_that_is_away_for_a_while_loses_nothing(
    auth: RunningAuth, mongodb_uri: str, redis_url: str, organization: str, store: str
) -> None:
    plain = notify_settings(auth, mongodb_uri, redis_url)
    url = str(getattr(plain, store))
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    async with (
        opened_chat_log(plain) as chat,
        opened_database(plain),
        severable(parts.hostname, parts.port) as (way, port),
        running_notify(plain.model_copy(update={store: _through(url, port)})) as stub,
    ):
        signed_in = await auth.sign_in_new(organization, "employee", user_id="ben")
        ben = Person(signed_in.user, signed_in.metadata, stub)
        conversation = Conversation(chat, organization, ["ann", "ben"])
        await conversation.say("ann", "one")
        await chat.settled()
        await _cut_while(way, conversation)
        await eventually(chat.unfinished, lambda count: count == 0)
        assert (await ben.only()).count == conversation.seq


async def _cut_while(way: Severable, conversation: Conversation) -> None:
    """Cuts the way until the replica has noticed, while messages go on."""
    way.sever()
    for _ in range(10):
        await conversation.say("ann", "meanwhile")

    async def refused() -> int:
        return way.refused

    await eventually(refused, lambda count: count >= 3)
    way.mend()
