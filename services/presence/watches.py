"""Watches: streams of the presence of some users, for one user."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from parley.presence.v1 import presence_pb2
from parley.presence.v1.presence_pb2 import Event

from chassis.errors import ResourceExhaustedError, UnauthenticatedError
from chassis.identity import Identity
from services.presence.convert import presence_message, role_name
from services.presence.delivery import Delivery, SubscriberQueue
from services.presence.domain import can_see
from services.presence.presences import Presences

MAX_WATCHES: Final = 10_000
MAX_WATCHES_OF_ORGANIZATION: Final = 2_000
MAX_WATCHES_OF_USER: Final = 20
_RETRY_MS: Final = 1_000

K = TypeVar("K", bound=Hashable)


class Watches:
    """Serves users' watches.

    Args:
        presences: reads the current presence.
        delivery: delivers the published events.
    """

    def __init__(self, presences: Presences, delivery: Delivery) -> None:
        self._presences = presences
        self._delivery = delivery
        self._open = _OpenWatches()

    async def serve(
        self, viewer: Identity, user_ids: Sequence[str]
    ) -> AsyncGenerator[list[presence_pb2.Presence], None]:
        """Serves one watch, for as long as the viewer's token is valid.

        Yields:
            The presence of all watched users, in the order of `user_ids`; then of users whose presence changed.

        Raises:
            ResourceExhaustedError: TOO_MANY_WATCHES, with the limit that is reached, or SUBSCRIBER_TOO_SLOW.
            UnauthenticatedError: TOKEN_EXPIRED.
            UnavailableError: SHUTTING_DOWN or STORE_UNAVAILABLE.
        """
        watched = frozenset(user_ids)
        queue = SubscriberQueue(lambda event: event.presence.user_id in watched and _is_visible(viewer, event))
        with self._open.counting(viewer), self._delivery.delivering(queue):
            self._delivery.add(queue, viewer.organization_id)
            queue.request_snapshot(viewer.organization_id)
            while await _wait_before(viewer.expires_at, queue):
                async for presences in self._updates(viewer, user_ids, queue):
                    yield presences

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


class _OpenWatches:
    """Counts the open watches of this process: in all, by organization, and by user.

    One user can't take those of an organization, nor one organization those of the others.
    """

    def __init__(self) -> None:
        self._by_organization: Counter[str] = Counter()
        self._by_user: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def counting(self, viewer: Identity) -> Iterator[None]:
        """Counts a watch while the context is open. Raises ResourceExhaustedError (TOO_MANY_WATCHES) at a limit."""
        organization_id, user = viewer.organization_id, (viewer.organization_id, viewer.user_id)
        for name, count, limit in (
            ("user", self._by_user[user], MAX_WATCHES_OF_USER),
            ("organization", self._by_organization[organization_id], MAX_WATCHES_OF_ORGANIZATION),
            ("replica", self._by_organization.total(), MAX_WATCHES),
        ):
            if count >= limit:
                raise ResourceExhaustedError(
                    "TOO_MANY_WATCHES", f"this {name} has {limit} open watches, the most", retry_after_ms=_RETRY_MS
                )
        self._by_organization[organization_id] += 1
        self._by_user[user] += 1
        try:
            yield
        finally:
            _decrement(self._by_organization, organization_id)
            _decrement(self._by_user, user)


def _decrement(counter: Counter[K], key: K) -> None:
    """Counts one down, and forgets a key at 0."""
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def _is_visible(viewer: Identity, event: Event) -> bool:
    return can_see(viewer.user_id, viewer.role, event.presence.user_id, role_name(event.role))


async def _wait_before(expires_at: float, queue: SubscriberQueue) -> bool:
    """Waits for something to send; returns False at the end. Raises UnauthenticatedError at `expires_at`."""
    try:
        async with asyncio.timeout(expires_at - time.time()):
            return await queue.wait()
    except TimeoutError:
        raise UnauthenticatedError("TOKEN_EXPIRED", "the access token has expired") from None
