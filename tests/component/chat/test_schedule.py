"""Tests of scheduled messages, with several replicas and through restarts."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from parley.chat.v1 import chat_pb2

from chassis.rpc.status import from_rpc_error
from services.chat.domain import Owner, ScheduledMessage, ScheduleState
from services.chat.schedule import MAX_WAITING
from services.chat.schedule_store import ScheduleStore
from services.chat.scheduler import Scheduler
from services.chat.store import open_client
from tests.component.auth_service import RunningAuth, SignedIn
from tests.component.chat.running import Person, running_chat

SOON, LATER = timedelta(seconds=3), timedelta(days=1)
"""SOON leaves a busy machine the time to take the request before the message is due."""


async def reason_of(call: Awaitable[object]) -> str:
    """Returns the reason why a call fails."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return from_rpc_error(refused.value).reason


async def arrived(person: Person, conversation_id: str, count: int) -> list[chat_pb2.Message]:
    """Waits until a conversation has so many messages."""
    async with asyncio.timeout(60):
        while len(messages := (await person.history(conversation_id, page_size=200)).messages) < count:
            await asyncio.sleep(0.05)
    return list(messages)


async def nothing_waits(person: Person) -> None:
    """Waits until none of a user's messages is scheduled."""
    async with asyncio.timeout(60):
        while await person.scheduled():
            await asyncio.sleep(0.05)


async def test_a_scheduled_message_is_sent_at_its_time(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    scheduled = await ann.schedule(key, "later", LATER, "key")
    assert [s.scheduled_message_id for s in await ann.scheduled(key)] == [scheduled.scheduled_message_id]
    assert await bob.scheduled(key) == []
    due = await ann.reschedule(scheduled.scheduled_message_id, delay=SOON)
    (message,) = await arrived(bob, key, 1)
    assert (message.message_id, message.text) == (scheduled.scheduled_message_id, "later")
    assert (message.sender_id, message.client_message_id) == (ann.user_id, "key")
    assert message.create_time.ToMilliseconds() >= due.send_time.ToMilliseconds()
    await nothing_waits(ann)
    assert (await ann.schedule(key, "again", LATER, "key")).send_time == due.send_time
    assert (await ann.send(key, "once more", "key")).seq == 1
    assert await reason_of(ann.reschedule(scheduled.scheduled_message_id, text="too late")) == "ALREADY_SENT"
    assert await reason_of(ann.unschedule(scheduled.scheduled_message_id)) == "ALREADY_SENT"


async def test_a_repeat_schedules_once(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    first, *others = await asyncio.gather(*(ann.schedule(key, f"{n}", LATER, "key") for n in range(10)))
    assert others == [first] * 9
    assert len(await ann.scheduled()) == 1
    await ann.send(key, "sent", "other key")
    assert await reason_of(ann.schedule(key, "x", LATER, "other key")) == "ALREADY_SENT"


async def test_text_and_time_change_once_for_each_request(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    scheduled_id = (await ann.schedule(key, "one", LATER)).scheduled_message_id
    changed = await ann.reschedule(scheduled_id, text="two", request_id="1")
    assert changed.text == "two"
    await ann.reschedule(scheduled_id, text="three", request_id="2")
    assert (await ann.reschedule(scheduled_id, text="two", request_id="1")).text == "three"
    assert await reason_of(ann.reschedule(scheduled_id)) == "INVALID_FIELDS"
    assert await reason_of(bob.reschedule(scheduled_id, text="x")) == "SCHEDULED_MESSAGE_NOT_FOUND"
    await ann.reschedule(scheduled_id, delay=SOON)
    assert [m.text for m in await arrived(bob, key, 1)] == ["three"]


async def test_a_cancelled_message_is_not_sent(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    cancelled = (await ann.schedule(key, "cancelled", LATER)).scheduled_message_id
    await ann.unschedule(cancelled)
    await ann.unschedule(cancelled)
    assert await reason_of(ann.reschedule(cancelled, text="x")) == "SCHEDULED_MESSAGE_NOT_FOUND"
    await ann.schedule(key, "sent", SOON)
    assert [m.text for m in await arrived(bob, key, 1)] == ["sent"]


async def test_who_is_no_member_any_more_sends_nothing(ann: Person, bob: Person) -> None:
    key = (await ann.create_group("Launch", bob.user_id)).conversation_id
    scheduled_id = (await bob.schedule(key, "from outside", LATER)).scheduled_message_id
    await ann.remove(key, bob.user_id)
    await bob.reschedule(scheduled_id, delay=SOON)
    await nothing_waits(bob)
    assert await reason_of(bob.reschedule(scheduled_id, text="x")) == "SEND_FAILED"
    assert await reason_of(bob.unschedule(scheduled_id)) == "SEND_FAILED"
    await ann.send(key, "the only one")
    assert [m.text for m in (await ann.history(key)).messages] == ["the only one"]


async def test_a_user_has_a_limited_number_of_scheduled_messages(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    for n in range(MAX_WAITING):
        await ann.schedule(key, f"{n}", LATER)
    assert await reason_of(ann.schedule(key, "one more", LATER)) == "TOO_MANY_SCHEDULED"
    assert len(await ann.scheduled()) == MAX_WAITING


async def test_several_replicas_and_restarts_send_each_message_once(
    auth: RunningAuth, mongodb_uri: str, redis_url: str, database_name: str, organization_id: str
) -> None:
    await auth.create_organization(organization_id)
    users: list[SignedIn] = [await auth.sign_in_new(organization_id, "manager") for _ in range(2)]

    async with running_chat(auth, mongodb_uri, redis_url, database_name) as one:
        ann = one.as_user(users[0])
        key = (await ann.direct(users[1].user_id)).conversation_id
        ids = [
            (await ann.schedule(key, f"{n}", timedelta(seconds=3 + n * 0.02))).scheduled_message_id for n in range(60)
        ]
    # While no replica runs, the time of some comes; then two start, of which one stops on the way.
    await asyncio.sleep(3.2)
    async with running_chat(auth, mongodb_uri, redis_url, database_name) as two:
        async with running_chat(auth, mongodb_uri, redis_url, database_name):
            await arrived(two.as_user(users[1]), key, 10)
        messages = await arrived(two.as_user(users[1]), key, 60)
        await nothing_waits(two.as_user(users[0]))
        assert len((await two.as_user(users[1]).history(key, page_size=200)).messages) == 60
    assert sorted(m.message_id for m in messages) == sorted(ids)
    assert sorted(m.text for m in messages) == sorted(str(n) for n in range(60))


@pytest.fixture
async def store(mongodb_uri: str, database_name: str) -> AsyncIterator[ScheduleStore]:
    """A store with 50 messages, due at 1 to 50 ms."""
    async with open_client(mongodb_uri) as client:
        store = ScheduleStore(client, database_name)
        owner = Owner("org", "ann")
        for n in range(1, 51):
            await store.add(ScheduledMessage(f"m{n}", owner, "Ann", "c", secrets.token_hex(4), "text", n))
        yield store
        await client.drop_database(database_name)


async def test_a_claim_has_a_limit(store: ScheduleStore) -> None:
    for limit in (-1, 0):
        assert await store.claim_due(100, 200, limit) == []
    assert [m.scheduled_message_id for m in await store.claim_due(100, 200, 2)] == ["m1", "m2"]
    assert [m.scheduled_message_id for m in await store.claim_due(100, 200, 1)] == ["m3"]


async def test_replicas_claim_different_messages(store: ScheduleStore) -> None:
    claims = await asyncio.gather(*(store.claim_due(100, 200, 50) for _ in range(4)))
    assert sorted(m.scheduled_message_id for c in claims for m in c) == sorted(f"m{n}" for n in range(1, 51))


async def test_a_cancelled_claim_claims_nothing(store: ScheduleStore) -> None:
    for delay_ms in range(25):
        claim = asyncio.create_task(store.claim_due(100, 200, 50))
        await asyncio.sleep(delay_ms / 1_000)
        claim.cancel()
        with suppress(asyncio.CancelledError):
            for message in await claim:
                await store.release(message.scheduled_message_id, 100)
        messages = await store.claim_due(100, 200, 50)
        assert len(messages) == 50
        for message in messages:
            await store.release(message.scheduled_message_id, 100)


async def test_a_message_that_may_have_been_sent_stays_as_it_is(store: ScheduleStore) -> None:
    await store.claim_due(100, 200, 1)
    assert await store.change("m1", {"text": "new"}, "", 300) is None  # the claim has ended
    assert not await store.cancel("m1", 300)
    await store.release("m1", 300)
    assert (changed := await store.change("m1", {"text": "new"}, "", 300)) is not None
    assert changed.text == "new"
    assert await store.cancel("m1", 300)


async def test_a_replica_that_stops_sends_what_it_claimed(
    auth: RunningAuth,
    mongodb_uri: str,
    redis_url: str,
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    organization_id = f"org-{secrets.token_hex(6)}"
    await auth.create_organization(organization_id)
    users: list[SignedIn] = [await auth.sign_in_new(organization_id, "manager") for _ in range(2)]
    sending, stopping = asyncio.Event(), asyncio.Event()
    send = Scheduler._send

    async def send_when_stopping(scheduler: Scheduler, scheduled: ScheduledMessage) -> None:
        if scheduled.owner.organization_id == organization_id:
            sending.set()
            await stopping.wait()
        await send(scheduler, scheduled)

    monkeypatch.setattr(Scheduler, "_send", send_when_stopping)
    async with open_client(mongodb_uri) as client:
        scheduled = client.get_database(database_name)["scheduled"]
        async with running_chat(auth, mongodb_uri, redis_url, database_name) as chat:
            ann = chat.as_user(users[0])
            key = (await ann.direct(users[1].user_id)).conversation_id
            await asyncio.gather(*(ann.schedule(key, f"{n}", LATER) for n in range(20)))
            await scheduled.update_many({}, {"$set": {"at": datetime.now(UTC)}})
            async with asyncio.timeout(60):
                await sending.wait()
            asyncio.get_running_loop().call_later(0.5, stopping.set)
        assert await scheduled.count_documents({"state": ScheduleState.SENT}) == 20
