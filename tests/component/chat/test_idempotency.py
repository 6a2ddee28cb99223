"""Tests that a request with a request id changes something once, however, whenever and wherever it is repeated."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley.chat.v1 import chat_pb2, conversation_pb2, message_pb2
from pymongo.errors import AutoReconnect

from services.chat.domain import ChangeSet
from services.chat.store import ChatStore
from tests.component.auth_service import RunningAuth
from tests.component.chat.running import TIMEOUT, Person, RunningChat, running_chat
from tests.component.chat.test_subscribe import subscribed

NAMES = ("ann", "bob", "cat", "dan")
c, m = conversation_pb2, message_pb2
OF_MESSAGES = ("Message", "Reaction")
"""Words in the names of MessageService's methods."""


class World(NamedTuple):
    """Two replicas on one store, and users who call both: `people[replica][user]`."""

    replicas: tuple[RunningChat, RunningChat]
    people: tuple[tuple[Person, ...], ...]
    organization_id: str

    def via(self, person: Person, replica: int) -> Person:
        """Returns the same user through a replica."""
        return next(other for other in self.people[replica] if other.user_id == person.user_id)


@pytest.fixture(scope="module")
async def world(auth: RunningAuth, mongodb_uri: str, redis_url: str) -> AsyncIterator[World]:
    organization_id = f"org-{secrets.token_hex(6)}"
    database = f"test_{secrets.token_hex(8)}"
    await auth.create_organization(organization_id)
    signed_in = [await auth.sign_in_new(organization_id, "manager") for _ in NAMES]
    async with (
        running_chat(auth, mongodb_uri, redis_url, database) as one,
        running_chat(auth, mongodb_uri, redis_url, database) as other,
    ):
        people = tuple(tuple(map(replica.as_user, signed_in)) for replica in (one, other))
        yield World((one, other), people, organization_id)


async def call(person: Person, request: Any) -> Any:
    """Calls the method of a request. Read times, which are written in the background, are cut from the response."""
    method = type(request).__name__.removesuffix("Request")
    stub: Any = person.chat.messages if any(word in method for word in OF_MESSAGES) else person.chat.conversations
    response = await getattr(stub, method)(request, metadata=person.metadata, timeout=TIMEOUT)
    if hasattr(response, "conversation"):
        for member in response.conversation.members:
            member.ClearField("read_time")
    return response


async def state_of(person: Person, conversation_id: str) -> dict[str, Any]:
    """Returns everything that a request may change, as one member sees it."""
    page = await person.sync(conversation_id, 0, page_size=200)
    conversation = page.conversation
    return {
        "rev": conversation.rev,
        "settings": (conversation.name, conversation.description, conversation.archived, list(conversation.tags)),
        "muted": conversation.muted_until_time.ToMilliseconds(),
        "pinned": conversation.pinned,
        "members": sorted((member.user_id, member.role) for member in conversation.members),
        "messages": [(message.message_id, message.rev, message.text) for message in page.messages],
    }


class Group(NamedTuple):
    """A group that Ann owns, with Bob, and with a message of Ann's."""

    conversation_id: str
    message_id: str


async def create_group(world: World) -> Group:
    ann, bob = world.people[0][:2]
    conversation = await ann.create_group("Launch", bob.user_id)
    sent = await ann.send(conversation.conversation_id, "first")
    return Group(conversation.conversation_id, sent.message_id)


def renamed(group: Group, name: str, request_id: str = "") -> Any:
    return c.UpdateConversationRequest(
        conversation=chat_pb2.Conversation(conversation_id=group.conversation_id, name=name),
        update_mask=FieldMask(paths=["name"]),
        request_id=request_id,
    )


def muted(group: Group, seconds: int, request_id: str = "") -> Any:
    conversation = chat_pb2.Conversation(conversation_id=group.conversation_id)
    if seconds:
        conversation.muted_until_time.CopyFrom(Timestamp(seconds=seconds))
    mask = FieldMask(paths=["muted_until_time"])
    return c.UpdateConversationRequest(conversation=conversation, update_mask=mask, request_id=request_id)


def role_of(group: Group, user: Person, role: chat_pb2.MemberRole.ValueType, request_id: str = "") -> Any:
    member = chat_pb2.Member(user_id=user.user_id, role=role)
    return c.UpdateMemberRequest(conversation_id=group.conversation_id, member=member, request_id=request_id)


class Row(NamedTuple):
    """A request of Ann's, a request of hers that undoes it, and another request with the same id."""

    request: Callable[[World, Group, str], Any]
    undo: Callable[[World, Group], Any]
    other: Callable[[World, Group, str], Any]


def _person(world: World, name: str) -> Person:
    return world.people[0][NAMES.index(name)]


def _add(name: str) -> Callable[[World, Group, str], Any]:
    return lambda w, g, r: c.AddMembersRequest(
        conversation_id=g.conversation_id, user_ids=[_person(w, name).user_id], request_id=r
    )


def _remove(name: str) -> Callable[[World, Group, str], Any]:
    return lambda w, g, r: c.RemoveMemberRequest(
        conversation_id=g.conversation_id, user_id=_person(w, name).user_id, request_id=r
    )


def _edit(text: str) -> Callable[[World, Group, str], Any]:
    return lambda _, g, r: m.EditMessageRequest(
        conversation_id=g.conversation_id, message_id=g.message_id, text=text, request_id=r
    )


def _react(emoji: str) -> Callable[[World, Group, str], Any]:
    return lambda _, g, r: m.AddReactionRequest(
        conversation_id=g.conversation_id, message_id=g.message_id, emoji=emoji, request_id=r
    )


def _unreact(emoji: str) -> Callable[[World, Group, str], Any]:
    return lambda _, g, r: m.RemoveReactionRequest(
        conversation_id=g.conversation_id, message_id=g.message_id, emoji=emoji, request_id=r
    )


def _pin(_: World, group: Group, request_id: str) -> Any:
    return m.PinMessageRequest(
        conversation_id=group.conversation_id, message_id=group.message_id, request_id=request_id
    )


def _unpin(_: World, group: Group, request_id: str) -> Any:
    return m.UnpinMessageRequest(
        conversation_id=group.conversation_id, message_id=group.message_id, request_id=request_id
    )


def _pin_own(_: World, group: Group, request_id: str) -> Any:
    return c.PinConversationRequest(conversation_id=group.conversation_id, request_id=request_id)


def _unpin_own(_: World, group: Group, request_id: str) -> Any:
    return c.UnpinConversationRequest(conversation_id=group.conversation_id, request_id=request_id)


def _rename(name: str) -> Callable[[World, Group, str], Any]:
    return lambda _, g, r: renamed(g, name, r)


ADMIN, MEMBER = chat_pb2.MEMBER_ROLE_ADMIN, chat_pb2.MEMBER_ROLE_MEMBER
ROWS = {
    "rename": Row(_rename("Landing"), lambda _, g: renamed(g, "Launch"), _rename("Sea")),
    "rename to the same": Row(_rename("Launch"), lambda _, g: renamed(g, "Landing"), _rename("Sea")),
    "mute": Row(
        lambda _, g, r: muted(g, 4_000_000_000, r), lambda _, g: muted(g, 0), lambda _, g, r: renamed(g, "Sea", r)
    ),
    "unmute": Row(
        lambda _, g, r: muted(g, 0, r), lambda _, g: muted(g, 4_000_000_000), lambda _, g, r: muted(g, 4_100_000_000, r)
    ),
    "add": Row(_add("cat"), lambda w, g: _remove("cat")(w, g, ""), _add("dan")),
    "add a member": Row(_add("bob"), lambda w, g: _remove("bob")(w, g, ""), _add("dan")),
    "remove": Row(_remove("bob"), lambda w, g: _add("bob")(w, g, ""), _remove("bob")),
    "role": Row(
        lambda w, g, r: role_of(g, _person(w, "bob"), ADMIN, r),
        lambda w, g: role_of(g, _person(w, "bob"), MEMBER),
        lambda w, g, r: role_of(g, _person(w, "bob"), MEMBER, r),
    ),
    "the same role": Row(
        lambda w, g, r: role_of(g, _person(w, "bob"), MEMBER, r),
        lambda w, g: role_of(g, _person(w, "bob"), ADMIN),
        lambda w, g, r: role_of(g, _person(w, "bob"), ADMIN, r),
    ),
    "react": Row(_react("👍"), lambda w, g: _unreact("👍")(w, g, ""), _react("👍")),
    "unreact what is not there": Row(_unreact("🎉"), lambda w, g: _react("🎉")(w, g, ""), _unreact("🎉")),
    "pin": Row(_pin, lambda w, g: _unpin(w, g, ""), _pin),
    "unpin what is not pinned": Row(_unpin, lambda w, g: _pin(w, g, ""), _unpin),
    "pin for oneself": Row(_pin_own, lambda w, g: _unpin_own(w, g, ""), _pin_own),
    "unpin for oneself": Row(_unpin_own, lambda w, g: _pin_own(w, g, ""), _unpin_own),
    "edit": Row(_edit("edited"), lambda w, g: _edit("edited back")(w, g, ""), _edit("another text")),
}


@pytest.mark.parametrize("name", ROWS)
async def test_a_repeat_and_another_request_with_the_same_id_change_nothing(world: World, name: str) -> None:
    group, row, key = await create_group(world), ROWS[name], secrets.token_hex(8)
    ann, elsewhere = world.people[0][0], world.people[1][0]
    first = await call(ann, row.request(world, group, key))
    after = await state_of(ann, group.conversation_id)
    assert await call(elsewhere, row.request(world, group, key)) == first
    assert await call(ann, row.other(world, group, key)) == first
    assert await state_of(elsewhere, group.conversation_id) == after
    await call(ann, row.undo(world, group))
    undone = await state_of(ann, group.conversation_id)
    assert undone != after
    for person in (ann, elsewhere):
        await call(person, row.request(world, group, key))
        assert await state_of(person, group.conversation_id) == undone


async def test_ids_of_other_callers_methods_and_conversations_are_other_ids(world: World) -> None:
    ann, bob = world.people[0][:2]
    one, other = await create_group(world), await create_group(world)
    key = secrets.token_hex(8)
    await call(ann, role_of(one, bob, ADMIN, key))
    await call(ann, renamed(one, "by Ann", key))
    await call(ann, renamed(other, "another group", key))
    assert (await call(bob, renamed(one, "by Bob", key))).conversation.name == "by Bob"
    assert (await ann.conversation(other.conversation_id)).name == "another group"


async def test_a_request_that_failed_is_performed_when_it_is_repeated(world: World) -> None:
    ann, bob = world.people[0][:2]
    group, key = await create_group(world), secrets.token_hex(8)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call(bob, renamed(group, "by Bob", key))
    assert failed.value.code() is grpc.StatusCode.PERMISSION_DENIED
    await call(ann, role_of(group, bob, ADMIN))
    assert (await call(bob, renamed(group, "by Bob", key))).conversation.name == "by Bob"


async def test_a_deletion_is_repeated_with_the_first_tombstone(world: World) -> None:
    ann = world.people[0][0]
    group, key = await create_group(world), secrets.token_hex(8)
    request = m.DeleteMessageRequest(conversation_id=group.conversation_id, message_id=group.message_id, request_id=key)
    tombstone = await call(ann, request)
    assert tombstone.message.HasField("delete_time")
    assert await call(world.via(ann, 1), request) == tombstone


async def test_ids_of_other_messages_and_members_are_other_ids(world: World) -> None:
    ann, bob, cat = world.people[0][:3]
    group, key = await create_group(world), secrets.token_hex(8)
    await ann.add(group.conversation_id, cat.user_id)
    second = Group(group.conversation_id, (await ann.send(group.conversation_id, "second")).message_id)
    for target in (group, second):
        edited = (await call(ann, _edit("edited")(world, target, key))).message
        assert (edited.message_id, edited.text) == (target.message_id, "edited")
    for target in (group, second):
        request = m.DeleteMessageRequest(
            conversation_id=target.conversation_id, message_id=target.message_id, request_id=key
        )
        deleted = (await call(ann, request)).message
        assert (deleted.message_id, deleted.HasField("delete_time")) == (target.message_id, True)
    for person in (bob, cat):
        members = (await call(ann, role_of(group, person, ADMIN, key))).conversation.members
        assert {member.user_id: member.role for member in members}[person.user_id] == ADMIN

    def removal(person: Person) -> Any:
        return c.RemoveMemberRequest(conversation_id=group.conversation_id, user_id=person.user_id, request_id=key)

    for person in (bob, cat):
        members = (await call(ann, removal(person))).conversation.members
        assert person.user_id not in {member.user_id for member in members}


async def test_a_group_is_created_once_whatever_a_repeat_says(world: World) -> None:
    ann, bob = world.people[0][:2]
    key = secrets.token_hex(8)

    def creation(name: str, *members: Person) -> Any:
        ids = [person.user_id for person in members]
        return c.CreateConversationRequest(
            kind=chat_pb2.CONVERSATION_KIND_GROUP, name=name, member_ids=ids, request_id=key
        )

    first = await call(ann, creation("Launch", bob))
    assert await call(world.via(ann, 1), creation("Launch", bob)) == first
    assert await call(ann, creation("Another", ann)) == first
    assert (await call(bob, creation("Launch"))).conversation.conversation_id != first.conversation.conversation_id


@pytest.mark.parametrize("leaver", ["the owner", "a member"])
async def test_who_left_gets_the_outcome_without_what_happened_since(world: World, leaver: str) -> None:
    ann, bob = world.people[0][:2]
    group, key = await create_group(world), secrets.token_hex(8)
    person, other = (ann, bob) if leaver == "the owner" else (bob, ann)
    leave = c.RemoveMemberRequest(conversation_id=group.conversation_id, user_id=person.user_id, request_id=key)
    left = (await call(person, leave)).conversation
    left_at = (await other.conversation(group.conversation_id)).rev
    assert left.rev == left_at
    await call(other, renamed(group, "secret"))
    await other.send(group.conversation_id, "secret")
    conversation = (await call(person, leave)).conversation
    assert (conversation.conversation_id, conversation.rev) == (group.conversation_id, left_at)
    assert "secret" not in str(conversation)
    assert not conversation.members
    assert conversation.member_count == 0  # by which clients recognize a conversation that they left
    await other.add(group.conversation_id, person.user_id)
    assert (await call(person, leave)).conversation.rev == left_at
    assert person.user_id in {member.user_id for member in (await other.conversation(group.conversation_id)).members}


async def test_who_was_removed_gets_the_outcome_of_an_earlier_request(world: World) -> None:
    ann, bob, cat = world.people[0][:3]
    group, key = await create_group(world), secrets.token_hex(8)
    await call(ann, role_of(group, bob, ADMIN))
    request = c.AddMembersRequest(conversation_id=group.conversation_id, user_ids=[cat.user_id], request_id=key)
    added = (await call(bob, request)).conversation
    await ann.remove(group.conversation_id, bob.user_id)
    conversation = (await call(bob, request)).conversation
    assert (conversation.conversation_id, conversation.rev) == (group.conversation_id, added.rev)


async def test_entering_a_room_again_with_the_same_id_does_not_undo_a_departure(world: World) -> None:
    ann, bob = world.people[0][:2]
    ref = secrets.token_hex(8)
    for person in (ann, bob):
        request = c.JoinRoomRequest(external_ref=ref, request_id=f"join {person.user_id}")
        room = (await call(person, request)).conversation
        assert (await call(world.via(person, 1), request)).conversation == room
    await call(bob, c.JoinRoomRequest(external_ref=ref, request_id="already there"))
    await bob.remove(room.conversation_id, bob.user_id)
    for request_id in (f"join {bob.user_id}", "already there"):
        outcome = (await call(bob, c.JoinRoomRequest(external_ref=ref, request_id=request_id))).conversation
        assert outcome.conversation_id == room.conversation_id
    assert [member.user_id for member in (await ann.conversation(room.conversation_id)).members] == [ann.user_id]
    await call(bob, c.JoinRoomRequest(external_ref=ref, request_id="back"))
    assert (await ann.conversation(room.conversation_id)).member_count == 2


@pytest.mark.parametrize("name", [*ROWS, "create", "delete"])
async def test_twenty_at_once_through_two_replicas_are_one_change(world: World, name: str) -> None:
    group, key = await create_group(world), secrets.token_hex(8)
    ann, bob = world.people[0][:2]
    if name == "create":
        request: Any = c.CreateConversationRequest(
            kind=chat_pb2.CONVERSATION_KIND_GROUP, name="Once", member_ids=[bob.user_id], request_id=key
        )
    elif name == "delete":
        request = m.DeleteMessageRequest(
            conversation_id=group.conversation_id, message_id=group.message_id, request_id=key
        )
    else:
        request = ROWS[name].request(world, group, key)
    before = (await ann.conversation(group.conversation_id)).rev
    responses = await asyncio.gather(*(call(world.people[number % 2][0], request) for number in range(20)))
    assert all(response == responses[0] for response in responses)
    assert (await ann.conversation(group.conversation_id)).rev - before <= 1
    if name == "create":
        created = responses[0].conversation
        assert (created.rev, created.member_count) == (1, 2)


class Interruption:
    """Stands between a replica and the store: the next write is made, and its replica never learns it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.armed = True
        self.happened = asyncio.Event()
        self.over = asyncio.Event()
        for method in ("commit_change", "commit_private", "create_conversation"):
            monkeypatch.setattr(ChatStore, method, self._interrupted(getattr(ChatStore, method)))

    def _interrupted(self, write: Any) -> Any:
        async def interrupted(store: ChatStore, *arguments: Any) -> Any:
            result = await write(store, *arguments)
            if self.armed:
                self.armed = False
                self.happened.set()
                await self.over.wait()
            return result

        return interrupted


@pytest.mark.parametrize("name", [*ROWS, "create", "leave"])
async def test_a_replica_that_dies_after_the_write_has_done_the_only_change(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, key = await create_group(world), secrets.token_hex(8)
    ann, elsewhere, bob = world.people[0][0], world.people[1][0], world.people[1][1]
    if name == "create":
        request: Any = c.CreateConversationRequest(
            kind=chat_pb2.CONVERSATION_KIND_GROUP, name="Once", member_ids=[bob.user_id], request_id=key
        )
    elif name == "leave":
        request = _remove("ann")(world, group, key)
    else:
        request = ROWS[name].request(world, group, key)
    interruption = Interruption(monkeypatch)
    lost = asyncio.create_task(call(ann, request))
    try:
        await asyncio.wait_for(interruption.happened.wait(), TIMEOUT)
        lost.cancel()
        reader = bob if name == "leave" else elsewhere
        written = await state_of(reader, group.conversation_id)
        response = await call(elsewhere, request)
        again = await call(elsewhere, request)
        assert response == again
        if name == "create":
            assert response.conversation.rev == 1
        assert await state_of(reader, group.conversation_id) == written
    finally:
        interruption.over.set()
        with contextlib.suppress(asyncio.CancelledError):
            await lost


async def test_a_repeat_publishes_the_mute_that_a_replica_died_before_publishing(
    world: World, auth: RunningAuth, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, key = await create_group(world), secrets.token_hex(8)
    ann, elsewhere = world.people[0][0], world.people[1][0]
    interruption = Interruption(monkeypatch)
    async with subscribed(auth, world.replicas[1], world.organization_id, ann.user_id) as stream:
        await stream.read()
        lost = asyncio.create_task(call(ann, muted(group, 4_000_000_000, key)))
        try:
            await asyncio.wait_for(interruption.happened.wait(), TIMEOUT)
            lost.cancel()
            await call(elsewhere, muted(group, 4_000_000_000, key))
            views: list[int] = []
            while not views:
                updates = [event.conversation_updated for event in (await stream.read()).events]
                views += [view.muted_until_time.seconds for update in updates for view in update.views]
            assert views == [4_000_000_000]
        finally:
            interruption.over.set()
            with contextlib.suppress(asyncio.CancelledError):
                await lost


async def test_a_write_whose_acknowledgement_is_lost_is_made_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, key = await create_group(world), secrets.token_hex(8)
    ann = world.people[0][0]
    commit = ChatStore.commit_change
    lost: list[ChangeSet] = []

    async def unacknowledged(store: ChatStore, changes: ChangeSet) -> None:
        await commit(store, changes)
        if not lost:
            lost.append(changes)
            raise AutoReconnect("the connection was closed")

    monkeypatch.setattr(ChatStore, "commit_change", unacknowledged)
    before = (await ann.conversation(group.conversation_id)).rev
    response = await call(ann, renamed(group, "Landing", key))
    assert lost
    assert (response.conversation.name, response.conversation.rev) == ("Landing", before + 1)
    assert await call(ann, renamed(group, "Landing", key)) == response


@dataclass
class Performed:
    """A request that succeeded, and what its response was about."""

    user: int
    request: Any
    subject: str


@dataclass
class Story:
    """What happened to one group."""

    group: Group
    performed: list[Performed] = field(default_factory=list)


REFUSALS = {
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
}
users = st.integers(0, len(NAMES) - 1)
CHANGES: dict[str, Callable[[World, Group, int, int, str], Any]] = {
    "rename": lambda _, g, __, number, r: renamed(g, f"name {number % 3}", r),
    "mute": lambda _, g, __, number, r: muted(g, (number % 3) * 2_000_000_000, r),
    "add": lambda w, g, whom, _, r: _add(NAMES[whom])(w, g, r),
    "remove": lambda w, g, whom, _, r: _remove(NAMES[whom])(w, g, r),
    "role": lambda w, g, whom, number, r: role_of(g, w.people[0][whom], (ADMIN, MEMBER)[number % 2], r),
    "edit": lambda w, g, _, number, r: _edit(f"text {number % 3}")(w, g, r),
    "delete": lambda _, g, __, ___, r: m.DeleteMessageRequest(
        conversation_id=g.conversation_id, message_id=g.message_id, request_id=r
    ),
}
"""By name: a request about a user, with content chosen by a number, and with a request id."""
REPEATS = ("repeat", "repeat with other content")
steps = st.tuples(st.sampled_from((*CHANGES, *REPEATS * 3)), users, users, st.integers(0, 30))


def subject_of(response: Message) -> str:
    if isinstance(response, m.EditMessageResponse | m.DeleteMessageResponse):
        return response.message.message_id
    return str(getattr(response, "conversation").conversation_id)  # noqa: B009  # a union of responses


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(steps, min_size=5, max_size=25))
async def test_in_any_history_repeats_change_nothing(world: World, history: list[tuple[str, int, int, int]]) -> None:
    story = Story(await create_group(world))
    for index, step in enumerate(history):
        what, who, whom, number = step
        if what in REPEATS:
            if story.performed:
                performed = story.performed[number % len(story.performed)]
                await repeat(world, story, performed, index, other_content=what != "repeat")
            continue
        request = CHANGES[what](world, story.group, whom, number, f"{index}")
        try:
            response = await call(world.people[index % 2][who], request)
        except grpc.aio.AioRpcError as error:
            assert error.code() in REFUSALS, error
        else:
            story.performed.append(Performed(who, request, subject_of(response)))


async def repeat(world: World, story: Story, performed: Performed, index: int, *, other_content: bool) -> None:
    """Repeats a request through a replica, maybe with other content, and checks that nothing changes."""
    everyone = world.people[index % 2]
    readers = [person for person in everyone if await is_member(person, story.group)]
    before = [await state_of(person, story.group.conversation_id) for person in readers]
    request = type(performed.request)()
    request.CopyFrom(performed.request)
    if other_content and hasattr(request, "text"):
        request.text = "another text"
    response = await call(everyone[performed.user], request)
    assert subject_of(response) == performed.subject
    assert [person for person in everyone if await is_member(person, story.group)] == readers
    assert [await state_of(person, story.group.conversation_id) for person in readers] == before


async def is_member(person: Person, group: Group) -> bool:
    try:
        await person.conversation(group.conversation_id)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        return False
    return True
