"""Fan-out of an event log to subscribers: streams of gateways, each holding some users.

The one mechanism behind every service's `Subscribe`; see protos/parley/stream/v1/stream.proto for what it promises:
at least once, in the order of the log, resumable by position. One reader follows the log for the whole process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from parley.stream.v1.stream_pb2 import Attachments, Positions

from chassis import metrics
from chassis.errors import ResourceExhaustedError, UnavailableError
from chassis.eventlog import Entry, EventLog, LogTrimmedError, position_key

MAX_PENDING_EVENTS: Final = 20_000
_MAX_EVENTS_PER_RESPONSE: Final = 2_000


class Request(Protocol):
    """What a service's SubscribeRequest looks like."""

    @property
    def attachments(self) -> Attachments:
        """Users to add and remove."""

    @property
    def resume_after(self) -> Positions:
        """Where to resume."""


E = TypeVar("E")
R = TypeVar("R", bound=Request)
Users = set[str]
Route = Callable[[E, Users], "E | None"]
"""Gives the event for a subscriber that holds these users of its organization, or None if it is for none of them."""


class Subscriber(Generic[E]):
    """One open stream: the users it holds, and what it has not been given yet."""

    def __init__(self) -> None:
        self.users: dict[str, Users] = {}
        self.positions: dict[int, str] = {}
        self.live = False
        self.ending = False
        self.overflowed = False
        self.lost = False
        self.acknowledged = 0
        self._pending: list[E] = []
        self._moved: dict[int, str] = {}
        self._wake = asyncio.Event()

    def attach(self, attachments: Attachments) -> None:
        """Adds and removes users, and acknowledges that."""
        for key in attachments.add:
            self.users.setdefault(key.organization_id, set()).add(key.user_id)
        for key in attachments.remove:
            held = self.users.get(key.organization_id)
            if held is not None:
                held.discard(key.user_id)
                if not held:
                    del self.users[key.organization_id]
        if attachments.number:
            self.acknowledged = attachments.number
            self._wake.set()

    def offer(self, entry: Entry, events: Iterable[E], route: Route[E]) -> None:
        """Queues what of an entry is for this subscriber; an entry that it has had already is passed over.

        Past MAX_PENDING_EVENTS the stream ends with an error: the subscriber comes back and resumes.
        """
        reached = self.positions.get(entry.shard)
        if reached is not None and position_key(entry.entry_id) <= position_key(reached):
            return
        self.positions[entry.shard] = self._moved[entry.shard] = entry.entry_id
        users = self.users.get(entry.organization_id)
        if users:
            before = len(self._pending)
            self._pending.extend(routed for event in events if (routed := route(event, users)) is not None)
            if len(self._pending) > MAX_PENDING_EVENTS:
                self.overflowed = True
            if len(self._pending) > before:
                self._wake.set()

    def moved_to(self, positions: dict[int, str]) -> None:
        """Sets where this subscriber is, and that it has to be told."""
        self.positions.update(positions)
        self._moved.update(positions)

    def mark_lost(self) -> None:
        """Notes that events were missed."""
        self.lost = True
        self._wake.set()

    def end(self) -> None:
        """Ends the stream when what is pending has been given."""
        self.ending = True
        self._wake.set()

    async def take(self) -> tuple[int, list[E], dict[int, str], bool]:
        """Waits for something to say; gives (acknowledged, events, positions, lost)."""
        await self._wake.wait()
        acknowledged, self.acknowledged = self.acknowledged, 0
        lost, self.lost = self.lost, False
        events, self._pending = self._pending[:_MAX_EVENTS_PER_RESPONSE], self._pending[_MAX_EVENTS_PER_RESPONSE:]
        moved: dict[int, str] = {}
        if not self._pending:  # a position may be told only when all before it has been
            moved, self._moved = self._moved, {}
            self._wake.clear()
        return acknowledged, events, moved, lost


class FanOut(Generic[E]):
    """Follows a log, and offers each entry to every subscriber.

    Args:
        log: what to follow.
        parse: reads the events of an entry's payload.
        route: see `Route`.
        observe: is shown every event before subscribers are, such as to refresh a cache.
    """

    def __init__(
        self,
        log: EventLog,
        parse: Callable[[bytes], Iterable[E]],
        route: Route[E],
        observe: Callable[[E], None] | None = None,
    ) -> None:
        self._log = log
        self._parse = parse
        self._route = route
        self._observe = observe
        self._subscribers: set[Subscriber[E]] = set()
        self._positions: dict[int, str] = {}
        self._ready = asyncio.Event()
        self._stopping = False
        self._open = metrics.SUBSCRIBERS.labels(log.name)
        self._overflows = metrics.SUBSCRIBER_OVERFLOWS.labels(log.name)

    async def start(self) -> None:
        """Takes the log's present end as where this process begins; call once, before the server starts."""
        self._positions = await self._log.end()
        self._ready.set()

    async def run(self) -> None:
        """Follows the log for ever; to be supervised."""
        await self._ready.wait()
        async for found in self._log.tail(dict(self._positions)):
            if isinstance(found, LogTrimmedError):
                for subscriber in self._subscribers:
                    subscriber.mark_lost()
                continue
            for entry in found:
                self._deliver(entry)

    def _deliver(self, entry: Entry) -> None:
        self._positions[entry.shard] = entry.entry_id
        wanted = [s for s in self._subscribers if s.live]
        if self._observe is None and not any(entry.organization_id in s.users for s in wanted):
            for subscriber in wanted:
                subscriber.offer(entry, (), self._route)
            return
        events = list(self._parse(entry.payload))
        if self._observe is not None:
            for event in events:
                self._observe(event)
        for subscriber in wanted:
            subscriber.offer(entry, events, self._route)

    async def drain(self) -> None:
        """Ends every stream; subscribers come back to another replica, and resume."""
        self._stopping = True
        for subscriber in self._subscribers:
            subscriber.end()

    async def serve(
        self, requests: AsyncIterator[R]
    ) -> AsyncGenerator[tuple[int, list[E], Positions | None, bool], None]:
        """Serves one stream.

        Yields:
            What a SubscribeResponse says: (acknowledged, events, positions, lost).

        Raises:
            ResourceExhaustedError: SUBSCRIBER_TOO_SLOW.
            UnavailableError: SHUTTING_DOWN.
        """
        first = await anext(requests, None)
        if first is None:
            return
        subscriber: Subscriber[E] = Subscriber()
        subscriber.attach(first.attachments)
        self._subscribers.add(subscriber)
        self._open.inc()
        reader = asyncio.create_task(self._read(subscriber, requests))
        try:
            await self._catch_up(subscriber, dict(first.resume_after.shards))
            while not subscriber.overflowed:
                acknowledged, events, moved, lost = await subscriber.take()
                if acknowledged or events or moved or lost:
                    yield acknowledged, events, Positions(shards=moved) if moved else None, lost
                if reader.done():
                    return
                if (subscriber.ending and not events) or self._stopping:
                    raise UnavailableError("SHUTTING_DOWN", "this replica is stopping; come back", retry_after_ms=0)
            self._overflows.inc()
            raise ResourceExhaustedError(
                "SUBSCRIBER_TOO_SLOW", "too many events are pending; resume", retry_after_ms=100
            )
        finally:
            self._open.dec()
            self._subscribers.discard(subscriber)
            reader.cancel()

    async def _read(self, subscriber: Subscriber[E], requests: AsyncIterator[R]) -> None:
        try:
            async for request in requests:
                subscriber.attach(request.attachments)
        finally:
            subscriber.end()

    async def _catch_up(self, subscriber: Subscriber[E], resume_after: dict[int, str]) -> None:
        """Gives a subscriber what it missed, then lets it live on the common reader.

        Between the last look at the log and `live = True` nothing is awaited, so no entry falls between the two.
        """
        if resume_after:
            subscriber.positions.update(resume_after)
            try:
                while entries := await self._log.after(subscriber.positions):
                    for entry in entries:
                        subscriber.offer(entry, self._parse(entry.payload), self._route)
            except LogTrimmedError:
                subscriber.mark_lost()
        missing = {s: p for s, p in self._positions.items() if s not in subscriber.positions or subscriber.lost}
        subscriber.moved_to(missing)
        subscriber.live = True
