"""The presence of all users in the organizations that have a connection to this gateway.

Presence sends an organization's complete state after its first connection, and every change from then on. So lists of
online users need no call.
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
    """Returns whether a user is online, which includes away and do-not-disturb."""
    return presence.status != PRESENCE_STATUS_OFFLINE


class _Organization:
    """The presence of one organization.

    Attributes:
        online: the latest event of each online user.
        synced: set once presence has sent the complete state.
        waiting: callbacks for then, in order.
    """

    __slots__ = ("online", "synced", "waiting")

    def __init__(self) -> None:
        self.online: dict[str, Event] = {}
        self.synced = asyncio.Event()
        self.waiting: dict[Callable[[], None], None] = {}


class PresenceCache:
    """The presence of the users of all tracked organizations; for any other organization nothing is kept."""

    def __init__(self) -> None:
        self._organizations: dict[str, _Organization] = {}

    def track(self, organization_id: str) -> None:
        """Starts to keep an organization's presence: its first connection opened."""
        self._organizations[organization_id] = _Organization()

    def forget(self, organization_id: str) -> None:
        """Drops an organization's presence: its last connection closed, and presence sends no more changes of it."""
        self._organizations.pop(organization_id, None)

    def apply(self, event: Event) -> bool:
        """Applies a change of presence; returns whether the user came online or went offline by it.

        False while the organization is not synced: its users may have been online before.
        """
        organization = self._organizations.get(event.organization_id)
        if organization is None:
            return False
        user_id = event.presence.user_id
        was_online = user_id in organization.online
        if is_online(event.presence):
            organization.online[user_id] = event
            return organization.synced.is_set() and not was_online
        organization.online.pop(user_id, None)
        return organization.synced.is_set() and was_online

    def latest(self, organization_id: str, user_id: str) -> Event | None:
        """Returns the latest event of an online user; None for any other."""
        organization = self._organizations.get(organization_id)
        return organization.online.get(user_id) if organization is not None else None

    def mark_synced(self, organization_ids: Iterable[str]) -> None:
        """Marks organizations as synced: presence has sent their complete state."""
        for organization_id in organization_ids:
            organization = self._organizations.get(organization_id)
            if organization is not None:
                organization.synced.set()
                waiting, organization.waiting = organization.waiting, {}
                for callback in waiting:
                    callback()

    def when_synced(self, organization_id: str, callback: Callable[[], None]) -> None:
        """Calls `callback` once a tracked organization is synced; at once if it is."""
        organization = self._organizations.get(organization_id)
        if organization is None:
            return
        if organization.synced.is_set():
            callback()
        else:
            organization.waiting[callback] = None

    def cancel_wait(self, organization_id: str, callback: Callable[[], None]) -> None:
        """Cancels a callback of `when_synced`."""
        organization = self._organizations.get(organization_id)
        if organization is not None:
            organization.waiting.pop(callback, None)

    async def wait_synced(self, organization_id: str) -> None:
        """Waits until an organization is synced, for at most 2 s; then takes it as synced.

        Users whom presence reports after that count as having come online now. Does not wait for an organization that
        is not tracked.
        """
        organization = self._organizations.get(organization_id)
        if organization is None:
            return
        try:
            async with asyncio.timeout(SYNC_TIMEOUT_SECONDS):
                await organization.synced.wait()
        except TimeoutError:
            if self._organizations.get(organization_id) is organization:
                self.mark_synced([organization_id])

    def online(self, identity: Identity) -> Iterator[Event]:
        """Returns the online users whose presence a user may see."""
        organization = self._organizations.get(identity.organization_id)
        if organization is not None:
            for event in organization.online.values():
                if not is_hidden_from(identity, event):
                    yield event


def is_hidden_from(identity: Identity, event: Event) -> bool:
    """Returns whether a user may not see an event: clients do not see the presence of other clients."""
    return event.role == ROLE_CLIENT and identity.role == CLIENT and identity.user_id != event.presence.user_id
