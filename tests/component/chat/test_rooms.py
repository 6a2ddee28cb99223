"""Tests of rooms, which staff join by name, and of messages read by id."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from parley.chat.v1 import chat_pb2, conversation_pb2, message_pb2

from tests.component.auth_service import RunningAuth
from tests.component.chat.running import TIMEOUT, Person, RunningChat


async def join(person: Person, external_ref: str, name: str = "") -> chat_pb2.Conversation:
    """Joins a room."""
    request = conversation_pb2.JoinRoomRequest(external_ref=external_ref, name=name)
    stub = person.chat.conversations
    return (await stub.JoinRoom(request, metadata=person.metadata, timeout=TIMEOUT)).conversation


async def get_message(person: Person, message_id: str) -> chat_pb2.Message:
    """Returns a message."""
    request = message_pb2.GetMessageRequest(message_id=message_id)
    stub = person.chat.messages
    return (await stub.GetMessage(request, metadata=person.metadata, timeout=TIMEOUT)).message


@pytest.fixture
async def kim(auth: RunningAuth, chat: RunningChat, organization_id: str, ann: Person) -> Person:
    """A client of the same organization."""
    return chat.as_user(await auth.sign_in_new(organization_id, "client"))


async def test_all_staff_find_themselves_in_one_room(ann: Person, bob: Person) -> None:
    rooms = await asyncio.gather(*(join(person, "support-1", "Support") for person in [ann, bob] * 5))
    assert len({room.conversation_id for room in rooms}) == 1
    room = await join(bob, "support-1", "another name is passed over")
    assert (room.kind, room.name, room.external_ref) == (chat_pb2.CONVERSATION_KIND_GROUP, "Support", "support-1")
    assert sorted(member.user_id for member in room.members) == sorted([ann.user_id, bob.user_id])
    assert sorted(member.role for member in room.members) == [
        chat_pb2.MEMBER_ROLE_OWNER,
        chat_pb2.MEMBER_ROLE_MEMBER,
    ]


async def test_a_room_without_a_name_is_called_by_its_reference(ann: Person) -> None:
    assert (await join(ann, "support-1")).name == "support-1"


async def test_a_client_enters_only_where_somebody_has_added_it(ann: Person, kim: Person) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as absent:
        await join(kim, "support-1")
    assert absent.value.code() is grpc.StatusCode.NOT_FOUND
    room = await join(ann, "support-1")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await join(kim, "support-1")
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    await ann.add(room.conversation_id, kim.user_id)
    assert (await join(kim, "support-1")).conversation_id == room.conversation_id


async def test_a_room_is_none_of_the_groups_that_have_its_name_for_a_reference(ann: Person, bob: Person) -> None:
    request = conversation_pb2.CreateConversationRequest(
        kind=chat_pb2.CONVERSATION_KIND_GROUP, name="Ours", external_ref="support-1"
    )
    stub = ann.chat.conversations
    private = (await stub.CreateConversation(request, metadata=ann.metadata, timeout=TIMEOUT)).conversation
    assert (await join(bob, "support-1")).conversation_id != private.conversation_id


async def test_whoever_comes_back_to_an_empty_room_owns_it(ann: Person, bob: Person) -> None:
    room = await join(ann, "support-1")
    await ann.remove(room.conversation_id, ann.user_id)
    (member,) = (await join(bob, "support-1")).members
    assert (member.user_id, member.role) == (bob.user_id, chat_pb2.MEMBER_ROLE_OWNER)


async def test_a_message_is_found_by_its_id_by_members_alone(ann: Person, bob: Person, kim: Person) -> None:
    conversation = await ann.direct(bob.user_id)
    sent = await ann.send(conversation.conversation_id, "hello")
    for person in (ann, bob):
        message = await get_message(person, sent.message_id)
        assert (message.text, message.conversation_id) == ("hello", conversation.conversation_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await get_message(kim, sent.message_id)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_member_shows_when_it_last_read(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    sent = await ann.send(key, "hello")

    def of_bob(conversation: chat_pb2.Conversation) -> chat_pb2.Member:
        return next(member for member in conversation.members if member.user_id == bob.user_id)

    assert not of_bob(await ann.conversation(key)).HasField("read_time")
    await bob.mark_read(key, 1)
    read = of_bob(await ann.conversation(key)).read_time
    assert read.ToMilliseconds() >= sent.create_time.ToMilliseconds()
