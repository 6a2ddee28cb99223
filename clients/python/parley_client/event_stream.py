"""Delivers the events of one connection to any number of readers."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from parley_client.errors import ClientClosedError, ClientError, EventsOverflowError
from parley_client.events import Event

E = TypeVar("E", bound=Event)


class EventStream(AsyncIterator[E], Generic[E]):
    """The events since the stream was opened, in order, for one reader.

    The buffer is bounded. If it is full when an event arrives, the stream ends: its reader gets the buffered events,
    then EventsOverflowError, so no event is dropped silently. The client's replica is not affected: read the current
    state from it, and open a new stream.

    The stream ends when the client is closed, and raises the error that stopped the client if there was one.
    """

    def __init__(self, kinds: tuple[type[E], ...], limit: int, on_end: Callable[["EventStream[E]"], None]) -> None:
        self._kinds = kinds
        self._limit = limit
        self._on_end = on_end
        self._buffer: deque[E] = deque()
        self._end: ClientError | None = None
        self._changed = asyncio.Event()

    def push(self, event: Event) -> None:
        """Buffers an event if it has one of the requested types; never waits."""
        if self._end is not None or (self._kinds and not isinstance(event, self._kinds)):
            return
        if len(self._buffer) >= self._limit:
            self.end(EventsOverflowError(self._limit))
            return
        # Without requested types, E is Event.
        self._buffer.append(event)  # type: ignore[arg-type]
        self._changed.set()

    def end(self, reason: ClientError) -> None:
        """Ends the stream; its reader gets the buffered events, then the reason."""
        if self._end is None:
            self._end = reason
            self._changed.set()
            self._on_end(self)

    def close(self) -> None:
        """Ends the stream on behalf of its reader, and drops the buffered events."""
        self.end(ClientClosedError())
        self._buffer.clear()

    async def __anext__(self) -> E:
        while not self._buffer:
            if isinstance(self._end, ClientClosedError):
                raise StopAsyncIteration
            if self._end is not None:
                raise self._end
            self._changed.clear()
            await self._changed.wait()
        return self._buffer.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class EventHub:
    """The open streams of one client."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._streams: list[EventStream[Event]] = []
        self._end: ClientError | None = None

    @property
    def has_readers(self) -> bool:
        """Whether any stream is open."""
        return bool(self._streams)

    def open(self, kinds: tuple[type[Event], ...]) -> EventStream[Event]:
        """Opens a stream of the events from now on, of some types, or of all if `kinds` is empty."""
        stream = EventStream(kinds, self._limit, self._remove)
        self._streams.append(stream)
        if self._end is not None:
            stream.end(self._end)
        return stream

    def publish(self, event: Event) -> None:
        """Adds an event to all streams."""
        for stream in tuple(self._streams):
            stream.push(event)

    def end(self, reason: ClientError) -> None:
        """Ends all streams, including those opened later."""
        self._end = reason
        for stream in tuple(self._streams):
            stream.end(reason)

    def _remove(self, stream: EventStream[Event]) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
