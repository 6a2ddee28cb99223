"""Tests of chat's queues while MongoDB or Redis stalls: they are bounded and measured, and lose nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
from parley.chat.v1 import event_pb2
from parley.stream.v1.stream_pb2 import Attachments, UserKey

from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from services.chat import publisher
from services.chat.committer import WAITING
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import Person, RunningChat, running_chat

ROOM = 40


@pytest.fixture(scope="module")
async def own_databases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """Databases of this module alone, which it may pause."""
    directory: Path = tmp_path_factory.mktemp("databases")
    async with LocalStack(directory, services=(), options=StackOptions()) as stack:
        yield stack


@pytest.fixture
def limits() -> dict[str, object]:
    """The limits on one user's messages; tests override them."""
    return {}


@pytest.fixture
async def chat(
    auth: RunningAuth, own_databases: LocalStack, database_name: str, limits: dict[str, object]
) -> AsyncIterator[RunningChat]:
    """A replica with a short queue, on databases that may be paused."""
    uri, url = own_databases.mongodb_uri, own_databases.redis_url
    async with running_chat(auth, uri, url, database_name, commit_queue=ROOM, **limits) as running:
        yield running


def _waiting() -> float:
    return next(sample.value for metric in WAITING.collect() for sample in metric.samples)


async def test_beyond_its_room_the_committer_refuses_and_keeps_what_it_took(
    ann: Person, bob: Person, own_databases: LocalStack
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    mongod = own_databases.processes["mongod"]
    mongod.pause()
    sends = [asyncio.create_task(ann.send(key, f"message {n}")) for n in range(3 * ROOM)]
    try:
        async with asyncio.timeout(20):
            while sum(task.done() for task in sends) < 2 * ROOM:
                await asyncio.sleep(0.05)
        done, waiting = await asyncio.wait(sends, timeout=0.5)
        assert len(waiting) == ROOM == _waiting()
    finally:
        mongod.resume()
    for task in done:
        error = task.exception()
        assert isinstance(error, grpc.aio.AioRpcError)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    receipts = await asyncio.gather(*waiting)
    assert sorted(receipt.seq for receipt in receipts) == list(range(1, ROOM + 1))
    assert _waiting() == 0


@pytest.mark.parametrize("limits", [{"messages_per_second": 1.0, "messages_burst": 5}])
async def test_a_flood_of_one_user_is_refused_and_the_others_are_served(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    flood = [asyncio.create_task(ann.send(key, "flood")) for _ in range(ROOM)]
    for number in range(5):
        await bob.send(key, f"calm {number}")
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert {refusal.code() for refusal in refusals} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert len(outcomes) - len(refusals) >= 5


@pytest.mark.parametrize("limits", [{"messages_per_second": 1.0, "messages_burst": 5}])
async def test_a_flood_of_changes_is_refused_too(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    message_id = (await bob.send(key, "one")).message_id
    changes: list[Awaitable[object]] = [
        ann.react(key, message_id, "👍", active=number % 2 == 0) for number in range(20)
    ]
    changes += [ann.pin(key, message_id, pinned=number % 2 == 0) for number in range(20)]
    changes += [ann.set_draft(key, f"draft {number}") for number in range(20)]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert {refusal.code() for refusal in refusals} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert len(outcomes) - len(refusals) >= 5
    await bob.react(key, message_id, "👍")


@pytest.fixture
async def bobs_events(
    chat: RunningChat, auth: RunningAuth, organization_id: str, bob: Person
) -> AsyncIterator[AsyncIterator[event_pb2.SubscribeResponse]]:
    """A stream to which Bob is attached."""
    call: Any = chat.events.Subscribe(metadata=await auth.service_metadata())
    attachments = Attachments(add=[UserKey(organization_id=organization_id, user_id=bob.user_id)], request_sequence=1)
    await call.write(event_pb2.SubscribeRequest(attachments=attachments))
    responses = aiter(call)
    assert (await anext(responses)).acked_sequence == 1
    yield responses
    call.cancel()


async def test_what_does_not_fit_in_the_queue_to_redis_is_published_from_the_store(
    ann: Person,
    bob: Person,
    bobs_events: AsyncIterator[event_pb2.SubscribeResponse],
    own_databases: LocalStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "MAX_PENDING", 10)
    key = (await ann.direct(bob.user_id)).conversation_id
    valkey = own_databases.processes["valkey"]
    valkey.pause()
    try:
        for n in range(60):
            await ann.send(key, f"message {n}")
            assert next(s.value for m in publisher.PENDING.collect() for s in m.samples) <= 10
    finally:
        valkey.resume()
    seen: list[int] = []
    async with asyncio.timeout(60):
        while len(set(seen)) < 60:
            events = (await anext(bobs_events)).events
            seen += [e.message_created.message.seq for e in events if e.WhichOneof("payload") == "message_created"]
    assert list(dict.fromkeys(seen)) == list(range(1, 61))
