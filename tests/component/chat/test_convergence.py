"""The central property, in the spirit of Zulip's `verify_action`.

After any actions of several users through several replicas, a reader that was away and catches up by rev has the same
state as one that followed them live, and as one that starts without state.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley.chat.v1 import chat_pb2, event_pb2
from parley.stream.v1.stream_pb2 import Attachments, UserKey

from tests.component.auth_service import RunningAuth
from tests.component.chat.readers import Reader
from tests.component.chat.running import Person, RunningChat, running_chat

NAMES = ("ann", "bob", "cat", "dan")
REFUSALS = {
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
}

users = st.sampled_from(range(len(NAMES)))
numbers = st.integers(min_value=0, max_value=30)
actions = st.one_of(
    st.tuples(st.just("send"), users, numbers),
    st.tuples(st.just("send"), users, numbers),
    st.tuples(st.just("edit"), users, numbers),
    st.tuples(st.just("delete"), users, numbers),
    st.tuples(st.just("react"), users, numbers),
    st.tuples(st.just("unreact"), users, numbers),
    st.tuples(st.just("pin"), users, numbers),
    st.tuples(st.just("unpin"), users, numbers),
    st.tuples(st.just("forward"), users, numbers),
    st.tuples(st.just("read"), users, numbers),
    st.tuples(st.just("add"), users, users),
    st.tuples(st.just("remove"), users, users.filter(bool)),
    st.tuples(st.just("role"), users, users.filter(bool)),
    st.tuples(st.just("sync"), st.just(0), st.integers(min_value=1, max_value=4)),
)


@dataclass(frozen=True)
class World:
    """Two replicas on one store, and four users who call both."""

    organization_id: str
    replicas: tuple[RunningChat, RunningChat]
    people: tuple[tuple[Person, ...], ...]


@pytest.fixture(scope="module")
async def world(auth: RunningAuth, mongodb_uri: str, redis_url: str) -> AsyncIterator[World]:
    organization_id = f"org-{secrets.token_hex(6)}"
    database = f"test_{secrets.token_hex(8)}"
    await auth.create_organization(organization_id)
    signed_in = [await auth.sign_in_new(organization_id, "manager") for _ in NAMES]
    quick = {"summary_interval_seconds": 0.1}
    async with (
        running_chat(auth, mongodb_uri, redis_url, database, **quick) as one,
        running_chat(auth, mongodb_uri, redis_url, database, **quick) as other,
    ):
        people = tuple(tuple(replica.as_user(user) for user in signed_in) for replica in (one, other))
        yield World(organization_id, (one, other), people)


async def perform(world: World, key: str, step: int, action: tuple[str, int, int]) -> None:
    """Performs one action, through the replicas in turn; an action that isn't permitted fails and changes nothing."""
    what, who, number = action
    people = world.people[step % 2]
    person, ids = people[who], [p.user_id for p in people]
    message_id = ""
    of_message: dict[str, Callable[[], Awaitable[object]]] = {
        "edit": lambda: person.edit(key, message_id, f"{who} corrects {number}"),
        "delete": lambda: person.delete(key, message_id),
        "react": lambda: person.react(key, message_id, "👍🎉"[number % 2]),
        "unreact": lambda: person.react(key, message_id, "👍🎉"[number % 2], active=False),
        "pin": lambda: person.pin(key, message_id),
        "unpin": lambda: person.pin(key, message_id, pinned=False),
        "forward": lambda: person.forward(key, message_id, key),
    }
    of_conversation: dict[str, Callable[[], Awaitable[object]]] = {
        "send": lambda: person.send(key, f"{who} says {number}"),
        "read": lambda: person.mark_read(key, number + 1),
        "add": lambda: person.add(key, ids[number]),
        "remove": lambda: person.remove(key, ids[number]),
        "role": lambda: person.set_role(key, ids[number], chat_pb2.MEMBER_ROLE_ADMIN),
    }
    if what in of_message:
        history = await world.people[0][0].history(key)
        message_id = history.messages[number % len(history.messages)].message_id if history.messages else "A" * 22
    with contextlib.suppress(_RefusedError):
        async with _refusable():
            await (of_message | of_conversation)[what]()


class _RefusedError(Exception):
    pass


@contextlib.asynccontextmanager
async def _refusable() -> AsyncIterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        assert error.code() in REFUSALS, error
        raise _RefusedError from error


async def follow(world: World, auth: RunningAuth, reader: Reader, key: str, attached: asyncio.Event) -> None:
    """Applies the first user's events to a reader as they arrive."""
    person = world.people[1][0]
    call = world.replicas[1].events.Subscribe(metadata=await auth.service_metadata())
    try:
        add = [UserKey(organization_id=world.organization_id, user_id=person.user_id)]
        await call.write(event_pb2.SubscribeRequest(attachments=Attachments(add=add, request_sequence=1)))
        async for response in call:
            if response.acked_sequence:
                attached.set()
            for event in response.events:
                if key in str(event):
                    reader.apply(event)
    finally:
        call.cancel()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(actions, min_size=4, max_size=30), page_size=st.integers(min_value=1, max_value=5))
async def test_whoever_was_away_ends_in_the_state_of_one_that_never_left(
    world: World, auth: RunningAuth, history: list[tuple[str, int, int]], page_size: int
) -> None:
    ann = world.people[0][0]
    group = await ann.create_group("Launch", *(p.user_id for p in world.people[0][1:3]))
    key = group.conversation_id
    followed, returned, fresh = Reader(), Reader(), Reader()
    attached = asyncio.Event()
    following = asyncio.create_task(follow(world, auth, followed, key, attached))
    try:
        await asyncio.wait(
            [following, waiting := asyncio.ensure_future(attached.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        assert waiting.done(), following
        await followed.catch_up(ann, key, page_size)
        for step, action in enumerate(history):
            if action[0] == "sync":
                await returned.catch_up(world.people[step % 2][0], key, action[2])
            else:
                await perform(world, key, step, action)
        for _ in range(1_000):  # senders' receipts are written shortly after their messages
            conversation = await ann.conversation(key)
            fresh = Reader()
            await fresh.catch_up(world.people[1][0], key, page_size)
            if followed.view() == fresh.view() and conversation.rev == fresh.rev:
                break
            await asyncio.sleep(0.02)
        assert followed.view() == fresh.view()
        await returned.catch_up(ann, key, page_size)
        assert returned.view() == fresh.view()
        assert sorted(fresh.messages) == list(range(1, conversation.seq + 1))
        assert conversation.unread_count == sum(seq > conversation.read_seq for seq in fresh.messages)
        assert {m.user_id for m in conversation.members} == set(fresh.members)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
