"""Reads pages of messages for users: a BatchListMessages call carries the requests of many connections.

Requests of one tick go together. Up to four calls of a shard are in flight, the first ones small, so that the first
pages need not wait for the last ones. Later requests wait for a call to end: the higher the load, the less each costs.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from parley.chat.v1.message_pb2 import (
    Actor,
    BatchListMessagesRequest,
    BatchListMessagesResponse,
    ListMessagesRequest,
)

from chassis.errors import (
    AppError,
    Category,
    DeadlineExceededError,
    InternalError,
    ResourceExhaustedError,
    unexpected_error,
)
from chassis.identity import Identity
from chassis.process.logs import logger
from chassis.rpc.status import from_status
from gateway.metrics import BATCH_ITEMS, BATCH_SECONDS
from gateway.upstream.batcher import error_for_users

if TYPE_CHECKING:
    from gateway.upstream.clients import Upstreams

CALL_ITEMS: Final = (8, 16, 64, 64)
"""The most items of a call, by the number of calls in flight before it; no further call is made."""
MAX_WAITING: Final = 10_000
MAX_WAIT_SECONDS: Final = 5.0
_RETRY_MS: Final = 500
_NAME: Final = "pages"

_log = logger("pages")


class Page(NamedTuple):
    """Encoded messages by ascending seq, and whether there are more in the direction of the page."""

    messages: Sequence[bytes]
    has_more: bool


@dataclass(slots=True, eq=False)
class _Read:
    actor: Actor
    token: str
    request: ListMessagesRequest
    since: float
    answer: asyncio.Future[Page]

    def complete(self, outcome: Page | AppError) -> None:
        if self.answer.done():
            return  # its caller was cancelled
        if isinstance(outcome, AppError):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


@dataclass(slots=True, eq=False)
class _Shard:
    number: int
    waiting: deque[_Read] = field(default_factory=deque)
    in_flight: int = 0
    scheduled: bool = False


class PageReader:
    """Reads pages of messages from chat.

    Args:
        upstreams: the services' stubs.
    """

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._shards = [_Shard(number) for number in range(upstreams.chat_shards)]
        self._calls: set[asyncio.Task[None]] = set()
        self._items = BATCH_ITEMS.labels(_NAME)
        self._seconds = BATCH_SECONDS.labels(_NAME)

    async def read(self, identity: Identity, token: str, request: ListMessagesRequest) -> Page:
        """Returns a page as a user sees it.

        Args:
            identity: the user.
            token: the user's access token, for a chat that has no batches yet.
            request: the page.

        Raises:
            AppError: as ListMessages; also OVERLOADED if too many requests are waiting.
        """
        shard = self._shards[self._upstreams.shard_of(request.conversation_id)]
        if len(shard.waiting) >= MAX_WAITING:
            raise ResourceExhaustedError("OVERLOADED", "the queue is full; try again soon", retry_after_ms=_RETRY_MS)
        actor = Actor(organization_id=identity.organization_id, user_id=identity.user_id)
        answer: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        shard.waiting.append(_Read(actor, token, request, time.monotonic(), answer))
        self._schedule(shard)
        return await answer

    def _schedule(self, shard: _Shard) -> None:
        if shard.waiting and not shard.scheduled and shard.in_flight < len(CALL_ITEMS):
            shard.scheduled = True
            asyncio.get_running_loop().call_soon(self._start, shard)

    def _start(self, shard: _Shard) -> None:
        shard.scheduled = False
        while shard.waiting and shard.in_flight < len(CALL_ITEMS):
            reads = _take(shard.waiting, CALL_ITEMS[shard.in_flight])
            if reads:
                shard.in_flight += 1
                call = asyncio.create_task(self._carry(shard, reads))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)

    async def _carry(self, shard: _Shard, reads: Sequence[_Read]) -> None:
        try:
            answered = await self._exchange(shard.number, reads)
            shard.waiting.extendleft(reversed(reads[answered:]))
        except AppError as error:
            if error.category is Category.UNIMPLEMENTED:
                await asyncio.gather(*map(self._read_alone, reads))
            else:
                _fail(reads, error)
        except Exception as error:  # fails the reads, whose callers wait
            _fail(reads, unexpected_error(_log, "pages_failed", error))
        finally:
            shard.in_flight -= 1
            self._schedule(shard)

    async def _exchange(self, shard: int, reads: Sequence[_Read]) -> int:
        """Makes a call, and completes the first reads; returns how many."""
        began = time.monotonic()
        self._items.observe(len(reads))
        request = BatchListMessagesRequest()
        for read in reads:
            request.items.add(actor=read.actor, request=read.request)
        response: BatchListMessagesResponse = await self._upstreams.call_as_gateway(
            self._upstreams.messages.BatchListMessages, request, shard=shard
        )
        self._seconds.observe(time.monotonic() - began)
        if not 0 < len(response.outcomes) <= len(reads):
            raise InternalError("INTERNAL", f"{len(response.outcomes)} outcomes for {len(reads)} items")
        for read, outcome in zip(reads, response.outcomes, strict=False):
            if outcome.HasField("page"):
                read.complete(Page(outcome.page.messages, outcome.page.has_more))
            else:
                read.complete(from_status(outcome.error))
        return len(response.outcomes)

    async def _read_alone(self, read: _Read) -> None:
        """Reads one page, from a chat that does not have the batch yet, as during an upgrade."""
        request = read.request
        try:
            response = await self._upstreams.call(
                self._upstreams.messages.ListMessages,
                request,
                token=read.token,
                conversation_id=request.conversation_id,
            )
        except AppError as error:
            read.complete(error)
        else:
            messages = [message.SerializeToString() for message in response.messages]
            read.complete(Page(messages, response.has_more))


def _take(waiting: deque[_Read], count: int) -> list[_Read]:
    """Removes the first reads, fails those that waited too long, and returns the others whose callers still wait."""
    oldest = time.monotonic() - MAX_WAIT_SECONDS
    taken: list[_Read] = []
    while waiting and len(taken) < count:
        read = waiting.popleft()
        if read.answer.done():
            continue
        if read.since < oldest:
            read.complete(
                DeadlineExceededError("DEADLINE_EXCEEDED", "the request waited too long", retry_after_ms=_RETRY_MS)
            )
        else:
            taken.append(read)
    return taken


def _fail(reads: Sequence[_Read], error: AppError) -> None:
    _log.warning("batch_failed", batches=_NAME, items=len(reads), reason=error.reason, error=error.message)
    seen = error_for_users(error)
    for read in reads:
        read.complete(seen)
