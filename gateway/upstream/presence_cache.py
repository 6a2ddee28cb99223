"""Who is here: the presence of everybody in the organizations that have a connection to this gateway.

Presence tells all of it when an organization's first connection comes, and every change from then on, so that lists
of who is online take no call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from parley.auth.v1.user_pb2 import ROLE_CLIENT
from parley.presence.v1.presence_pb2 import PRESENCE_STATUS_OFFLINE, Event, Presence

from chassis.identity import Identity

CLIENT: Final = "client"
SYNC_TIMEOUT_SECONDS: Final = 2.0


def is_online(presence: Presence) -> bool:
    """Whether a user is online in any way, such as away or not to be disturbed."""
    return presence.status != PRESENCE_STATUS_OFFLINE


class PresenceCache:
    """Who is here."""

    def __init__(self) -> None:
        self._organizations: dict[str, dict[str, Event]] = {}
        self._synced: dict[str, asyncio.Event] = {}
        self._waiting: dict[str, dict[Callable[[], None], None]] = {}

    def apply(self, event: Event) -> bool:
        """Takes what presence tells; says whether the user came or went by it, and was not only told of at last."""
        is_complete = self._of(event.organization_id).is_set()
        users = self._organizations.setdefault(event.organization_id, {})
        user_id = event.presence.user_id
        was_here = user_id in users
        if is_online(event.presence):
            users[user_id] = event
            return is_complete and not was_here
        users.pop(user_id, None)
        return is_complete and was_here

    def forget(self, organization_id: str) -> None:
        """Lets go of an organization whose last connection has gone: nothing is told of it any more."""
        self._organizations.pop(organization_id, None)
        self._synced.pop(organization_id, None)
        self._waiting.pop(organization_id, None)

    def mark_synced(self, organization_ids: Iterable[str]) -> None:
        """Notes that everybody who is present in some organizations has been told of."""
        for organization_id in organization_ids:
            self._of(organization_id).set()
            for then in self._waiting.pop(organization_id, {}):
                then()

    def when_synced(self, organization_id: str, then: Callable[[], None]) -> None:
        """Calls `then` once everybody who is present in an organization is known: at once, if they are."""
        if self._of(organization_id).is_set():
            then()
        else:
            self._waiting.setdefault(organization_id, {})[then] = None

    def cancel_wait(self, organization_id: str, then: Callable[[], None]) -> None:
        """Doesn't call `then` any more."""
        self._waiting.get(organization_id, {}).pop(then, None)

    async def wait_synced(self, organization_id: str) -> None:
        """Waits until everybody who is present in an organization is known.

        Not for long, if presence is away: whoever it tells of later has come then, as far as this gateway knows.
        """
        mark_synced = self._of(organization_id)
        try:
            async with asyncio.timeout(SYNC_TIMEOUT_SECONDS):
                await mark_synced.wait()
        except TimeoutError:
            self.mark_synced([organization_id])

    def _of(self, organization_id: str) -> asyncio.Event:
        return self._synced.setdefault(organization_id, asyncio.Event())

    def online(self, identity: Identity) -> Iterator[Event]:
        """Whoever is here, as far as a user may know: clients are not told of other clients."""
        for event in self._organizations.get(identity.organization_id, {}).values():
            if not is_hidden_from(identity, event):
                yield event


def is_hidden_from(identity: Identity, event: Event) -> bool:
    """Whether a user is not told of somebody's presence."""
    return event.role == ROLE_CLIENT and identity.role == CLIENT and identity.user_id != event.presence.user_id
