"""Requests from the call to the outcome, over lost connections and retryable errors."""

import asyncio
import uuid
from collections.abc import Mapping

import msgspec
import pytest
from parley_client.calls import Calls
from parley_client.contract import GetUnreadCountResponse, SendMessageResponse
from parley_client.errors import ClientClosedError, ConnectionLostError, FrameError, ParleyError
from parley_client.operations import OPERATIONS
from parley_client.options import Backoff, Options
from parley_client.protocol import Reply
from parley_client.requests import TokenExpiry

from tests.unit.client.fake_time import FakeClock, settle

SENT = {"messageId": "m1", "seq": 1, "rev": 2}
DRAFT = {"conversationId": "c", "clientMessageId": "k", "text": "hello"}


class Harness:
    """Calls, with a test in the place of the server."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.replies: list[tuple[str, object]] = []
        options = Options(
            clock=self.clock,
            random=lambda: 0.5,
            retry_backoff=Backoff(1.0, 8.0),
            new_request_id=iter(("r1", "r2", "r3")).__next__,
        )
        self.calls = Calls(options, self._on_reply)

    def _on_reply(self, op: str, _body: Mapping[str, object], reply: object) -> None:
        self.replies.append((op, reply))

    def send(self, *, deadline_seconds: float | None = None) -> asyncio.Task[SendMessageResponse]:
        call = self.calls.call("message.send", DRAFT, SendMessageResponse, deadline_seconds=deadline_seconds)
        return asyncio.create_task(call)

    def refresh(self) -> asyncio.Task[TokenExpiry]:
        """Makes a request that must not be repeated."""
        return asyncio.create_task(self.calls.call("session.refresh", {}, TokenExpiry, deadline_seconds=None))

    async def received(self) -> list[dict[str, object]]:
        """Returns the frames that the server receives now."""
        await settle()
        return [msgspec.json.decode(frame) for frame in self.calls.take_unsent()]

    async def answer(self, request_id: object, ok: object) -> None:
        assert isinstance(request_id, int)
        self.calls.handle_reply(Reply(request_id, msgspec.Raw(msgspec.json.encode(ok)), None))
        await settle()

    async def answer_error(self, request_id: object, error: ParleyError) -> None:
        assert isinstance(request_id, int)
        self.calls.handle_reply(Reply(request_id, msgspec.Raw(b"{}"), error))
        await settle()


@pytest.fixture
def harness() -> Harness:
    return Harness()


async def test_answers_find_their_callers_in_any_order(harness: Harness) -> None:
    first, second = harness.send(), harness.send()
    frames = await harness.received()

    await harness.answer(frames[1]["id"], {**SENT, "messageId": "second"})
    await harness.answer(frames[0]["id"], {**SENT, "messageId": "first"})

    assert [(await first).message_id, (await second).message_id] == ["first", "second"]
    assert [op for op, _ in harness.replies] == ["message.send", "message.send"]


async def test_a_message_is_sent_again_after_every_reconnect_until_it_is_acknowledged(harness: Harness) -> None:
    sending = harness.send()
    bodies = []
    for _ in range(3):
        bodies += [frame["body"] for frame in await harness.received()]
        harness.calls.connection_lost()
    frames = await harness.received()
    await harness.answer(frames[0]["id"], SENT)

    assert (await sending).message_id == "m1"
    assert bodies == [DRAFT, DRAFT, DRAFT]


async def test_what_must_not_be_repeated_fails_with_its_connection(harness: Harness) -> None:
    refreshing = harness.refresh()
    await harness.received()

    harness.calls.connection_lost()

    with pytest.raises(ConnectionLostError, match=r"session\.refresh"):
        await refreshing
    assert await harness.received() == []


async def test_what_was_not_sent_yet_waits_for_a_connection(harness: Harness) -> None:
    refreshing = harness.refresh()
    await settle()

    harness.calls.connection_lost()

    frames = await harness.received()
    await harness.answer(frames[0]["id"], {"expireTime": "2026-01-01T00:00:00Z"})
    assert (await refreshing).expire_time is not None


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"])
async def test_an_error_that_may_pass_is_waited_out_with_backoff(harness: Harness, code: str) -> None:
    sending = harness.send()
    for _ in range(3):
        frames = await harness.received()
        await harness.answer_error(frames[0]["id"], ParleyError(code, "ANY"))
        await harness.clock.advance(10)
    frames = await harness.received()
    await harness.answer(frames[0]["id"], SENT)

    assert (await sending).message_id == "m1"
    assert harness.clock.sleeps == [0.5, 1.0, 2.0]


async def test_a_retry_comes_no_sooner_than_the_server_asks(harness: Harness) -> None:
    sending = harness.send()
    frames = await harness.received()
    await harness.answer_error(frames[0]["id"], ParleyError("RESOURCE_EXHAUSTED", "RATE_LIMITED", retry_after_ms=3_000))

    assert harness.clock.sleeps == [3.5]
    await harness.clock.advance(3.4)
    assert await harness.received() == []
    await harness.clock.advance(0.2)
    assert len(await harness.received()) == 1
    sending.cancel()


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "PERMISSION_DENIED", "NOT_FOUND", "INTERNAL", "UNAUTHENTICATED"])
async def test_a_refusal_is_final(harness: Harness, code: str) -> None:
    sending = harness.send()
    frames = await harness.received()

    await harness.answer_error(frames[0]["id"], ParleyError(code, "ANY"))

    with pytest.raises(ParleyError) as caught:
        await sending
    assert caught.value.code == code
    assert harness.clock.sleeps == []


async def test_an_error_that_may_pass_is_the_callers_where_repeating_might_do_harm(harness: Harness) -> None:
    refreshing = harness.refresh()
    frames = await harness.received()

    await harness.answer_error(frames[0]["id"], ParleyError("UNAVAILABLE", "STORE_UNAVAILABLE"))

    with pytest.raises(ParleyError, match="UNAVAILABLE"):
        await refreshing


async def test_a_deadline_ends_the_wait_and_the_repeats(harness: Harness) -> None:
    sending = harness.send(deadline_seconds=0.01)
    await harness.received()

    with pytest.raises(ParleyError) as caught:
        await sending

    assert (caught.value.code, caught.value.reason) == ("DEADLINE_EXCEEDED", "CLIENT_DEADLINE")
    harness.calls.connection_lost()
    assert await harness.received() == []


async def test_a_cancelled_request_is_not_sent_again_and_its_late_answer_is_dropped(harness: Harness) -> None:
    sending = harness.send()
    frames = await harness.received()
    sending.cancel()
    await settle()

    await harness.answer(frames[0]["id"], SENT)

    harness.calls.connection_lost()
    assert await harness.received() == []
    assert harness.replies == []


async def test_an_answer_of_another_shape_is_an_error_and_is_not_reported(harness: Harness) -> None:
    counting = asyncio.create_task(
        harness.calls.call("notification.unreadCount", {}, GetUnreadCountResponse, deadline_seconds=None)
    )
    frames = await harness.received()

    await harness.answer(frames[0]["id"], {"unreadCount": "many"})

    with pytest.raises(FrameError):
        await counting
    assert harness.replies == []


async def test_a_frame_over_the_limit_is_refused_here_and_not_sent(harness: Harness) -> None:
    harness.calls.frame_limit_bytes = 100
    body = {**DRAFT, "text": "x" * 100}

    with pytest.raises(ParleyError, match="FRAME_TOO_LARGE"):
        await harness.calls.call("message.send", body, SendMessageResponse, deadline_seconds=None)

    assert await harness.received() == []


async def test_stopping_fails_all_requests_now_and_later(harness: Harness) -> None:
    sending = harness.send()
    await harness.received()

    harness.calls.stop(ClientClosedError())

    with pytest.raises(ClientClosedError):
        await sending
    with pytest.raises(ClientClosedError):
        await harness.send()


async def test_all_is_idle_once_everything_that_was_sent_is_answered(harness: Harness) -> None:
    sending = harness.send()
    frames = await harness.received()
    idle = asyncio.create_task(harness.calls.wait_idle())
    await settle()
    assert not idle.done()

    await harness.answer(frames[0]["id"], SENT)

    await idle
    await sending


def call(
    harness: Harness, op: str, *, repeatable: bool | None = None, **body: object
) -> asyncio.Task[dict[str, object]]:
    calling = harness.calls.call(op, body, dict[str, object], repeatable=repeatable, deadline_seconds=None)
    return asyncio.create_task(calling)


@pytest.mark.parametrize("op", sorted(name for name, operation in OPERATIONS.items() if operation.has_request_id))
async def test_each_change_carries_a_request_id_of_its_own(harness: Harness, op: str) -> None:
    calls = [call(harness, op, text="x") for _ in range(2)]

    bodies = [frame["body"] for frame in await harness.received()]

    assert bodies == [{"text": "x", "requestId": "r1"}, {"text": "x", "requestId": "r2"}]
    for task in calls:
        task.cancel()


@pytest.mark.parametrize("op", sorted(name for name, operation in OPERATIONS.items() if not operation.has_request_id))
async def test_reads_signals_and_messages_carry_no_request_id(harness: Harness, op: str) -> None:
    calling = call(harness, op)

    assert [frame["body"] for frame in await harness.received()] == [{}]
    calling.cancel()


async def test_the_callers_request_id_is_kept(harness: Harness) -> None:
    calling = call(harness, "conversation.create", requestId="mine")

    assert [frame["body"] for frame in await harness.received()] == [{"requestId": "mine"}]
    calling.cancel()


async def test_a_repeatable_change_is_repeated_with_the_same_request_id_after_each_reconnect(harness: Harness) -> None:
    calling = call(harness, "conversation.create", repeatable=True, name="g")
    bodies = []
    for _ in range(3):
        bodies += [frame["body"] for frame in await harness.received()]
        harness.calls.connection_lost()
    frames = await harness.received()
    await harness.answer(frames[0]["id"], {"done": True})

    assert await calling == {"done": True}
    assert [*bodies, frames[0]["body"]] == [{"name": "g", "requestId": "r1"}] * 4


async def test_a_repeatable_change_is_retried_with_the_same_request_id_after_an_error(
    harness: Harness,
) -> None:
    calling = call(harness, "member.add", repeatable=True)
    bodies = []
    for _ in range(2):
        (frame,) = await harness.received()
        bodies.append(frame["body"])
        await harness.answer_error(frame["id"], ParleyError("UNAVAILABLE", "ANY"))
        await harness.clock.advance(10)
    (frame,) = await harness.received()
    await harness.answer(frame["id"], {})

    assert await calling == {}
    assert [*bodies, frame["body"]] == [{"requestId": "r1"}] * 3


async def test_repeating_a_change_ends_at_its_deadline(harness: Harness) -> None:
    calling = asyncio.create_task(
        harness.calls.call("member.add", {}, dict[str, object], repeatable=True, deadline_seconds=0.01)
    )
    await harness.received()
    harness.calls.connection_lost()

    with pytest.raises(ParleyError, match="CLIENT_DEADLINE"):
        await calling

    assert await harness.received() == []


async def test_a_repeatable_request_of_an_unknown_op_carries_a_request_id(harness: Harness) -> None:
    once, repeated = call(harness, "lead.assign"), call(harness, "lead.assign", repeatable=True)

    assert [frame["body"] for frame in await harness.received()] == [{}, {"requestId": "r1"}]
    harness.calls.connection_lost()
    with pytest.raises(ConnectionLostError):
        await once
    assert [frame["body"] for frame in await harness.received()] == [{"requestId": "r1"}]
    repeated.cancel()


async def test_a_request_that_must_not_be_repeated_fails_with_its_connection(harness: Harness) -> None:
    reading = call(harness, "user.me", repeatable=False)
    await harness.received()

    harness.calls.connection_lost()

    with pytest.raises(ConnectionLostError):
        await reading


def test_request_ids_are_uuids_in_hexadecimal() -> None:
    first, second = Options().new_request_id(), Options().new_request_id()

    assert first != second
    assert uuid.UUID(hex=first).hex == first


async def test_an_error_that_belongs_to_no_request_is_survived(harness: Harness) -> None:
    sending = harness.send()
    frames = await harness.received()

    await harness.answer_error(0, ParleyError("INVALID_ARGUMENT", "MALFORMED_FRAME"))

    await harness.answer(frames[0]["id"], SENT)
    assert (await sending).message_id == "m1"
