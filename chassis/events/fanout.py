"""Fans an event log out to subscribers: gateways' streams, each with some users attached.

Every service's `Subscribe` uses it. protos/parley/stream/v1/stream.proto states the guarantees: at least once, in the
order of the log, resumable by cursor. One reader follows the log for the whole process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Generic, Protocol, TypeVar

from parley.stream.v1.stream_pb2 import Attachments, Cursors

from chassis.errors import AppError, UnavailableError
from chassis.events.log import Entry, EventLog, LogTrimmedError, is_position, position_key
from chassis.events.subscriber import E, Response, Route, Subscriber
from chassis.process import metrics
from chassis.rpc.validation import FieldChecks


class Request(Protocol):
    """The fields that every service's SubscribeRequest has."""

    @property
    def attachments(self) -> Attachments:
        """Users to add and remove."""

    @property
    def resume_cursors(self) -> Cursors:
        """Where to resume."""


R = TypeVar("R", bound=Request)


class FanOut(Generic[E]):
    """Follows a log, and offers each entry to every subscriber.

    Args:
        log: the event log.
        parse: decodes the events of an entry's payload.
        route: see `Route`.
        observe: called with every event before subscribers get it, such as to refresh a cache.
        lost: called after the log has lost entries.
    """

    def __init__(
        self,
        log: EventLog,
        parse: Callable[[bytes], Iterable[E]],
        route: Route[E],
        observe: Callable[[E], None] | None = None,
        lost: Callable[[], None] | None = None,
    ) -> None:
        self._log = log
        self._parse = parse
        self._route = route
        self._observe = observe
        self._lost = lost
        self._subscribers: set[Subscriber[E]] = set()
        self._positions: dict[int, str] = {}
        self._ready = asyncio.Event()
        self._stopping = False
        self._open = metrics.SUBSCRIBERS.labels(log.name)
        self._pending = metrics.SUBSCRIBER_PENDING.labels(log.name)
        self._sent = metrics.SUBSCRIBER_EVENTS.labels(log.name)
        self._overflows = metrics.SUBSCRIBER_OVERFLOWS.labels(log.name)

    async def start(self) -> None:
        """Sets the starting position to the log's current end; call once, before the server starts."""
        self._positions = await self._log.end()
        self._ready.set()

    async def run(self) -> None:
        """Follows the log until cancelled; to be supervised."""
        await self._ready.wait()
        async for batch in self._log.tail(dict(self._positions)):
            if isinstance(batch, LogTrimmedError):
                self._handle_loss(batch.shards)
                continue
            for entry in batch:
                self._deliver(entry)

    def _handle_loss(self, shards: Iterable[int]) -> None:
        """Forgets the positions in shards that lost entries: the next entries may have any position."""
        for shard in shards:
            del self._positions[shard]
        for subscriber in self._subscribers:
            subscriber.mark_lost(shards)
        if self._lost is not None:
            self._lost()

    def _deliver(self, entry: Entry) -> None:
        self._positions[entry.shard] = entry.entry_id
        live = [s for s in self._subscribers if s.live]
        if self._observe is None and not any(entry.organization_id in s.users for s in live):
            for subscriber in live:
                subscriber.offer(entry, ())
            return
        events = list(self._parse(entry.payload))
        if self._observe is not None:
            for event in events:
                self._observe(event)
        for subscriber in live:
            subscriber.offer(entry, events)

    async def drain(self) -> None:
        """Ends every stream; subscribers resume at another replica."""
        self._stopping = True
        for subscriber in self._subscribers:
            subscriber.fail(_shutting_down())

    async def serve(self, requests: AsyncIterator[R]) -> AsyncGenerator[Response[E], None]:
        """Serves one stream.

        Yields:
            The contents of each SubscribeResponse; see `Response`.

        Raises:
            InvalidArgumentError: INVALID_FIELDS.
            ResourceExhaustedError: SUBSCRIBER_TOO_SLOW or TOO_MANY_USERS.
            UnavailableError: SHUTTING_DOWN.
            LogError: Redis is unreachable, so the stream can't resume.
        """
        first = await anext(requests, None)
        if first is None:
            return
        if self._stopping:
            raise _shutting_down()
        subscriber = Subscriber(self._route, self._pending)
        resume_cursors = _checked(first.resume_cursors)
        subscriber.attach(first.attachments)
        self._subscribers.add(subscriber)
        self._open.inc()
        reader = asyncio.create_task(_read(subscriber, requests))
        try:
            async for response in self._catch_up(subscriber, resume_cursors):
                self._sent.inc(len(response[1]))
                yield response
            while (next_response := await subscriber.next()) is not None:
                self._sent.inc(len(next_response[1]))
                yield next_response
        finally:
            self._overflows.inc(subscriber.overflowed)
            self._open.dec()
            self._subscribers.discard(subscriber)
            subscriber.drop()
            reader.cancel()

    async def _catch_up(
        self, subscriber: Subscriber[E], resume_cursors: dict[int, str]
    ) -> AsyncGenerator[Response[E], None]:
        """Sends a subscriber the entries that it missed, then makes it live: the common reader serves it from then on.

        Each part is sent before the next is read. A subscriber becomes live once it is at least at the common reader's
        position in every shard; nothing is awaited between that check and `live = True`.
        """
        if resume_cursors:
            behind = subscriber.positions = {s: p for s, p in resume_cursors.items() if s < self._log.shards}
            if len(resume_cursors) != len(behind) or len(behind) != self._log.shards:
                subscriber.mark_lost(())  # the number of shards changed: any event may have been missed
            while behind:
                for entry in await self._missed(subscriber, behind):
                    attached = entry.organization_id in subscriber.users
                    subscriber.offer(entry, self._parse(entry.payload) if attached else ())
                    while subscriber.fills_a_response and (response := subscriber.take()):
                        yield response
                while response := subscriber.take():
                    yield response
                behind = self._behind(subscriber)
        subscriber.advance_to({s: p for s, p in self._positions.items() if s not in subscriber.positions})
        subscriber.live = True
        if response := subscriber.take():
            yield response

    async def _missed(self, subscriber: Subscriber[E], behind: dict[int, str]) -> list[Entry]:
        """Returns some of the entries after a subscriber's positions in the shards where it is behind."""
        behind_now = self._behind(subscriber)  # before the read, during which the common reader advances
        try:
            entries = await self._log.after(behind)
        except LogTrimmedError as error:
            subscriber.mark_lost(error.shards)
            subscriber.advance_to({s: p for s, p in self._positions.items() if s in error.shards})
            return []
        if not entries and behind_now:  # the log no longer has entries that the common reader read
            subscriber.mark_lost(behind_now)
            subscriber.advance_to({s: p for s, p in self._positions.items() if s in behind_now})
        return entries

    def _behind(self, subscriber: Subscriber[E]) -> dict[int, str]:
        """Returns a subscriber's positions in the shards where the common reader is ahead."""
        return {
            shard: position
            for shard, position in subscriber.positions.items()
            if shard in self._positions and position_key(position) < position_key(self._positions[shard])
        }


async def _read(subscriber: Subscriber[E], requests: AsyncIterator[R]) -> None:
    try:
        async for request in requests:
            subscriber.attach(request.attachments)
    except AppError as error:
        subscriber.fail(error)
    finally:
        subscriber.end()


def _checked(resume_cursors: Cursors) -> dict[int, str]:
    """Returns the positions to resume after. Raises InvalidArgumentError."""
    positions = dict(resume_cursors.shards)
    checks = FieldChecks()
    well_formed = all(map(is_position, positions.values()))
    checks.require(well_formed, "resumeCursors.shards", "must be positions from an earlier stream")
    checks.done()
    return positions


def _shutting_down() -> UnavailableError:
    return UnavailableError("SHUTTING_DOWN", "this replica is shutting down; reconnect", retry_after_ms=0)
