"""The settings of a client, and its dependencies on the outside: time, random numbers, ids and sockets."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from parley_client.transport import Connect

# 2**30 exceeds any sensible cap; much larger powers overflow a float.
_MAX_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: a delay drawn evenly from 0 to base, 2 base, 4 base, ..., up to the cap.

    Full jitter spreads the retries of clients that failed together best, with the fewest attempts in total. Source:
    Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """

    base_seconds: float
    cap_seconds: float

    def ceiling_seconds(self, attempt: int) -> float:
        """Returns the longest delay before an attempt, counted from 0."""
        return min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt, _MAX_DOUBLINGS))

    def delay_seconds(self, attempt: int, random: Callable[[], float]) -> float:
        """Draws the delay before an attempt; `random` draws from [0, 1)."""
        return self.ceiling_seconds(attempt) * random()


class Clock(Protocol):
    """The clock that a client reads and sleeps on."""

    def time(self) -> float:
        """Returns the seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Returns the seconds since a fixed moment; never goes backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class SystemClock:
    """The machine's clock."""

    def time(self) -> float:
        """Returns the seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Returns the seconds since a fixed moment; never goes backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)


_RECONNECT_BACKOFF = Backoff(base_seconds=0.25, cap_seconds=15.0)
_RETRY_BACKOFF = Backoff(base_seconds=0.1, cap_seconds=5.0)


def _new_message_id() -> str:
    return str(uuid.uuid4())


def _new_request_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of a client; the defaults suit a program with one or a few clients.

    Attributes:
        track_state: keep a replica of the user's conversations, and replay missed events after a reconnect. Without it
            a client holds no messages and makes no requests of its own, for thousands of clients in one process.
        request_deadline_seconds: the deadline of requests that set none, except `send_message`, which has no deadline.
        connect_timeout_seconds: how long `async with client` waits for the client to be ready.
        open_timeout_seconds: how long each attempt to open a connection may take, and then its first event.
        ping_interval_seconds: how often to ping the server, and how long to wait for its pong; None relies on TCP and
            on the server's own pings to notice a dead connection.
        event_buffer: how many unread events each stream of `events()` holds; see EventStream for overflow.
        page_size: the page size of lists and syncs during catch-up, at most 200.
        gap_grace_seconds: how long to wait for a missing change before requesting it.
        reconnect_backoff: the delay between attempts to connect.
        retry_backoff: the delay between attempts of a request that failed with a retryable error.
        clock: the clock.
        random: draws from [0, 1), for jitter.
        new_message_id: creates a unique clientMessageId.
        new_request_id: creates a unique requestId.
        connect: opens connections; over real sockets by default.
    """

    track_state: bool = True
    request_deadline_seconds: float = 30.0
    connect_timeout_seconds: float = 30.0
    open_timeout_seconds: float = 10.0
    ping_interval_seconds: float | None = 20.0
    event_buffer: int = 1_000
    page_size: int = 100
    gap_grace_seconds: float = 0.2
    reconnect_backoff: Backoff = _RECONNECT_BACKOFF
    retry_backoff: Backoff = _RETRY_BACKOFF
    clock: Clock = field(default_factory=SystemClock)
    random: Callable[[], float] = random.random
    new_message_id: Callable[[], str] = _new_message_id
    new_request_id: Callable[[], str] = _new_request_id
    connect: Connect | None = None
