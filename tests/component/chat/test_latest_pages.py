"""Tests of BatchListMessages: pages from memory equal those from the store, whatever changed, at whichever replica."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from parley.chat.v1 import chat_pb2, conversation_pb2, message_pb2

from chassis.errors import Category
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import TIMEOUT, Person, RunningChat, running_chat

Outcome = message_pb2.BatchListMessagesResponse.Outcome


@pytest.fixture
async def other_chat(
    auth: RunningAuth, mongodb_uri: str, redis_url: str, database_name: str
) -> AsyncIterator[RunningChat]:
    """A second replica on the database of `chat`."""
    async with running_chat(auth, mongodb_uri, redis_url, database_name) as running:
        yield running


class Batches:
    """Reads pages in batches, through one replica."""

    def __init__(self, chat: RunningChat, auth: RunningAuth, organization_id: str) -> None:
        self._chat, self._auth, self._organization_id = chat, auth, organization_id

    async def read(self, *pages: tuple[Person, message_pb2.ListMessagesRequest]) -> Sequence[Outcome]:
        """Returns the outcomes of one call."""
        request = message_pb2.BatchListMessagesRequest()
        for person, page in pages:
            actor = message_pb2.Actor(organization_id=self._organization_id, user_id=person.user_id)
            request.items.add(actor=actor, request=page)
        metadata = await self._auth.service_metadata(self._organization_id)
        return (await self._chat.messages.BatchListMessages(request, metadata=metadata, timeout=TIMEOUT)).outcomes

    async def latest(self, person: Person, key: str, **options: int) -> Outcome:
        """Returns the outcome of one latest page."""
        return (await self.read((person, message_pb2.ListMessagesRequest(conversation_id=key, **options))))[0]


@pytest.fixture
def batches(chat: RunningChat, auth: RunningAuth, organization_id: str) -> Batches:
    """Reads through the replica of `chat`."""
    return Batches(chat, auth, organization_id)


def messages_of(outcome: Outcome) -> list[chat_pb2.Message]:
    """Returns the decoded messages of a page."""
    return [chat_pb2.Message.FromString(data) for data in outcome.page.messages]


async def assert_as_stored(batches: Batches, person: Person, key: str, **options: int) -> None:
    """Compares a page of a batch with that of ListMessages, which reads the store."""
    stored = await person.history(key, **options)
    outcome = await batches.latest(person, key, **options)
    assert (messages_of(outcome), outcome.page.has_more) == (list(stored.messages), stored.has_more)


@pytest.mark.parametrize("at", ["this replica", "another replica"])
async def test_a_page_shows_every_change_at_once(
    batches: Batches, ann: Person, bob: Person, other_chat: RunningChat, at: str
) -> None:
    writer = ann if at == "this replica" else Person(other_chat, ann.user_id, ann.name, ann.metadata)
    key = (await ann.direct(bob.user_id)).conversation_id
    assert messages_of(await batches.latest(bob, key)) == []
    ids = [(await writer.send(key, f"{number}")).message_id for number in range(3)]
    assert [m.text for m in messages_of(await batches.latest(bob, key))] == ["0", "1", "2"]
    await writer.edit(key, ids[0], "edited")
    assert [m.text for m in messages_of(await batches.latest(bob, key))] == ["edited", "1", "2"]
    await writer.react(key, ids[1], "👍")
    assert messages_of(await batches.latest(bob, key))[1].reactions
    await writer.react(key, ids[1], "👍", active=False)
    assert not messages_of(await batches.latest(bob, key))[1].reactions
    await writer.pin(key, ids[2])
    assert messages_of(await batches.latest(bob, key))[2].pinned
    await writer.delete(key, ids[1])
    assert messages_of(await batches.latest(bob, key))[1].HasField("delete_time")
    await assert_as_stored(batches, bob, key)


@pytest.mark.parametrize("at", ["this replica", "another replica"])
async def test_a_removed_member_sees_nothing_at_once(
    batches: Batches, ann: Person, bob: Person, other_chat: RunningChat, at: str
) -> None:
    writer = ann if at == "this replica" else Person(other_chat, ann.user_id, ann.name, ann.metadata)
    key = (await ann.create_group("team", bob.user_id)).conversation_id
    await ann.send(key, "hello")
    stub = writer.chat.conversations
    for _ in range(2):
        assert len(messages_of(await batches.latest(bob, key))) == 1
        remove = conversation_pb2.RemoveMemberRequest(conversation_id=key, user_id=bob.user_id)
        await stub.RemoveMember(remove, metadata=writer.metadata, timeout=TIMEOUT)
        both = message_pb2.ListMessagesRequest(conversation_id=key)
        refused, read = await batches.read((bob, both), (ann, both))
        assert Category(refused.error.code) is Category.PERMISSION_DENIED
        assert len(messages_of(read)) == 1
        add = conversation_pb2.AddMembersRequest(conversation_id=key, user_ids=[bob.user_id])
        await stub.AddMembers(add, metadata=writer.metadata, timeout=TIMEOUT)


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 52, 120])
async def test_a_page_from_memory_equals_that_from_the_store(
    batches: Batches, ann: Person, bob: Person, count: int
) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    sent = [await ann.send(key, "before")] if count else []
    await batches.latest(ann, key)
    for number in range(count - len(sent)):
        await ann.send(key, f"{number}" * (1 + number % 3))
    for options in ({}, {"page_size": 1}, {"page_size": 49}, {"page_size": 50}, {"page_size": 51}, {"page_size": 500}):
        await assert_as_stored(batches, bob, key, **options)
    for place in ({"before_seq": 10}, {"after_seq": 3}, {"around_seq": 5}):
        await assert_as_stored(batches, bob, key, page_size=7, **place)


async def test_large_messages_shorten_a_page_alike(batches: Batches, ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    for _ in range(20):
        await ann.send(key, "x" * 16_000)
    await assert_as_stored(batches, bob, key)
    assert (await batches.latest(bob, key)).page.has_more


async def test_a_response_leaves_out_what_makes_it_too_large(batches: Batches, ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    for _ in range(17):
        await ann.send(key, "x" * 16_000)
    page = message_pb2.ListMessagesRequest(conversation_id=key)
    outcomes = await batches.read(*[(bob, page)] * 100)
    assert 1 < len(outcomes) < 100
    assert all(len(outcome.page.messages) == len(outcomes[0].page.messages) > 0 for outcome in outcomes)


async def test_a_conversation_far_behind_is_read_again(batches: Batches, ann: Person, bob: Person) -> None:
    keys = [(await ann.create_group(f"{n}", bob.user_id)).conversation_id for n in range(3)]
    pages = [(bob, message_pb2.ListMessagesRequest(conversation_id=key)) for key in keys]
    await batches.read(*pages)
    message_ids = [(await ann.send(key, "first")).message_id for key in keys]
    for number in range(400):
        for key, message_id in zip(keys, message_ids, strict=True):
            await ann.react(key, message_id, "👍", active=number % 2 == 0)
    for key in keys:
        await ann.send(key, "last")
    for key, outcome in zip(keys, await batches.read(*pages), strict=True):
        assert messages_of(outcome) == list((await bob.history(key)).messages)
