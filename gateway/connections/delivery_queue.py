"""Events that take a lookup before they can be told: what comes for the same connection meanwhile waits behind them."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from chassis.errors import AppError
from chassis.process.logs import logger
from gateway.dialects.base import Deferred, Payloads, WireFormat
from gateway.sessions.commands import UserCalls
from gateway.sessions.session import Session
from gateway.wire import close_codes

MAX_WAITING: Final = 1_000

_log = logger("lines")


class Listener(Protocol):
    """A connection, as far as it is told of events."""

    @property
    def session(self) -> Session:
        """Its state."""

    @property
    def wire_format(self) -> WireFormat:
        """What it speaks now."""

    def write(self, data: bytes) -> None:
        """Sends framed data."""

    def close(self, code: int, reason: str) -> None:
        """Closes it."""


Payload = Payloads | Deferred
Start = Callable[[Session, Callable[[UserCalls], Awaitable[Payloads]], Callable[[Payloads | AppError], None]], None]
"""Does work with calls for a session's user, then calls back with its result or with what went wrong."""


class DeliveryQueue:
    """The lines of all connections; most have none.

    Args:
        start: does work beside the connections.

    Attributes:
        waiting: what waits, by connection.
    """

    def __init__(self, start: Start) -> None:
        self._start = start
        self.waiting: dict[Listener, deque[Payload]] = {}

    def tell(self, connection: Listener, said: Payload) -> None:
        """Tells a connection something, at once or behind what it still waits for."""
        line = self.waiting.get(connection)
        if line is not None:
            line.append(said)
            if len(line) > MAX_WAITING:
                del self.waiting[connection]
                connection.close(close_codes.TOO_SLOW, "too slow")
        elif isinstance(said, Deferred):
            self.waiting[connection] = deque((said,))
            self._look_up(connection, said)
        elif said:
            connection.write(connection.wire_format.frames(said))

    def _look_up(self, connection: Listener, later: Deferred) -> None:
        self._start(connection.session, later.run, partial(self._found, connection))

    def _found(self, connection: Listener, outcome: Payloads | AppError) -> None:
        line = self.waiting.get(connection)
        if line is None:
            return  # it grew too long
        line.popleft()
        if isinstance(outcome, AppError):
            _log.warning("event_not_told", reason=outcome.reason)
        elif outcome:
            connection.write(connection.wire_format.frames(outcome))
        while line:
            said = line[0]
            if isinstance(said, Deferred):
                self._look_up(connection, said)
                return
            connection.write(connection.wire_format.frames(line.popleft()))  # type: ignore[arg-type]  # no Later
        del self.waiting[connection]
