"""How a client behaves where programs differ."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from parley_client.transport import Connect

# 2**n is beyond any sensible ceiling long before; larger powers overflow a float.
_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Ceilings of base, 2 base, 4 base, ... up to the cap."""

    base_seconds: float
    cap_seconds: float

    def ceiling_seconds(self, attempt: int) -> float:
        """The longest wait before the given attempt, counted from 0."""
        return min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt, _MOST_DOUBLINGS))

    def delay_seconds(self, attempt: int, random: Callable[[], float]) -> float:
        """A wait before the given attempt; `random` draws from [0, 1)."""
        return self.ceiling_seconds(attempt) * random()


class Clock(Protocol):
    """What the client needs of time."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never runs backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class SystemClock:
    """The machine's own clock."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment; never runs backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)


_RECONNECT_BACKOFF = Backoff(base_seconds=0.25, cap_seconds=15.0)
_RETRY_BACKOFF = Backoff(base_seconds=0.1, cap_seconds=5.0)


def _new_message_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Options:
    """All have defaults that suit a program with one or a few clients.

    Attributes:
        track_state: keep a replica of the user's conversations, and make up for missed events after a reconnect.
            Without it a client holds no messages and sends nothing of its own accord: for thousands in one process.
        request_deadline_seconds: for requests that name none, except `send_message`, which tries until it is answered.
        connect_timeout_seconds: how long `async with client` waits to be ready.
        open_timeout_seconds: how long one attempt to open a connection may take, and then its first event.
        ping_interval_seconds: how often to ask whether the server is there, and how long it may take to answer; None
            leaves that to TCP and to the server's own pings.
        event_buffer: how many events may wait in each stream of `events()`; see EventStream for what happens then.
        page_size: of lists and syncs while catching up, at most 200.
        gap_grace_seconds: how long a missing change may be on its way before the client asks for it.
        reconnect_backoff: between attempts to connect.
        retry_backoff: between attempts of a request that failed for now.
        clock: time.
        random: draws from [0, 1), for jitter.
        new_message_id: makes a clientMessageId.
        connect: opens connections; by default over real sockets.
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
    connect: Connect | None = None
