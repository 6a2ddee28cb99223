"""Requests, from the call to the final outcome, over as many connections as that takes."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar

from parley_client.errors import ClientError, ConnectionLostError, FrameError, ParleyError
from parley_client.operations import is_repeatable, takes_request_id
from parley_client.options import Options
from parley_client.protocol import Reply, decode_body, encode_request

C = TypeVar("C")
T = TypeVar("T")
_logger = logging.getLogger(__name__)

# Called with the op, the body and the decoded reply, before the caller resumes.
OnReply = Callable[[str, Mapping[str, object], object], None]


@dataclass(slots=True)
class PendingRequest(Generic[C]):
    """One unanswered request; `context` belongs to the caller."""

    request_id: int
    frame: bytes
    repeatable: bool
    context: C
    sent: bool = False


class PendingRequests(Generic[C]):
    """The unanswered requests of one client, over all its connections; no I/O.

    Invariants: a request is pending from `add` until `remove`, or until a lost connection drops it; its frame is handed
    out once per connection; frames are handed out in the order in which the requests were added.
    """

    def __init__(self) -> None:
        self._requests: dict[int, PendingRequest[C]] = {}
        self._unsent: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def in_flight(self) -> bool:
        """Whether a request was sent on this connection and not answered."""
        return any(request.sent for request in self._requests.values())

    def add(self, request: PendingRequest[C]) -> None:
        """Adds a new request."""
        self._requests[request.request_id] = request
        self._unsent.append(request.request_id)

    def take_unsent(self) -> Iterator[bytes]:
        """Yields the frames to send, and counts each as sent from then on.

        That is before the write: the server may have received a frame whose write failed.
        """
        while self._unsent:
            request = self._requests.get(self._unsent.popleft())
            if request is not None:
                request.sent = True
                yield request.frame

    def remove(self, request_id: int) -> PendingRequest[C] | None:
        """Removes and returns a request that was answered or given up; None if it is not pending."""
        return self._requests.pop(request_id, None)

    def connection_lost(self) -> list[PendingRequest[C]]:
        """Queues repeatable requests to be sent again; removes and returns the sent ones that are not repeatable."""
        lost = [request for request in self._requests.values() if request.sent and not request.repeatable]
        for request in lost:
            del self._requests[request.request_id]
        for request in self._requests.values():
            request.sent = False
        self._unsent = deque(self._requests)
        return lost

    def clear(self) -> list[PendingRequest[C]]:
        """Removes and returns all requests."""
        requests = list(self._requests.values())
        self._requests.clear()
        self._unsent.clear()
        return requests


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose caller awaits `answer`, decoded as `shape`."""

    op: str
    body: Mapping[str, object]
    shape: type[Any]
    answer: asyncio.Future[Any]


class Calls:
    """The unanswered requests of one client, one for each waiting caller.

    Requests made without a connection wait for the next one.
    """

    def __init__(self, options: Options, on_reply: OnReply) -> None:
        self._options = options
        self._on_reply = on_reply
        self._ids = count(1)
        self._pending: PendingRequests[Call] = PendingRequests()
        self._stopped: ClientError | None = None
        self._unsent = asyncio.Event()
        self._idle = asyncio.Event()
        self.frame_limit_bytes = 65_536

    async def call(
        self,
        op: str,
        body: Mapping[str, object],
        shape: type[T],
        *,
        repeatable: bool | None = None,
        deadline_seconds: float | None,
    ) -> T:
        """Makes a request and waits for its final outcome.

        A request that changes something gets a `requestId` unless the body has one. All repeats carry the same body,
        so the server can recognize them.

        Args:
            op: the request's name.
            body: its body, with the names of the wire.
            shape: the type of its answer.
            repeatable: whether to repeat it after a lost connection and after a retryable error; None leaves that to
                the table in `operations`.
            deadline_seconds: for the whole call, retries and reconnects included; None for no deadline.

        Raises:
            ParleyError: the server's answer; DEADLINE_EXCEEDED (CLIENT_DEADLINE) if none came in time.
            ConnectionLostError: the connection ended first, and the request is not repeatable.
            ClientError: the client was closed or has stopped for good.
        """
        if repeatable is None:
            repeatable = is_repeatable(op)
        if "requestId" not in body and takes_request_id(op, repeatable=repeatable):
            body = {**body, "requestId": self._options.new_request_id()}
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self._call_with_retries(op, body, shape, repeatable=repeatable)
        except TimeoutError:
            raise ParleyError("DEADLINE_EXCEEDED", "CLIENT_DEADLINE", f"no answer to {op} in time") from None

    def take_unsent(self) -> Iterator[bytes]:
        """Yields the frames to write, and counts each as sent from then on."""
        self._unsent.clear()
        return self._pending.take_unsent()

    async def wait_unsent(self) -> None:
        """Waits until there are frames to write."""
        await self._unsent.wait()

    async def wait_idle(self) -> None:
        """Waits until every request that was written has been answered."""
        while self._pending.in_flight:
            self._idle.clear()
            await self._idle.wait()

    def handle_reply(self, reply: Reply) -> None:
        """Passes a reply to its caller; drops it if the caller has given up."""
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
        """Fails the sent requests that are not repeatable, and keeps the rest for the next connection."""
        for request in self._pending.connection_lost():
            _fail(request, ConnectionLostError(request.context.op))
        self._idle.set()
        self._unsent.set()

    def stop(self, error: ClientError) -> None:
        """Fails all requests, those made later included."""
        self._stopped = error
        for request in self._pending.clear():
            _fail(request, error)
        self._idle.set()

    async def _call_with_retries(self, op: str, body: Mapping[str, object], shape: type[T], *, repeatable: bool) -> T:
        for attempt in count():
            try:
                return await self._call_once(op, body, shape, repeatable=repeatable)
            except ParleyError as error:
                if not (error.retryable and repeatable):
                    raise
                min_seconds = (error.retry_after_ms or 0) / 1000
            delay_seconds = self._options.retry_backoff.delay_seconds(attempt, self._options.random)
            await self._options.clock.sleep(min_seconds + delay_seconds)
        raise AssertionError("unreachable")

    async def _call_once(self, op: str, body: Mapping[str, object], shape: type[T], *, repeatable: bool) -> T:
        if self._stopped is not None:
            raise self._stopped
        request_id = next(self._ids)
        frame = encode_request(request_id, op, body)
        if len(frame) > self.frame_limit_bytes:
            # The server would close the connection over it, and a repeatable request would do that again and again.
            raise ParleyError("INVALID_ARGUMENT", "FRAME_TOO_LARGE", f"over {self.frame_limit_bytes} bytes")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.add(PendingRequest(request_id, frame, repeatable, Call(op, body, shape, answer)))
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
        # The caller resumes only after this returns, and so after the replica has applied the reply.
        call.answer.set_result(ok)
        self._on_reply(call.op, call.body, ok)


def _fail(request: PendingRequest[Call], error: ClientError) -> None:
    if not request.context.answer.done():
        request.context.answer.set_exception(error)
