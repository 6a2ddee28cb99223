"""How connections are sent away when it isn't their fault: told first, and spread over time, so that they don't all
come back at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from chassis.process.logs import logger
from gateway.connections.hub import Connection, Hub, send
from gateway.wire import close_codes

SPREAD_SECONDS: Final = 5.0
_UNDER_WAY_SECONDS: Final = 0.25
"""How long requests may take to get here that were sent before their clients were told."""

_LEAVING_SECONDS: Final = 2.0
"""How long clients may take to leave that were told and do so by themselves, when they have all their answers."""

_POLL_SECONDS: Final = 0.05

_GOODBYE_SECONDS: Final = 0.5
"""How long clients may take to answer that a connection is closed, before the process is gone."""

_log = logger("departures")


class Drainer:
    """Sends connections away."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def reconnect_all(self) -> None:
        """Events were missed: each connection is closed at some moment soon, so that its client catches up."""
        _log.warning("events_lost", connections=self._hub.count)
        loop = asyncio.get_running_loop()
        for connection in tuple(self._hub):
            loop.call_later(random.uniform(0, SPREAD_SECONDS), _send_away, connection)  # noqa: S311  # jitter

    async def drain(self, timeout_seconds: float) -> None:
        """The gateway stops: clients are told when to come back, requests in flight are finished, then all is closed.

        Args:
            timeout_seconds: how long requests in flight are waited for.
        """
        _log.info("connections_leaving", connections=self._hub.count)
        if not self._hub.count:
            return
        told = {connection for connection in self._hub if _tell(connection)}
        await asyncio.sleep(_UNDER_WAY_SECONDS)
        await _until(lambda: told.isdisjoint(self._hub), min(_LEAVING_SECONDS, timeout_seconds))
        if not await _until(self._is_idle, timeout_seconds):
            _log.warning("requests_given_up", connections=self._hub.count)
        for connection in tuple(self._hub):
            connection.close(close_codes.RESTART, "restart")
        await asyncio.sleep(_GOODBYE_SECONDS)

    def _is_idle(self) -> bool:
        return not any(connection.session.in_flight for connection in self._hub)


async def _until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Whether something came to be so in time; looked at now and then: a stop is rare, and events would not be."""
    try:
        async with asyncio.timeout(seconds):
            while not is_so():  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        return False
    return True


def _tell(connection: Connection) -> bool:
    """Says when to come back, where the dialect has a word for it."""
    reconnect_after_ms = random.randrange(round(SPREAD_SECONDS * 1_000))  # noqa: S311  # jitter
    said = connection.wire_format.dialect.session_closing(reconnect_after_ms)
    send(connection, said)
    return bool(said)


def _send_away(connection: Connection) -> None:
    # It closes at a random moment already, so it may come back at once.
    send(connection, connection.wire_format.dialect.session_closing(0))
    connection.close(close_codes.RESTART, "events were missed")
