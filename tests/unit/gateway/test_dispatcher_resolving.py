"""Requests for conversations by the front-end's own names run in order, however long the search for the ids takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley.chat.v1.chat_pb2 import Conversation
from parley.chat.v1.conversation_pb2 import (
    GetConversationResponse,
    GetOrCreateDirectConversationResponse,
    JoinRoomResponse,
)
from parley.chat.v1.event_pb2 import SubscribeRequest
from parley.chat.v1.message_pb2 import ListMessagesResponse, SendMessagesRequest, SendMessagesResponse, SendResult

from chassis.errors import PermissionDeniedError
from chassis.identity import TokenVerifier
from gateway.connections import dispatcher as dispatcher_module
from gateway.connections.dispatcher import RequestDispatcher
from gateway.connections.hub import Hub
from gateway.connections.readiness import ReadinessTracker
from gateway.sessions.background_tasks import running_background_tasks
from gateway.sessions.message_sender import MessageSender
from gateway.sessions.session import Session, SessionLimits
from gateway.sessions.signal_sender import SignalSender
from gateway.upstream import presence_cache as presence_cache_module
from gateway.upstream.presence_cache import PresenceCache
from gateway.upstream.presence_stream import PresenceReporter
from gateway.upstream.subscriptions import Subscription
from tests.unit.gateway.dialects.fixture import dialects
from tests.unit.gateway.dialects.services import Services
from tests.unit.gateway.fixtures import RecordingConnection, identity, lines_of, new_hub

LIMITS = SessionLimits(frame_bytes=65_536, requests_in_flight=2_000, frames_per_second=5_000, messages_per_second=5_000)
REFUSED = PermissionDeniedError("NOT_PERMITTED", "not with you")


async def _no_keys() -> str:
    raise AssertionError("no token is verified here")


class Helpdesk:
    """A dispatcher and a client of the helpdesk; the test ends the searches for conversations."""

    def __init__(
        self, dispatcher: RequestDispatcher, hub: Hub, services: Services, presence_cache: PresenceCache
    ) -> None:
        self.dispatcher = dispatcher
        self.hub = hub
        self.searches: list[asyncio.Future[Any]] = []
        self.sent: list[tuple[str, str]] = []
        self.connection = RecordingConnection(lines_of(dialects(presence_cache)["helpdesk"]))
        self.connection.session = Session("session-1", identity(), "token", LIMITS)
        services.answers |= {
            "SendMessages": self._take,
            "GetOrCreateDirectConversation": lambda request: self._search(
                GetOrCreateDirectConversationResponse(conversation=Conversation(conversation_id=request.user_id))
            ),
            "JoinRoom": lambda request: self._search(
                JoinRoomResponse(conversation=Conversation(conversation_id=request.external_ref))
            ),
            "GetConversation": lambda request: GetConversationResponse(
                conversation=Conversation(conversation_id=request.conversation_id)
            ),
            "ListMessages": ListMessagesResponse(),
        }

    async def _search(self, response: Any) -> Any:
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.searches.append(found)
        return await found or response

    def _take(self, request: SendMessagesRequest) -> SendMessagesResponse:
        self.sent += [(item.draft.conversation_id, item.draft.text) for item in request.items]
        outcomes = [SendMessagesResponse.Outcome(result=SendResult(message_id="m", seq=1)) for _ in request.items]
        return SendMessagesResponse(outcomes=outcomes)

    def say(self, **frame: Any) -> None:
        """Sends a frame."""
        self.dispatcher.received(self.connection, json.dumps(frame))

    def found(self, number: int, error: Exception | None = None) -> None:
        """Ends a search."""
        if number < len(self.searches) and not self.searches[number].done():
            self.searches[number].set_result(error)

    async def rest(self) -> None:
        """Waits until every request is answered."""
        async with asyncio.timeout(20):
            while self.connection.session.in_flight:
                for number in range(len(self.searches)):
                    self.found(number)
                await asyncio.sleep(0.001)


def _readiness(presence_cache: PresenceCache) -> ReadinessTracker:
    async def no_metadata() -> Any:
        return ()

    nowhere = cast(Any, None)  # the streams are not opened here
    chat, notify = [
        Subscription[object](
            name, nowhere, SubscribeRequest, metadata=no_metadata, deliver=lambda _: None, on_loss=lambda: None
        )
        for name in ("test-chat", "test-notify")
    ]
    presence_reporter = PresenceReporter(
        nowhere, gateway_id="g", metadata=no_metadata, deliver=lambda _: None, mark_synced=lambda _: None
    )
    return ReadinessTracker(chat, notify, presence_reporter, presence_cache)


@asynccontextmanager
async def helpdesk() -> AsyncIterator[Helpdesk]:
    services = Services()
    messages = MessageSender(services.upstreams, 20_000)
    presence_cache = PresenceCache()
    hub = new_hub(20, presence_cache)
    async with running_background_tasks() as tasks:
        sending = asyncio.create_task(messages.run())
        dispatcher = RequestDispatcher(
            hub=hub,
            readiness=_readiness(presence_cache),
            messages=messages,
            signals=SignalSender(services.upstreams, 20_000),
            tasks=tasks,
            upstreams=services.upstreams,
            verifier=TokenVerifier(_no_keys),  # no token is refreshed here
        )
        try:
            yield Helpdesk(dispatcher, hub, services, presence_cache)
        finally:
            sending.cancel()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("message"), st.sampled_from(["bob", "carl"])),
        st.tuples(st.sampled_from(["join", "room_message"]), st.sampled_from(["support", "sales"])),
        st.tuples(st.sampled_from(["found", "refused"]), st.integers(0, 8)),
        st.tuples(st.just("wait"), st.integers(0, 3)),
    ),
    max_size=30,
)


@settings(max_examples=120, deadline=None)
@given(STEPS)
def test_each_is_sent_in_its_turn_or_answered_with_what_is_wrong(steps: list[tuple[str, Any]]) -> None:
    asyncio.run(play(steps))


async def play(steps: list[tuple[str, Any]]) -> None:
    asked: dict[str, list[str]] = {}
    async with helpdesk() as harness:
        for number, (step, what) in enumerate(steps):
            if step == "message":
                asked.setdefault(what, []).append(str(number))
                harness.say(type="message", receiverId=what, content=str(number), tempId=f"t{number}")
            elif step == "room_message":
                asked.setdefault(what, []).append(str(number))
                harness.say(type="room_message", roomId=what, content=str(number), tempId=f"t{number}")
            elif step == "join":
                harness.say(type="join_room", roomId=what)
            elif step == "wait":
                for _ in range(what):
                    await asyncio.sleep(0)
            else:
                harness.found(what, REFUSED if step == "refused" else None)
        await harness.rest()
    failed = [
        frame["tempId"][1:] for frame in harness.connection.frames if frame["type"] == "error" and "tempId" in frame
    ]
    for name, contents in asked.items():
        sent = [text for conversation_id, text in harness.sent if conversation_id == name]
        assert sent == [content for content in contents if content not in failed]
    everything = [content for contents in asked.values() for content in contents]
    assert sorted([text for _, text in harness.sent] + failed) == sorted(everything)
    assert harness.dispatcher._resolving == {}


async def test_a_failed_search_fails_all_who_waited_and_is_repeated_for_the_next() -> None:
    async with helpdesk() as harness:
        for number in range(3):
            harness.say(type="message", receiverId="bob", content="hi", tempId=number)
        await asyncio.sleep(0.01)
        assert len(harness.searches) == 1
        harness.found(0, REFUSED)
        async with asyncio.timeout(20):
            while len(harness.connection.written) < 3:
                await asyncio.sleep(0)
        assert [(frame["reason"], frame["tempId"]) for frame in harness.connection.frames] == [
            ("NOT_PERMITTED", number) for number in range(3)
        ]
        harness.say(type="message", receiverId="bob", content="again")
        await harness.rest()
        assert harness.sent == [("bob", "again")]


async def test_what_was_found_is_not_searched_for_again_but_a_room_that_is_joined_again() -> None:
    async with helpdesk() as harness:
        for _ in range(3):
            harness.say(type="message", receiverId="bob", content="hi")
            await harness.rest()
        assert len(harness.searches) == 1
        for _ in range(2):
            harness.say(type="join_room", roomId="support")
            await harness.rest()
        assert len(harness.searches) == 3


async def test_of_very_many_that_were_found_the_first_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher_module, "_RESOLVED_PER_SESSION", 10)
    async with helpdesk() as harness:
        for number in range(30):
            harness.say(type="message", receiverId=f"user-{number}", content="hi")
        await harness.rest()
        assert list(harness.connection.session.conversations) == [
            ("user", f"user-{number}") for number in range(20, 30)
        ]
        assert len(harness.sent) == 30


async def test_what_is_asked_for_before_the_connection_ends_is_done_and_nothing_is_kept() -> None:
    async with helpdesk() as harness:
        harness.dispatcher.opened(harness.connection)
        harness.say(type="message", receiverId="bob", content="hi")
        await asyncio.sleep(0)
        harness.dispatcher.closed(harness.connection)
        await harness.rest()
        assert harness.sent == [("bob", "hi")]
        assert (harness.hub.count, harness.dispatcher._resolving) == (0, {})


async def test_who_joins_and_goes_before_it_is_ready_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services are unavailable."""
    monkeypatch.setattr(presence_cache_module, "SYNC_TIMEOUT_SECONDS", 0.01)
    async with helpdesk() as harness:
        harness.dispatcher.opened(harness.connection)
        harness.say(type="user_join", userId="ann")
        await asyncio.sleep(0)
        assert len(harness.dispatcher._tasks) == 1
        harness.dispatcher.closed(harness.connection)
        async with asyncio.timeout(20):
            while len(harness.dispatcher._tasks):
                await asyncio.sleep(0.001)
