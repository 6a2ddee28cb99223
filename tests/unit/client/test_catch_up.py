"""The requests of a client that catches up, and their pages."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
import pytest
from parley_client.apply_response import apply_response
from parley_client.calls import Calls
from parley_client.catch_up import Synchronizer
from parley_client.contract import Conversation, ListConversationsResponse, User
from parley_client.errors import ParleyError
from parley_client.events import Event, MemberRemoved, MessageCreated, SessionReady
from parley_client.options import Options
from parley_client.protocol import Reply
from parley_client.replica import Replica
from parley_client.transport import CloseCode

from tests.unit.client.conversation_log import CONVERSATION_ID, ME, ConversationLog
from tests.unit.client.fake_time import FakeClock, settle

_PAGE_SIZE = 4
_SERVER_AHEAD = timedelta(hours=1)


class Harness:
    """A synchronizer, with a test in the place of the server."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        options = Options(clock=self.clock, random=lambda: 0.5, page_size=_PAGE_SIZE)
        self.replica = Replica()
        self.replica.set_user(ME)
        self.events: list[Event] = []
        self.calls = Calls(options, self._on_reply)
        self.synchronizer = Synchronizer(self.replica, self.calls, options, self.events.extend)
        self.synchronizer.session_ready(
            SessionReady(session_id="s", user=User(user_id=ME), server_time=self.now + _SERVER_AHEAD)
        )

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.time(), UTC)

    def _on_reply(self, op: str, body: Mapping[str, object], reply: object) -> None:
        self.events.extend(apply_response(self.replica, ME, op, body, reply))

    async def next_request(self) -> tuple[int, str, dict[str, object]]:
        """Returns the only request that the client has made now."""
        await settle()
        (frame,) = [msgspec.json.decode(frame) for frame in self.calls.take_unsent()]
        return frame["id"], frame["op"], frame["body"]

    async def answer(self, request_id: int, ok: object) -> None:
        self.calls.handle_reply(Reply(request_id, msgspec.Raw(msgspec.json.encode(ok)), None))
        await settle()

    async def answer_error(self, request_id: int, code: str, reason: str) -> None:
        self.calls.handle_reply(Reply(request_id, msgspec.Raw(b"{}"), ParleyError(code, reason)))
        await settle()

    async def answer_list(self, *conversations: Conversation, next_page_token: str = "") -> dict[str, object]:
        request_id, op, body = await self.next_request()
        assert op == "conversation.list"
        await self.answer(
            request_id, ListConversationsResponse(conversations=list(conversations), next_page_token=next_page_token)
        )
        return body

    async def answer_sync(self, log: ConversationLog) -> dict[str, object]:
        request_id, op, body = await self.next_request()
        assert op == "message.sync"
        await self.answer(request_id, log.sync(cast("int", body["afterRev"]), cast("int", body["pageSize"])))
        return body

    async def catch_up(self, *conversations: Conversation) -> dict[str, object]:
        """Catches up without finding anything missing; returns the body of the list request."""
        task = asyncio.create_task(self.synchronizer.catch_up())
        body = await self.answer_list(*conversations)
        await task
        return body


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    yield Harness()


@pytest.fixture
def log() -> ConversationLog:
    log = ConversationLog()
    log.create("ann", ME)
    log.send("ann", "one")
    return log


def conversations(count: int) -> list[Conversation]:
    return [Conversation(conversation_id=f"c{number}", rev=1, member_count=2) for number in range(count)]


async def test_the_first_list_is_of_everything_in_pages(harness: Harness) -> None:
    task = asyncio.create_task(harness.synchronizer.catch_up())
    first = await harness.answer_list(*conversations(3), next_page_token="more")
    second = await harness.answer_list(*conversations(5)[3:])
    await task

    assert (first, second) == ({"pageSize": 4}, {"pageSize": 4, "pageToken": "more"})
    assert len(harness.replica) == 5
    assert harness.events == []


async def test_many_conversations_are_listed_from_a_minute_before_the_last_list_by_server_time(
    harness: Harness,
) -> None:
    began = harness.now
    await harness.catch_up(*conversations(_PAGE_SIZE))
    await harness.clock.advance(500)

    body = await harness.catch_up()

    updated_after = datetime.fromisoformat(cast("str", body["updatedAfter"]))
    assert updated_after == began + _SERVER_AHEAD - timedelta(minutes=1)


async def test_a_list_that_was_cut_off_does_not_count(harness: Harness) -> None:
    began = harness.now
    await harness.catch_up(*conversations(_PAGE_SIZE))
    await harness.clock.advance(500)
    cut_off = asyncio.create_task(harness.synchronizer.catch_up())
    await harness.next_request()
    cut_off.cancel()
    await settle()

    body = await harness.catch_up()

    assert datetime.fromisoformat(cast("str", body["updatedAfter"])) < began + _SERVER_AHEAD


async def test_few_conversations_are_listed_whole_and_a_missing_one_is_emitted(
    harness: Harness, log: ConversationLog
) -> None:
    await harness.catch_up(log.snapshot())

    task = asyncio.create_task(harness.synchronizer.catch_up())
    assert await harness.answer_list() == {"pageSize": 4}
    request_id, op, body = await harness.next_request()
    assert (op, body["conversationId"]) == ("message.sync", CONVERSATION_ID)
    await harness.answer_error(request_id, "PERMISSION_DENIED", "NOT_A_MEMBER")
    await task

    (event,) = harness.events
    assert isinstance(event, MemberRemoved)
    assert event.member.user_id == ME
    assert CONVERSATION_ID not in harness.replica


async def test_what_is_behind_is_synced_page_by_page(harness: Harness, log: ConversationLog) -> None:
    await harness.catch_up(log.snapshot())
    for number in range(6):
        log.send("ann", str(number))

    task = asyncio.create_task(harness.synchronizer.catch_up())
    await harness.answer_list(log.snapshot())
    bodies = [await harness.answer_sync(log) for _ in range(2)]
    await task

    assert [body["afterRev"] for body in bodies] == [2, 6]
    assert [event.message.text for event in harness.events if isinstance(event, MessageCreated)] == list("012345")


async def test_answers_that_were_too_much_come_in_smaller_pages_until_it_is_done(harness: Harness) -> None:
    harness.synchronizer.session_lost(CloseCode.TOO_SLOW)

    sizes = [(await harness.catch_up())["pageSize"] for _ in range(4)]

    assert sizes == [1, 2, 4, 4]


async def test_a_failure_is_tried_again(harness: Harness) -> None:
    task = asyncio.create_task(harness.synchronizer.catch_up())
    request_id, _, _ = await harness.next_request()
    await harness.answer_error(request_id, "INTERNAL", "INTERNAL")
    await harness.clock.advance(30)
    await harness.answer_list()

    await task


async def test_a_gap_is_asked_about_only_when_it_stays(harness: Harness, log: ConversationLog) -> None:
    await harness.catch_up(log.snapshot())
    following = asyncio.create_task(harness.synchronizer.watch_gaps())
    log.send("ann", "late")
    log.send("ann", "early")
    late, early = log.publish()[-2:]

    harness.replica.apply(early)
    harness.synchronizer.request_sync()
    await settle()
    harness.replica.apply(late)
    await harness.clock.advance(1)
    assert not list(harness.calls.take_unsent())

    log.send("ann", "lost")
    harness.replica.apply_snapshot(log.snapshot())
    harness.synchronizer.request_sync()
    await settle()
    await harness.clock.advance(1)
    assert (await harness.answer_sync(log))["afterRev"] == log.rev - 1
    following.cancel()


async def test_history_is_loaded_from_the_first_message(harness: Harness, log: ConversationLog) -> None:
    await harness.catch_up(log.snapshot())

    task = asyncio.create_task(harness.synchronizer.load_history(CONVERSATION_ID))
    assert (await harness.answer_sync(log))["afterRev"] == 0
    await task

    assert harness.replica.conversation(CONVERSATION_ID).complete
    assert harness.events == []
