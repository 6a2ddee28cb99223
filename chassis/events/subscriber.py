"""One open stream of events: its attached users, and its bounded queue of events to send."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from parley.stream.v1.stream_pb2 import Attachments, Cursors
from prometheus_client import Gauge

from chassis.errors import AppError, ResourceExhaustedError
from chassis.events.log import START, Entry, position_key

MAX_PENDING_EVENTS: Final = 20_000
MAX_PENDING_BYTES: Final = 64 << 20
MAX_RESPONSE_EVENTS: Final = 2_000
MAX_RESPONSE_BYTES: Final = 4 << 20  # gRPC's limit here is 16 MiB
MAX_USERS: Final = 200_000
_REPORT_EVERY_MS: Final = 60_000


class Sized(Protocol):
    """An event: a protobuf message."""

    def ByteSize(self) -> int:  # noqa: N802  # protobuf's name
        """Returns the encoded size in bytes."""


E = TypeVar("E", bound=Sized)
Users = set[str]
Route = Callable[[E, Users], "E | None"]
"""Returns the event for a subscriber that has these users of its organization attached; None if it concerns none."""
Response = tuple[int, list[E], Cursors | None, bool]
"""The contents of a SubscribeResponse: (acked_sequence, events, resume_cursors, resync_required)."""


@dataclass(slots=True)
class _Chunk(Generic[E]):
    """Events of one entry that are sent together.

    Attributes:
        shard: the entry's shard.
        events: at least one.
        size: the bytes of the events, or of the whole entry, which they keep in memory.
        reached: the subscriber's position after the events; empty if more chunks of the entry follow.
    """

    shard: int
    events: list[E]
    size: int
    reached: str


class Subscriber(Generic[E]):
    """The state of one stream: attached users, positions, and pending events.

    Args:
        route: see `Route`.
        pending: the metric of the events pending in all streams.
    """

    def __init__(self, route: Route[E], pending: Gauge) -> None:
        self.users: dict[str, Users] = {}
        self.positions: dict[int, str] = {}
        self.live = False
        self._route = route
        self._pending = pending
        self.overflowed = False
        self._user_count = 0
        self._error: AppError | None = None
        self._ending = False
        self._lost = False
        self._acked_sequence = 0
        self._queue: deque[_Chunk[E]] = deque()
        self._last: dict[int, _Chunk[E]] = {}
        self._events, self._bytes = 0, 0
        self._advanced: dict[int, str] = {}
        self._reported_ms: dict[int, int] = {}
        self._wake = asyncio.Event()

    @property
    def fills_a_response(self) -> bool:
        """Whether the pending events fill a response."""
        return self._events >= MAX_RESPONSE_EVENTS or self._bytes >= MAX_RESPONSE_BYTES

    def attach(self, attachments: Attachments) -> None:
        """Attaches and detaches users, and acknowledges the change. Raises ResourceExhaustedError (TOO_MANY_USERS)."""
        for key in attachments.add:
            attached = self.users.setdefault(key.organization_id, set())
            self._user_count += key.user_id not in attached
            attached.add(key.user_id)
        for key in attachments.remove:
            self._remove(key.organization_id, key.user_id)
        if self._user_count > MAX_USERS:
            raise ResourceExhaustedError("TOO_MANY_USERS", f"a stream may attach {MAX_USERS} users")
        if attachments.request_sequence:
            self._acked_sequence = attachments.request_sequence
            self._wake.set()

    def _remove(self, organization_id: str, user_id: str) -> None:
        attached = self.users.get(organization_id, set())
        self._user_count -= user_id in attached
        attached.discard(user_id)
        if not attached:
            self.users.pop(organization_id, None)

    def offer(self, entry: Entry, events: Iterable[E]) -> None:
        """Queues an entry's events for this subscriber's users; skips an entry that was offered before.

        Past the bounds, the stream ends and drops its pending events; the subscriber resumes with a new stream.
        """
        shard, reached = entry.shard, self.positions.get(entry.shard)
        if self._error is not None or (reached and position_key(entry.entry_id) <= position_key(reached)):
            return
        self.positions[shard] = entry.entry_id
        users = self.users.get(entry.organization_id)
        routed = [mine for event in events if (mine := self._route(event, users)) is not None] if users else []
        if routed:
            self._put(entry, routed)
        elif last := self._last.get(shard):
            last.reached = entry.entry_id
        else:
            self._advanced[shard] = entry.entry_id
            at_ms = position_key(entry.entry_id)[0]
            if at_ms - self._reported_ms.setdefault(shard, at_ms) > _REPORT_EVERY_MS:
                self._wake.set()

    def _put(self, entry: Entry, events: list[E]) -> None:
        for chunk in _chunks(entry, events):
            self._queue.append(chunk)
            self._last[entry.shard] = chunk
            self._events += len(chunk.events)
            self._bytes += chunk.size
        self._pending.inc(len(events))
        if self._events > MAX_PENDING_EVENTS or self._bytes > MAX_PENDING_BYTES:
            self.overflowed = True
            self.fail(
                ResourceExhaustedError("SUBSCRIBER_TOO_SLOW", "too many events are pending; resume", retry_after_ms=100)
            )
        self._wake.set()

    def advance_to(self, positions: dict[int, str]) -> None:
        """Sets the subscriber's positions, and reports them in the next response."""
        self.positions.update(positions)
        self._advanced.update(positions)

    def mark_lost(self, shards: Iterable[int]) -> None:
        """Records that events were missed, and resets the positions in shards that lost entries."""
        for shard in shards:
            self.positions[shard] = START
            self._advanced.pop(shard, None)
            self._last.pop(shard, None)
            for chunk in self._queue:
                if chunk.shard == shard:
                    chunk.reached = ""
        self._lost = True
        self._wake.set()

    def end(self) -> None:
        """Ends the stream once the pending events have been taken."""
        self._ending = True
        self._wake.set()

    def fail(self, error: AppError) -> None:
        """Ends the stream with an error, the first one given; drops the pending events and takes no more."""
        self._error = self._error or error
        self.drop()
        self._wake.set()

    def drop(self) -> None:
        """Drops the pending events."""
        self._pending.dec(self._events)
        self._queue.clear()
        self._last.clear()
        self._events, self._bytes = 0, 0

    async def next(self) -> Response[E] | None:
        """Waits for a response and takes it; None at the end. Raises the AppError of `fail`."""
        while True:
            await self._wake.wait()
            if response := self.take():
                return response
            if self._ending:
                return None

    def take(self) -> Response[E] | None:
        """Takes the next response, filled up to its bounds; None if there is none. Raises the AppError of `fail`."""
        if self._error is not None:
            raise self._error
        advanced, self._advanced = self._advanced, {}
        events = self._take_events(advanced)
        acked_sequence, self._acked_sequence = self._acked_sequence, 0
        lost, self._lost = self._lost, False
        if not (self._queue or self._ending):
            self._wake.clear()
        if not (acked_sequence or events or advanced or lost):
            return None
        self._reported_ms |= {shard: position_key(position)[0] for shard, position in advanced.items()}
        return acked_sequence, events, Cursors(shards=advanced) if advanced else None, lost

    def _take_events(self, advanced: dict[int, str]) -> list[E]:
        """Takes the events for one response; adds the positions after them to `advanced`."""
        events: list[E] = []
        size = 0
        while self._queue:
            chunk = self._queue[0]
            full = len(events) + len(chunk.events) > MAX_RESPONSE_EVENTS or size + chunk.size > MAX_RESPONSE_BYTES
            if events and full:
                break
            self._queue.popleft()
            events += chunk.events
            size += chunk.size
            if chunk.reached:
                advanced[chunk.shard] = chunk.reached
            if self._last.get(chunk.shard) is chunk:
                del self._last[chunk.shard]
        self._events -= len(events)
        self._bytes -= size
        self._pending.dec(len(events))
        return events


def _chunks(entry: Entry, events: list[E]) -> Iterator[_Chunk[E]]:
    """Splits an entry's events into chunks that fit in a response; a single event that doesn't is a chunk, too."""
    size = len(entry.payload)
    if size <= MAX_RESPONSE_BYTES and len(events) <= MAX_RESPONSE_EVENTS:
        yield _Chunk(entry.shard, events, size, entry.entry_id)
        return
    chunk = _Chunk[E](entry.shard, [], 0, "")
    for event in events:
        size = event.ByteSize()
        full = chunk.size + size > MAX_RESPONSE_BYTES or len(chunk.events) >= MAX_RESPONSE_EVENTS
        if chunk.events and full:
            yield chunk
            chunk = _Chunk[E](entry.shard, [], 0, "")
        chunk.events.append(event)
        chunk.size += size
    chunk.reached = entry.entry_id
    yield chunk
