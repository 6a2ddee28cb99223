"""Queues the payloads of a connection behind an event whose encoding needs a lookup, so that their order is kept."""

from __future__ import annotations

from collections import deque
from typing import Final

from chassis.errors import AppError
from chassis.process.logs import logger
from gateway.connections.connection import Connection
from gateway.dialects.base import Deferred, Payloads
from gateway.sessions.background_tasks import BackgroundTasks, app_errors_only
from gateway.sessions.user_client import UserClient
from gateway.upstream.clients import Upstreams
from gateway.wire import close_codes

MAX_WAITING: Final = 1_000

_log = logger("delivery")

Payload = Payloads | Deferred


class DeliveryQueue:
    """The queues of all connections; most connections have none.

    Args:
        upstreams: the services' stubs.
        tasks: runs the lookups.

    Attributes:
        waiting: each connection's queue. Its first payload is being looked up.
    """

    def __init__(self, upstreams: Upstreams, tasks: BackgroundTasks) -> None:
        self._upstreams = upstreams
        self._tasks = tasks
        self.waiting: dict[Connection, deque[Payload]] = {}

    def deliver(self, connection: Connection, payload: Payload) -> None:
        """Sends a payload to a connection, at once or behind those that wait; closes the connection if too many do."""
        queue = self.waiting.get(connection)
        if queue is not None:
            queue.append(payload)
            if len(queue) > MAX_WAITING:
                del self.waiting[connection]
                connection.close(close_codes.TOO_SLOW, "too slow")
        elif isinstance(payload, Deferred):
            queue = self.waiting[connection] = deque((payload,))
            self._tasks.start(self._drain(connection, queue))
        else:
            connection.send(payload)

    async def _drain(self, connection: Connection, queue: deque[Payload]) -> None:
        while queue:
            payload = queue[0]
            payloads = await self._look_up(connection, payload) if isinstance(payload, Deferred) else payload
            if self.waiting.get(connection) is not queue:
                return  # the queue overflowed during the lookup
            queue.popleft()
            connection.send(payloads)
        del self.waiting[connection]

    async def _look_up(self, connection: Connection, deferred: Deferred) -> Payloads:
        session = connection.session
        client = UserClient(self._upstreams, session.identity, session.token)
        try:
            return await app_errors_only("event", deferred.run(client))
        except AppError as error:
            _log.warning("event_not_delivered", reason=error.reason)
            return ()
