"""Tests of PageReader: batches, their outcomes, and a chat that has no batches yet."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from google.rpc.status_pb2 import Status
from parley.chat.v1.chat_pb2 import Message
from parley.chat.v1.message_pb2 import (
    BatchListMessagesRequest,
    BatchListMessagesResponse,
    ListMessagesRequest,
    ListMessagesResponse,
)

from chassis.errors import AppError, NotFoundError, PermissionDeniedError, UnauthenticatedError, UnimplementedError
from chassis.identity import Identity
from chassis.rpc.status import to_status
from gateway.upstream.page_reader import CALL_ITEMS, Page, PageReader
from tests.unit.gateway.fixtures import identity

Outcome = BatchListMessagesResponse.Outcome


class Chat:
    """Chat as PageReader sees it: the answer to a page is a message with the user's and the conversation's id."""

    chat_shards = 1

    def __init__(self) -> None:
        self.messages = cast(Any, self)
        self.BatchListMessages, self.ListMessages = "batch", "alone"
        self.calls: list[int] = []
        self.tokens: list[str] = []
        self.error: AppError | None = None
        self.most_outcomes = 1_000
        self.hold: asyncio.Event | None = None

    def shard_of(self, _: str) -> int:
        return 0

    async def call_as_gateway(
        self, _: object, request: BatchListMessagesRequest, *, shard: int
    ) -> BatchListMessagesResponse:
        self.calls.append(len(request.items))
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        return BatchListMessagesResponse(outcomes=map(self._outcome, request.items[: self.most_outcomes]))

    def _outcome(self, item: BatchListMessagesRequest.Item) -> Outcome:
        if item.request.conversation_id == "refused":
            return Outcome(error=to_status(PermissionDeniedError("NOT_A_MEMBER", "no")))
        message = Message(sender_id=item.actor.user_id, conversation_id=item.request.conversation_id)
        return Outcome(page=BatchListMessagesResponse.Page(messages=[message.SerializeToString()], has_more=True))

    async def call(
        self, _: object, request: ListMessagesRequest, *, token: str, conversation_id: str
    ) -> ListMessagesResponse:
        self.tokens.append(token)
        if conversation_id == "refused":
            raise NotFoundError("CONVERSATION_NOT_FOUND", "no")
        return ListMessagesResponse(messages=[Message(sender_id="ann", conversation_id=conversation_id)])


def reading(reader: PageReader, *keys: str, who: Identity | None = None) -> asyncio.Future[list[Any]]:
    """Reads pages at once, and returns pages and errors."""
    requests = [ListMessagesRequest(conversation_id=key) for key in keys]
    reads = [reader.read(who or identity(), f"token of {r.conversation_id}", r) for r in requests]
    return asyncio.gather(*reads, return_exceptions=True)


def conversations(pages: list[Page]) -> list[str]:
    """Returns the conversation of the only message of each page."""
    return [Message.FromString(page.messages[0]).conversation_id for page in pages]


async def test_requests_of_one_tick_go_together_and_the_first_ones_in_small_calls() -> None:
    chat = Chat()
    keys = [str(number) for number in range(30)]
    pages = await reading(PageReader(cast(Any, chat)), *keys)
    assert chat.calls == [8, 16, 6]
    assert conversations(pages) == keys
    assert all(page.has_more for page in pages)


async def test_no_more_calls_are_in_flight_and_the_rest_follows() -> None:
    chat = Chat()
    chat.hold = asyncio.Event()
    keys = [str(number) for number in range(200)]
    pages = reading(PageReader(cast(Any, chat)), *keys)
    while len(chat.calls) < len(CALL_ITEMS):
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert chat.calls == list(CALL_ITEMS)
    chat.hold.set()
    assert conversations(await pages) == keys


async def test_an_error_fails_its_item_alone() -> None:
    one, error, two = await reading(PageReader(cast(Any, Chat())), "one", "refused", "two")
    assert conversations([one, two]) == ["one", "two"]
    assert error.reason == "NOT_A_MEMBER"


async def test_items_without_an_outcome_are_asked_for_again() -> None:
    chat = Chat()
    chat.most_outcomes = 3
    keys = [str(number) for number in range(8)]
    assert conversations(await reading(PageReader(cast(Any, chat)), *keys)) == keys
    assert chat.calls == [8, 5, 2]


async def test_a_chat_without_the_batch_is_asked_for_each_page_with_the_users_token() -> None:
    chat = Chat()
    chat.error = UnimplementedError("UNIMPLEMENTED", "unknown method")
    one, error = await reading(PageReader(cast(Any, chat)), "one", "refused")
    assert conversations([one]) == ["one"]
    assert error.reason == "CONVERSATION_NOT_FOUND"
    assert chat.tokens == ["token of one", "token of refused"]


@pytest.mark.parametrize("outcomes", [0, 3])
async def test_a_wrong_number_of_outcomes_fails_the_reads(outcomes: int) -> None:
    chat = Chat()
    chat.call_as_gateway = lambda *_, **__: asyncio.sleep(  # type: ignore[method-assign]
        0, BatchListMessagesResponse(outcomes=[Outcome(error=Status(code=5))] * outcomes)
    )
    errors = await reading(PageReader(cast(Any, chat)), "one", "two")
    assert [error.reason for error in errors] == ["SERVICE_UNAVAILABLE"] * 2


async def test_an_error_of_the_gateways_own_token_is_hidden_and_the_next_call_works() -> None:
    chat = Chat()
    reader = PageReader(cast(Any, chat))
    chat.error = UnauthenticatedError("TOKEN_EXPIRED", "expired")
    assert [error.reason for error in await reading(reader, "one")] == ["SERVICE_UNAVAILABLE"]
    chat.error = None
    assert conversations(await reading(reader, "two")) == ["two"]


async def test_a_cancelled_read_harms_no_other() -> None:
    chat = Chat()
    chat.hold = asyncio.Event()
    reader = PageReader(cast(Any, chat))
    cancelled = asyncio.ensure_future(reader.read(identity(), "token", ListMessagesRequest(conversation_id="one")))
    other = reading(reader, "two")
    while not chat.calls:
        await asyncio.sleep(0)
    cancelled.cancel()
    chat.hold.set()
    assert conversations(await other) == ["two"]
