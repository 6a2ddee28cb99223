"""One open stream of events: the users that it holds, and what it has not been given yet, within bounds."""

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
from chassis.rpc.validation import FieldChecks

MAX_PENDING_EVENTS: Final = 20_000
MAX_PENDING_BYTES: Final = 64 << 20
MAX_RESPONSE_EVENTS: Final = 2_000
MAX_RESPONSE_BYTES: Final = 4 << 20  # gRPC's limit here is 16 MiB
MAX_USERS: Final = 200_000
_TOLD_EVERY_MS: Final = 60_000


class Sized(Protocol):
    """What an event is here: a message of the contract."""

    def ByteSize(self) -> int:  # noqa: N802  # protobuf's name
        """How many bytes it takes on the wire."""


E = TypeVar("E", bound=Sized)
Users = set[str]
Route = Callable[[E, Users], "E | None"]
"""Gives the event for a subscriber that holds these users of its organization, or None if it is for none of them."""
Response = tuple[int, list[E], Cursors | None, bool]
"""What a SubscribeResponse says: (acknowledged, events, positions, lost)."""


@dataclass(slots=True)
class _Part(Generic[E]):
    """Events that are given together.

    Attributes:
        shard: where they are from.
        events: at least one.
        size: their bytes, or those of the entry that they are from, which they keep in memory.
        reached: where the subscriber is once it has them; empty while more of the same entry are to come.
    """

    shard: int
    events: list[E]
    size: int
    reached: str


class Subscriber(Generic[E]):
    """What one stream has yet to be given.

    Args:
        route: see `Route`.
        pending: the metric of how many events are pending in all streams.
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
        self._acknowledged = 0
        self._queue: deque[_Part[E]] = deque()
        self._last: dict[int, _Part[E]] = {}
        self._events, self._bytes = 0, 0
        self._moved: dict[int, str] = {}
        self._told: dict[int, int] = {}
        self._wake = asyncio.Event()

    @property
    def fills_a_response(self) -> bool:
        """Whether as many events are pending as a response may hold."""
        return self._events >= MAX_RESPONSE_EVENTS or self._bytes >= MAX_RESPONSE_BYTES

    def attach(self, attachments: Attachments) -> None:
        """Adds and removes users, and acknowledges that.

        Raises:
            InvalidArgumentError: INVALID_FIELDS.
            ResourceExhaustedError: TOO_MANY_USERS.
        """
        _check(attachments)
        for key in attachments.add:
            held = self.users.setdefault(key.organization_id, set())
            self._user_count += key.user_id not in held
            held.add(key.user_id)
        for key in attachments.remove:
            self._remove(key.organization_id, key.user_id)
        if self._user_count > MAX_USERS:
            raise ResourceExhaustedError("TOO_MANY_USERS", f"a stream may hold {MAX_USERS} users")
        if attachments.request_sequence:
            self._acknowledged = attachments.request_sequence
            self._wake.set()

    def _remove(self, organization_id: str, user_id: str) -> None:
        held = self.users.get(organization_id, set())
        self._user_count -= user_id in held
        held.discard(user_id)
        if not held:
            self.users.pop(organization_id, None)

    def offer(self, entry: Entry, events: Iterable[E]) -> None:
        """Queues what of an entry is for this subscriber; an entry that it has had already is passed over.

        Past the bounds all that is pending is dropped, and the stream ends: the subscriber comes back and resumes.
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
            self._moved[shard] = entry.entry_id
            at_ms = position_key(entry.entry_id)[0]
            if at_ms - self._told.setdefault(shard, at_ms) > _TOLD_EVERY_MS:
                self._wake.set()

    def _put(self, entry: Entry, events: list[E]) -> None:
        for part in _parts(entry, events):
            self._queue.append(part)
            self._last[entry.shard] = part
            self._events += len(part.events)
            self._bytes += part.size
        self._pending.inc(len(events))
        if self._events > MAX_PENDING_EVENTS or self._bytes > MAX_PENDING_BYTES:
            self.overflowed = True
            self.fail(
                ResourceExhaustedError("SUBSCRIBER_TOO_SLOW", "too many events are pending; resume", retry_after_ms=100)
            )
        self._wake.set()

    def moved_to(self, positions: dict[int, str]) -> None:
        """Sets where this subscriber is, and that it has to be told."""
        self.positions.update(positions)
        self._moved.update(positions)

    def mark_lost(self, shards: Iterable[int]) -> None:
        """Notes that events were missed, and that the log of some shards begins anew: no position there holds."""
        for shard in shards:
            self.positions[shard] = START
            self._moved.pop(shard, None)
            self._last.pop(shard, None)
            for part in self._queue:
                if part.shard == shard:
                    part.reached = ""
        self._lost = True
        self._wake.set()

    def end(self) -> None:
        """Ends the stream when what is pending has been given."""
        self._ending = True
        self._wake.set()

    def fail(self, error: AppError) -> None:
        """Ends the stream with an error, the first one; what is pending is dropped, and nothing more is taken."""
        self._error = self._error or error
        self.drop()
        self._wake.set()

    def drop(self) -> None:
        """Lets go of what is pending."""
        self._pending.dec(self._events)
        self._queue.clear()
        self._last.clear()
        self._events, self._bytes = 0, 0

    async def next(self) -> Response[E] | None:
        """Waits for something to say, and takes it; None at the end. Raises AppError: what the stream failed with."""
        while True:
            await self._wake.wait()
            if response := self.take():
                return response
            if self._ending:
                return None

    def take(self) -> Response[E] | None:
        """Takes as much of what there is to say as a response may hold; None when there is nothing. Raises AppError."""
        if self._error is not None:
            raise self._error
        moved, self._moved = self._moved, {}
        events = self._take_events(moved)
        acknowledged, self._acknowledged = self._acknowledged, 0
        lost, self._lost = self._lost, False
        if not (self._queue or self._ending):
            self._wake.clear()
        if not (acknowledged or events or moved or lost):
            return None
        self._told |= {shard: position_key(position)[0] for shard, position in moved.items()}
        return acknowledged, events, Cursors(shards=moved) if moved else None, lost

    def _take_events(self, moved: dict[int, str]) -> list[E]:
        """Events for one response; notes in `moved` where the subscriber is once it has them."""
        events: list[E] = []
        size = 0
        while self._queue:
            part = self._queue[0]
            full = len(events) + len(part.events) > MAX_RESPONSE_EVENTS or size + part.size > MAX_RESPONSE_BYTES
            if events and full:
                break
            self._queue.popleft()
            events += part.events
            size += part.size
            if part.reached:
                moved[part.shard] = part.reached
            if self._last.get(part.shard) is part:
                del self._last[part.shard]
        self._events -= len(events)
        self._bytes -= size
        self._pending.dec(len(events))
        return events


def _parts(entry: Entry, events: list[E]) -> Iterator[_Part[E]]:
    """The events of an entry, in parts of which each fits in a response, but for a single event that doesn't."""
    size = len(entry.payload)
    if size <= MAX_RESPONSE_BYTES and len(events) <= MAX_RESPONSE_EVENTS:
        yield _Part(entry.shard, events, size, entry.entry_id)
        return
    part = _Part[E](entry.shard, [], 0, "")
    for event in events:
        size = event.ByteSize()
        full = part.size + size > MAX_RESPONSE_BYTES or len(part.events) >= MAX_RESPONSE_EVENTS
        if part.events and full:
            yield part
            part = _Part[E](entry.shard, [], 0, "")
        part.events.append(event)
        part.size += size
    part.reached = entry.entry_id
    yield part


def _check(attachments: Attachments) -> None:
    checks = FieldChecks()
    checks.require(attachments.request_sequence >= 0, "attachments.requestSequence", "must not be negative")
    for field, keys in (("attachments.add", attachments.add), ("attachments.remove", attachments.remove)):
        for key in keys:
            checks.user_id(f"{field}.organizationId", key.organization_id)
            checks.user_id(f"{field}.userId", key.user_id)
    checks.done()
