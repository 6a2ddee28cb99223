"""How connections are sent away when it isn't their fault: told first, and spread over time, so that they don't all
come back at once."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from chassis.logs import logger
from gateway import close_codes
from gateway.hub import Connection, Hub, say

SPREAD_SECONDS: Final = 5.0
_UNDER_WAY_SECONDS: Final = 0.25
"""How long requests may take to get here that were sent before their clients were told."""

_POLL_SECONDS: Final = 0.05

_GOODBYE_SECONDS: Final = 0.5
"""How long clients may take to answer that a connection is closed, before the process is gone."""

_log = logger("departures")


class Departures:
    """Sends connections away."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def after_loss(self) -> None:
        """Events were missed: each connection is closed at some moment soon, so that its client catches up."""
        _log.warning("events_lost", connections=self._hub.count)
        loop = asyncio.get_running_loop()
        for connection in tuple(self._hub):
            loop.call_later(random.uniform(0, SPREAD_SECONDS), _send_away, connection)  # noqa: S311  # jitter

    async def all(self, patience_seconds: float) -> None:
        """The gateway stops: clients are told when to come back, requests in flight are finished, then all is closed.

        Args:
            patience_seconds: how long requests in flight are waited for.
        """
        _log.info("connections_leaving", connections=self._hub.count)
        if not self._hub.count:
            return
        for connection in self._hub:
            _tell(connection)
        await asyncio.sleep(_UNDER_WAY_SECONDS)
        try:
            async with asyncio.timeout(patience_seconds):
                # Looked at, not waited for: a stop is rare, and an event for each answer would not be.
                while any(connection.session.in_flight for connection in self._hub):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            _log.warning("requests_given_up", connections=self._hub.count)
        for connection in tuple(self._hub):
            connection.close(close_codes.RESTART, "restart")
        await asyncio.sleep(_GOODBYE_SECONDS)


def _tell(connection: Connection) -> None:
    reconnect_after_ms = random.randrange(round(SPREAD_SECONDS * 1_000))  # noqa: S311  # jitter
    say(connection, connection.front.dialect.session_closing(reconnect_after_ms))


def _send_away(connection: Connection) -> None:
    # It closes at a random moment already, so it may come back at once.
    say(connection, connection.front.dialect.session_closing(0))
    connection.close(close_codes.RESTART, "events were missed")
