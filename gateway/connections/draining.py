"""Closes connections when the gateway stops or has missed events: announced where possible, and spread over time, so
that clients do not all reconnect at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from chassis.process.logs import logger
from gateway.connections.connection import Connection
from gateway.connections.hub import Hub
from gateway.wire import close_codes

SPREAD_SECONDS: Final = 5.0
_IN_TRANSIT_SECONDS: Final = 0.25
"""How long requests may take to arrive that clients sent before the announcement."""

_LEAVE_TIMEOUT_SECONDS: Final = 2.0
"""How long announced clients have to close their connections themselves once all their requests are answered."""

_POLL_SECONDS: Final = 0.05

_CLOSE_HANDSHAKE_SECONDS: Final = 0.5
"""How long clients have to answer the close frame before the process ends."""

_log = logger("draining")


class Drainer:
    """Closes all connections of a hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def reconnect_all(self) -> None:
        """Closes each connection at a random moment within 5 s: events were missed, and clients must catch up."""
        _log.warning("events_lost", connections=self._hub.count)
        loop = asyncio.get_running_loop()
        for connection in tuple(self._hub):
            loop.call_later(random.uniform(0, SPREAD_SECONDS), _reconnect, connection)  # noqa: S311  # jitter

    async def drain(self, timeout_seconds: float) -> None:
        """Announces the shutdown to clients, waits for their requests in flight, and closes all connections.

        Args:
            timeout_seconds: the longest wait for requests in flight.
        """
        _log.info("connections_leaving", connections=self._hub.count)
        if not self._hub.count:
            return
        announced = {connection for connection in self._hub if _announce_closing(connection)}
        await asyncio.sleep(_IN_TRANSIT_SECONDS)
        await _poll_until(lambda: announced.isdisjoint(self._hub), min(_LEAVE_TIMEOUT_SECONDS, timeout_seconds))
        if not await _poll_until(self._is_idle, timeout_seconds):
            _log.warning("requests_given_up", connections=self._hub.count)
        for connection in tuple(self._hub):
            connection.close(close_codes.RESTART, "restart")
        await asyncio.sleep(_CLOSE_HANDSHAKE_SECONDS)

    def _is_idle(self) -> bool:
        return not any(connection.session.in_flight for connection in self._hub)


async def _poll_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Waits until a condition holds; returns whether it did in time. Polls, since shutdowns are rare."""
    try:
        async with asyncio.timeout(timeout_seconds):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        return False
    return True


def _announce_closing(connection: Connection) -> bool:
    """Tells a client when to reconnect; returns whether its dialect has an event for that."""
    reconnect_after_ms = random.randrange(round(SPREAD_SECONDS * 1_000))  # noqa: S311  # jitter
    payloads = connection.wire_format.dialect.session_closing(reconnect_after_ms)
    connection.send(payloads)
    return bool(payloads)


def _reconnect(connection: Connection) -> None:
    # The moment of closing is random already, so the client may reconnect at once.
    connection.send(connection.wire_format.dialect.session_closing(0))
    connection.close(close_codes.RESTART, "events were missed")
