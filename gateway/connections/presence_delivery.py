"""The delivery of presence to the connections of an organization.

A change concerns every connection that may see it. So where many users of an organization are connected, changes are
gathered for a second: a connection then gets the latest state of each user, all in one write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from parley.auth.v1.user_pb2 import ROLE_CLIENT
from parley.presence.v1.presence_pb2 import Event

from gateway.connections.connection import Connection
from gateway.connections.delivery_queue import DeliveryQueue
from gateway.connections.event_delivery import EventDelivery
from gateway.dialects.base import WireFormat
from gateway.upstream.presence_cache import CLIENT, PresenceCache, is_hidden_from, is_online

Users = Mapping[str, Sequence[Connection]]

IMMEDIATE_USERS: Final = 200  # with up to this many connected users of an organization, nothing is gathered
GATHER_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Change:
    """A user's change since the last delivery.

    Attributes:
        before: the user's event before it; None if the user was offline.
        event: the latest event.
        moved: whether the user came online or went offline meanwhile.
    """

    before: Event | None
    event: Event
    moved: bool

    @property
    def came_or_went(self) -> bool:
        """Whether the user is online now and was offline before, or the other way round."""
        return self.moved and (self.before is not None) != is_online(self.event.presence)


class PresenceDelivery:
    """Delivers changes of presence.

    Args:
        presence_cache: tracks the presence of the connected organizations; it gets every change at once.
        delivery_queue: delivers events whose encoding needs a lookup.
        organizations: the connections by organization and user.
    """

    def __init__(
        self, presence_cache: PresenceCache, delivery_queue: DeliveryQueue, organizations: Mapping[str, Users]
    ) -> None:
        self._presence_cache = presence_cache
        self._delivery_queue = delivery_queue
        self._organizations = organizations
        self._gathered: dict[str, dict[str, _Change]] = {}

    def deliver(self, events: Iterable[Event]) -> None:
        """Delivers changes to all users of their organizations who may see them."""
        for event in events:
            users = self._organizations.get(event.organization_id)
            if users is None:
                continue
            if event.organization_id in self._gathered or len(users) > IMMEDIATE_USERS:
                self._gather(event)
            else:
                self._send(users, [(event, self._presence_cache.apply(event))])

    def forget(self, organization_id: str) -> None:
        """Drops an organization's gathered changes: its last connection closed."""
        self._gathered.pop(organization_id, None)

    def _gather(self, event: Event) -> None:
        organization_id, user_id = event.organization_id, event.presence.user_id
        changes = self._gathered.get(organization_id)
        if changes is None:
            changes = self._gathered[organization_id] = {}
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._flush, organization_id, changes)
        before = self._presence_cache.latest(organization_id, user_id)
        moved = self._presence_cache.apply(event)
        change = changes.setdefault(user_id, _Change(before, event, moved))
        change.event = event
        change.moved = change.moved or moved

    def _flush(self, organization_id: str, changes: Mapping[str, _Change]) -> None:
        if self._gathered.get(organization_id) is not changes:
            return  # the organization was forgotten, and may be connected again
        del self._gathered[organization_id]
        self._send(
            self._organizations[organization_id],
            [(change.event, change.came_or_went) for change in changes.values() if change.event != change.before],
        )

    def _send(self, users: Users, changes: Iterable[tuple[Event, bool]]) -> None:
        deliveries = [(event, self._delivery(event, came_or_went)) for event, came_or_went in changes]
        all_events = _Events([delivery for _, delivery in deliveries])
        staff_events = _Events([delivery for event, delivery in deliveries if event.role != ROLE_CLIENT])
        changed = {event.presence.user_id for event, _ in deliveries}
        for connection in _ready(users):
            identity = connection.session.identity
            if identity.role != CLIENT:
                events = all_events
            elif identity.user_id not in changed:
                events = staff_events
            else:
                events = _Events([delivery for event, delivery in deliveries if not is_hidden_from(identity, event)])
            if connection in self._delivery_queue.waiting or (frames := events.frames(connection.wire_format)) is None:
                for delivery in events.deliveries:
                    delivery.send(connection)
            else:
                connection.write(frames)

    def _delivery(self, event: Event, came_or_went: bool) -> EventDelivery:
        return EventDelivery(
            lambda wire_format: wire_format.dialect.presence_event(event, came_or_went), self._delivery_queue
        )


class _Events:
    """Events that the same connections receive; their frames are joined once for each wire format."""

    def __init__(self, deliveries: Sequence[EventDelivery]) -> None:
        self.deliveries = deliveries
        self._joined: dict[WireFormat, bytes | None] = {}

    def frames(self, wire_format: WireFormat) -> bytes | None:
        """Returns the frames of all events; None if some differ between sessions."""
        if wire_format not in self._joined:
            parts = [delivery.frames(wire_format) for delivery in self.deliveries]
            self._joined[wire_format] = None if None in parts else b"".join(filter(None, parts))
        return self._joined[wire_format]


def _ready(users: Users) -> Iterator[Connection]:
    for connections in tuple(users.values()):
        for connection in tuple(connections):
            if connection.session.ready:
                yield connection
