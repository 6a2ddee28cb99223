"""Watches: streams of the presence of some users, for one user."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

from parley.presence.v1 import presence_pb2
from parley.presence.v1.presence_pb2 import Event

from chassis.errors import ResourceExhaustedError, UnauthenticatedError
from chassis.identity import Identity
from services.presence.convert import presence_message, role_name
from services.presence.delivery import Delivery, SubscriberQueue
from services.presence.domain import can_see
from services.presence.presences import Presences

MAX_WATCHES: Final = 10_000


class Watches:
    """Serves users' watches.

    Args:
        presences: reads the current presence.
        delivery: delivers the published events.
    """

    def __init__(self, presences: Presences, delivery: Delivery) -> None:
        self._presences = presences
        self._delivery = delivery
        self._open = 0

    async def serve(self, viewer: Identity, user_ids: Sequence[str]) -> AsyncIterator[list[presence_pb2.Presence]]:
        """Serves one watch, for as long as the viewer's token is valid.

        Yields:
            The presence of all watched users, in the order of `user_ids`; then of users whose presence changed.

        Raises:
            ResourceExhaustedError: TOO_MANY_WATCHES or SUBSCRIBER_TOO_SLOW.
            UnauthenticatedError: TOKEN_EXPIRED.
            UnavailableError: SHUTTING_DOWN or STORE_UNAVAILABLE.
        """
        if self._open >= MAX_WATCHES:
            raise ResourceExhaustedError("TOO_MANY_WATCHES", "too many open watches", retry_after_ms=1_000)
        watched = frozenset(user_ids)
        queue = SubscriberQueue(lambda event: event.presence.user_id in watched and _is_visible(viewer, event))
        self._open += 1
        try:
            with self._delivery.delivering(queue):
                self._delivery.add(queue, viewer.organization_id)
                queue.request_snapshot(viewer.organization_id)
                while await _wait_before(viewer.expires_at, queue):
                    async for presences in self._updates(viewer, user_ids, queue):
                        yield presences
        finally:
            self._open -= 1

    async def _updates(
        self, viewer: Identity, user_ids: Sequence[str], queue: SubscriberQueue
    ) -> AsyncIterator[list[presence_pb2.Presence]]:
        if events := queue.take_events():
            others = [event.presence for event in events if event.presence.user_id != viewer.user_id]
            own = await self._presences_for(viewer, [viewer.user_id]) if len(others) < len(events) else []
            yield [*others, *own]
        organization_id = queue.take_snapshot_request()
        if organization_id is not None:
            yield await self._presences_for(viewer, user_ids)
            queue.snapshot_sent(organization_id)

    async def _presences_for(self, viewer: Identity, user_ids: Sequence[str]) -> list[presence_pb2.Presence]:
        presences = await self._presences.get(viewer, user_ids)
        return [presence_message(user_id, presence) for user_id, presence in zip(user_ids, presences, strict=True)]


def _is_visible(viewer: Identity, event: Event) -> bool:
    return can_see(viewer.user_id, viewer.role, event.presence.user_id, role_name(event.role))


async def _wait_before(expires_at: float, queue: SubscriberQueue) -> bool:
    """Waits for something to send; returns False at the end. Raises UnauthenticatedError at `expires_at`."""
    try:
        async with asyncio.timeout(expires_at - time.time()):
            return await queue.wait()
    except TimeoutError:
        raise UnauthenticatedError("TOKEN_EXPIRED", "the access token has expired") from None
