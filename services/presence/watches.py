"""Watches: streams on which users are told of some others' presence."""

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
from services.presence.domain import may_know
from services.presence.presences import Presences

MAX_WATCHES: Final = 10_000


class Watches:
    """Serves users' watches.

    Args:
        presences: says how users are now.
        delivery: what others were told.
    """

    def __init__(self, presences: Presences, delivery: Delivery) -> None:
        self._presences = presences
        self._delivery = delivery
        self._open = 0

    async def serve(self, viewer: Identity, user_ids: Sequence[str]) -> AsyncIterator[list[presence_pb2.Presence]]:
        """Serves one watch, for as long as the viewer's token is valid.

        Yields:
            The presence of everyone asked about, in the order asked for; then of whoever changed.

        Raises:
            ResourceExhaustedError: TOO_MANY_WATCHES or SUBSCRIBER_TOO_SLOW.
            UnauthenticatedError: TOKEN_EXPIRED.
            UnavailableError: SHUTTING_DOWN or STORE_UNAVAILABLE.
        """
        if self._open >= MAX_WATCHES:
            raise ResourceExhaustedError("TOO_MANY_WATCHES", "too many watch here", retry_after_ms=1_000)
        watched = frozenset(user_ids)
        outbox = SubscriberQueue(lambda event: event.presence.user_id in watched and _may_be_told(viewer, event))
        self._open += 1
        try:
            with self._delivery.delivering(outbox):
                self._delivery.add(outbox, viewer.organization_id)
                outbox.need_snapshot(viewer.organization_id)
                while await _before(viewer.expires_at, outbox):
                    async for presences in self._said(viewer, user_ids, outbox):
                        yield presences
        finally:
            self._open -= 1

    async def _said(
        self, viewer: Identity, user_ids: Sequence[str], outbox: SubscriberQueue
    ) -> AsyncIterator[list[presence_pb2.Presence]]:
        if events := outbox.take_events():
            others = [event.presence for event in events if event.presence.user_id != viewer.user_id]
            own = await self._seen(viewer, [viewer.user_id]) if len(others) < len(events) else []
            yield [*others, *own]
        organization_id = outbox.take_snapshot_due()
        if organization_id is not None:
            yield await self._seen(viewer, user_ids)
            outbox.snapshot_given(organization_id)

    async def _seen(self, viewer: Identity, user_ids: Sequence[str]) -> list[presence_pb2.Presence]:
        presences = await self._presences.get(viewer, user_ids)
        return [presence_message(user_id, seen) for user_id, seen in zip(user_ids, presences, strict=True)]


def _may_be_told(viewer: Identity, event: Event) -> bool:
    return may_know(viewer.user_id, viewer.role, event.presence.user_id, role_name(event.role))


async def _before(expires_at: float, outbox: SubscriberQueue) -> bool:
    """Waits until there is something to say; False at the end. Raises UnauthenticatedError at `expires_at`."""
    try:
        async with asyncio.timeout(expires_at - time.time()):
            return await outbox.wait()
    except TimeoutError:
        raise UnauthenticatedError("TOKEN_EXPIRED", "the access token has expired") from None
