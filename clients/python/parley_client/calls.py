"""Requests from the moment they are made to their final outcome, over as many connections as that takes."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar

from parley_client.errors import ClientError, ConnectionLostError, FrameError, ParleyError
from parley_client.operations import is_repeatable
from parley_client.options import Backoff, Clock
from parley_client.protocol import Reply, decode_body, encode_request

C = TypeVar("C")


@dataclass(slots=True)
class PendingRequest(Generic[C]):
    """One unanswered request; `context` is the caller's."""

    request_id: int
    frame: bytes
    repeatable: bool
    context: C
    sent: bool = False


class PendingRequests(Generic[C]):
    """The unanswered requests of one client, over all its connections."""

    def __init__(self) -> None:
        self._requests: dict[int, PendingRequest[C]] = {}
        self._unsent: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def in_flight(self) -> bool:
        """Whether anything was sent on this connection and not answered."""
        return any(request.sent for request in self._requests.values())

    def add(self, request: PendingRequest[C]) -> None:
        """Takes in a new request."""
        self._requests[request.request_id] = request
        self._unsent.append(request.request_id)

    def take_unsent(self) -> Iterator[bytes]:
        """The frames to send, each counted as sent from the moment it is handed out.

        That is before it is written: whether a write that fails half-way reached the server is not known either.
        """
        while self._unsent:
            request = self._requests.get(self._unsent.popleft())
            if request is not None:
                request.sent = True
                yield request.frame

    def remove(self, request_id: int) -> PendingRequest[C] | None:
        """Strikes out a request that was answered or given up; None when it is not in the pending."""
        return self._requests.pop(request_id, None)

    def connection_lost(self) -> list[PendingRequest[C]]:
        """Makes repeatable requests ready to be sent again, and strikes out and returns those that are not."""
        lost = [request for request in self._requests.values() if request.sent and not request.repeatable]
        for request in lost:
            del self._requests[request.request_id]
        for request in self._requests.values():
            request.sent = False
        self._unsent = deque(self._requests)
        return lost

    def clear(self) -> list[PendingRequest[C]]:
        """Strikes out everything, and returns it."""
        requests = list(self._requests.values())
        self._requests.clear()
        self._unsent.clear()
        return requests


T = TypeVar("T")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """Who waits for an answer, and in what shape."""

    op: str
    body: Mapping[str, object]
    shape: type[Any]
    answer: asyncio.Future[Any]


# Called with op, body and reply, before whoever waits for it goes on.
OnReply = Callable[[str, Mapping[str, object], object], None]


class Calls:
    """The unanswered requests of one client.

    There are as many as there are callers call. Requests made while there is no connection wait for the next.
    """

    def __init__(self, *, clock: Clock, backoff: Backoff, random: Callable[[], float], on_reply: OnReply) -> None:
        self._clock = clock
        self._backoff = backoff
        self._random = random
        self._on_reply = on_reply
        self._ids = count(1)
        self._pending: PendingRequests[Call] = PendingRequests()
        self._stopped: ClientError | None = None
        self._unsent = asyncio.Event()
        self._idle = asyncio.Event()
        self.frame_limit_bytes = 65_536

    async def call(self, op: str, body: Mapping[str, object], shape: type[T], *, deadline_seconds: float | None) -> T:
        """Makes a request and waits for its final outcome.

        Args:
            op: the request's name.
            body: its body, with the names of the wire.
            shape: what its answer looks like.
            deadline_seconds: for all of it, retries and reconnects included; None waits for as long as it takes.

        Raises:
            ParleyError: the server's answer; DEADLINE_EXCEEDED (CLIENT_DEADLINE) when there was none in time.
            ConnectionLostError: the connection ended meanwhile, and repeating the request might do harm.
            ClientError: the client was closed, or stopped for good.
        """
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self._call_with_retries(op, body, shape)
        except TimeoutError:
            raise ParleyError("DEADLINE_EXCEEDED", "CLIENT_DEADLINE", f"no answer to {op} in time") from None

    def take_unsent(self) -> Iterator[bytes]:
        """The frames to write now; each counts as sent once it is handed out."""
        self._unsent.clear()
        return self._pending.take_unsent()

    async def wait_unsent(self) -> None:
        """Waits until there is something to write."""
        await self._unsent.wait()

    async def wait_idle(self) -> None:
        """Waits until nothing that was written is unanswered."""
        while self._pending.in_flight:
            self._idle.clear()
            await self._idle.wait()

    def handle_reply(self, reply: Reply) -> None:
        """Takes in an answer; one that nobody waits for any more is dropped."""
        request = self._pending.remove(reply.request_id)
        self._idle.set()
        if request is None:
            if reply.error is not None and reply.request_id == 0:
                _logger.warning("request_not_understood", extra={"reason": reply.error.reason})
            return
        if request.context.answer.done():
            return
        if reply.error is not None:
            request.context.answer.set_exception(reply.error)
            return
        self._resolve(request.context, reply)

    def connection_lost(self) -> None:
        """Fails what must not be repeated, and keeps the rest for the next connection."""
        for request in self._pending.connection_lost():
            _fail(request, ConnectionLostError(request.context.op))
        self._idle.set()
        self._unsent.set()

    def stop(self, error: ClientError) -> None:
        """Fails everything, now and from now on."""
        self._stopped = error
        for request in self._pending.clear():
            _fail(request, error)
        self._idle.set()

    async def _call_with_retries(self, op: str, body: Mapping[str, object], shape: type[T]) -> T:
        for attempt in count():
            try:
                return await self._call_once(op, body, shape)
            except ParleyError as error:
                if not (error.retryable and is_repeatable(op)):
                    raise
                least_seconds = (error.retry_after_ms or 0) / 1000
            await self._clock.sleep(least_seconds + self._backoff.delay_seconds(attempt, self._random))
        raise AssertionError("unreachable")

    async def _call_once(self, op: str, body: Mapping[str, object], shape: type[T]) -> T:
        if self._stopped is not None:
            raise self._stopped
        request_id = next(self._ids)
        frame = encode_request(request_id, op, body)
        if len(frame) > self.frame_limit_bytes:
            # The server would close the connection over it, and a repeatable one would come again and again.
            raise ParleyError("INVALID_ARGUMENT", "FRAME_TOO_LARGE", f"over {self.frame_limit_bytes} bytes")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.add(PendingRequest(request_id, frame, is_repeatable(op), Call(op, body, shape, answer)))
        self._unsent.set()
        try:
            return await answer
        finally:
            self._pending.remove(request_id)
            self._idle.set()

    def _resolve(self, call: Call, reply: Reply) -> None:
        try:
            ok = decode_body(reply.ok, call.shape)
        except FrameError as error:
            call.answer.set_exception(error)
            return
        # The caller goes on only after this returns, and so after the replica knows.
        call.answer.set_result(ok)
        self._on_reply(call.op, call.body, ok)


def _fail(request: PendingRequest[Call], error: ClientError) -> None:
    if not request.context.answer.done():
        request.context.answer.set_exception(error)
