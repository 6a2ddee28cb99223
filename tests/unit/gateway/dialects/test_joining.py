"""Joining a conversation takes calls: no message in between is lost, and a leave in between takes effect."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from parley.chat.v1.chat_pb2 import Conversation, Member, Message
from parley.chat.v1.conversation_pb2 import GetConversationResponse
from parley.chat.v1.message_pb2 import ListMessagesResponse

from chassis.errors import NotFoundError
from gateway.dialects.socketio_base import EmittedFrame
from gateway.sessions.commands import CallUpstream
from gateway.sessions.session import Session
from tests.unit.gateway.dialects.fixture import dialects
from tests.unit.gateway.dialects.services import Services
from tests.unit.gateway.fixtures import LIMITS, identity

PROJECTS = dialects()["projects"]
GONE = NotFoundError("CONVERSATION_NOT_FOUND", "no such conversation")


class Client:
    """A client of the projects dialect, and services that answer when the test says so."""

    def __init__(self) -> None:
        self.session = Session("session-1", identity(), "token", LIMITS, PROJECTS.new_state())
        self.conversation: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._services = Services(
            {
                "GetConversation": lambda _: self.conversation,
                "ListMessages": ListMessagesResponse(messages=[Message(seq=1, message_id="m1", sender_id="ann")]),
            }
        )

    def emit(self, event: str) -> asyncio.Task[Any]:
        """Emits an event with the conversation."""
        command = PROJECTS.decode(EmittedFrame(json.dumps([event, {"conversationId": "c1"}]), ""), self.session).command
        assert isinstance(command, CallUpstream)
        return asyncio.ensure_future(command.run(self._services.client(self.session.identity)))

    @property
    def joined(self) -> list[str]:
        """The joined conversations."""
        return list(self.session.dialect_state.joined)


def found() -> GetConversationResponse:
    members = [Member(user_id="ann"), Member(user_id="bob", read_seq=1)]
    return GetConversationResponse(conversation=Conversation(conversation_id="c1", members=members))


async def test_who_joins_knows_what_was_said_and_read_before() -> None:
    client = Client()
    joining = client.emit("join_conversation")
    client.conversation.set_result(found())
    await joining
    window = client.session.dialect_state.joined["c1"]
    assert window.newly_read("bob", 1) == []
    assert window.newly_read("carl", 1) == ["m1"]


async def test_who_leaves_while_joining_has_left() -> None:
    client = Client()
    joining, leaving = client.emit("join_conversation"), client.emit("leave_conversation")
    await leaving
    client.conversation.set_result(found())
    await joining
    assert client.joined == []


async def test_who_joins_leaves_and_joins_again_has_joined() -> None:
    client = Client()
    steps = [client.emit(f"{step}_conversation") for step in ("join", "leave", "join")]
    await asyncio.sleep(0)
    client.conversation.set_result(found())
    await asyncio.gather(*steps)
    assert client.joined == ["c1"]


async def test_where_there_is_nothing_to_join_nothing_is_joined() -> None:
    client = Client()
    joining = client.emit("join_conversation")
    client.conversation.set_result(GONE)
    with pytest.raises(NotFoundError):
        await joining
    assert client.joined == []
