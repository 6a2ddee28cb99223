"""The connections of this gateway by user, and the delivery of events to them.

An event is encoded once for each wire format and written to every connection that receives it; nothing is awaited. A
connection receives no events before it is ready. A write may close a connection, which removes it from the hub: so
loops over connections iterate over copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.chat_pb2 import Message
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from gateway.connections.connection import Connection
from gateway.connections.delivery_queue import DeliveryQueue
from gateway.connections.event_delivery import EventDelivery
from gateway.connections.presence_delivery import PresenceDelivery
from gateway.connections.removed_members import RemovedMembers
from gateway.dialects.base import EncodedEvent, WireFormat
from gateway.sessions.session import Session
from gateway.upstream.presence_cache import PresenceCache

CONFIRMED_RECIPIENTS: Final = 20


class TooManyConnectionsError(Exception):
    """The user has the maximum number of connections to this gateway."""


class Hub:
    """The connections of this gateway, by user.

    Args:
        connections_per_user: the most connections of one user.
        presence_cache: tracks the presence of the connected organizations.
        delivery_queue: delivers events whose encoding needs a lookup.
        confirm_delivery: sends the delivery receipt of a message, for front-ends that send none.
    """

    def __init__(
        self,
        connections_per_user: int,
        presence_cache: PresenceCache,
        delivery_queue: DeliveryQueue,
        confirm_delivery: Callable[[Session, Message], None],
    ) -> None:
        self._connections_per_user = connections_per_user
        self._presence_cache = presence_cache
        self._delivery_queue = delivery_queue
        self._confirm_delivery = confirm_delivery
        self._organizations: dict[str, dict[str, list[Connection]]] = {}
        self._presence_delivery = PresenceDelivery(presence_cache, delivery_queue, self._organizations)
        self._removed_members = RemovedMembers()
        self.count = 0

    def __iter__(self) -> Iterator[Connection]:
        for users in self._organizations.values():
            for connections in users.values():
                yield from connections

    def add(self, connection: Connection) -> bool:
        """Adds a connection; returns whether it is its user's first. Raises TooManyConnectionsError."""
        identity = connection.session.identity
        if identity.organization_id not in self._organizations:
            self._presence_cache.track(identity.organization_id)
        users = self._organizations.setdefault(identity.organization_id, {})
        connections = users.setdefault(identity.user_id, [])
        if len(connections) >= self._connections_per_user:
            raise TooManyConnectionsError
        connections.append(connection)
        self.count += 1
        self._removed_members.forget(identity.organization_id, identity.user_id)
        return len(connections) == 1

    def remove(self, connection: Connection) -> bool:
        """Removes a connection that was added; returns whether it was its user's last."""
        identity = connection.session.identity
        users = self._organizations[identity.organization_id]
        connections = users[identity.user_id]
        connections.remove(connection)
        self.count -= 1
        if connections:
            return False
        self._removed_members.forget(identity.organization_id, identity.user_id)
        del users[identity.user_id]
        if not users:
            del self._organizations[identity.organization_id]
            self._presence_cache.forget(identity.organization_id)
            self._presence_delivery.forget(identity.organization_id)
        return True

    def of_user(self, organization_id: str, user_id: str) -> tuple[Connection, ...]:
        """Returns a user's connections."""
        return tuple(self._organizations.get(organization_id, {}).get(user_id, ()))

    def deliver_chat(self, events: Iterable[chat.Event]) -> None:
        """Delivers events of conversations to their recipients.

        A new message is not sent to the connection it came from, which gets a reply instead, unless that connection
        has a legacy dialect. A typing signal is not sent to the user who types.
        """
        for event in events:
            users = self._organizations.get(event.organization_id)
            if users is None:
                continue
            kind = event.WhichOneof("payload")
            message = event.message_created.message if kind == "message_created" else None
            origin = event.origin
            typist = event.typing_updated.user_id if kind == "typing_updated" else ""
            delivery = self._delivery(lambda wire_format, event=event: wire_format.dialect.chat_event(event))  # type: ignore[misc]
            for user_id in self._removed_members.recipients(event, kind, users):
                if user_id != typist:
                    for connection in tuple(users.get(user_id, ())):
                        session = connection.session
                        if session.ready and (message is None or _receives(connection, message, origin)):
                            delivery.send(connection)
            if message is not None:
                self._confirm_deliveries(event, message, users)

    def _confirm_deliveries(
        self, event: chat.Event, message: Message, users: Mapping[str, Sequence[Connection]]
    ) -> None:
        """Confirms delivery to users of legacy dialects; not in large groups, where each message has many receipts."""
        if len(event.recipients) > CONFIRMED_RECIPIENTS:
            return
        for user_id in event.recipients:
            if user_id != message.sender_id:
                for connection in users.get(user_id, ()):
                    if connection.session.ready and connection.wire_format.dialect.is_legacy:
                        self._confirm_delivery(connection.session, message)
                        break

    def deliver_notify(self, events: Iterable[notify.Event]) -> None:
        """Delivers events of users' notifications."""
        for event in events:
            delivery = self._delivery(lambda wire_format, event=event: wire_format.dialect.notify_event(event))  # type: ignore[misc]
            for connection in self.of_user(event.organization_id, event.user_id):
                if connection.session.ready:
                    delivery.send(connection)

    def deliver_presence(self, events: Iterable[presence.Event]) -> None:
        """Delivers changes of presence to all users of the organization who may see them."""
        self._presence_delivery.deliver(events)

    def _delivery(self, encode: Callable[[WireFormat], EncodedEvent]) -> EventDelivery:
        return EventDelivery(encode, self._delivery_queue)


def _receives(connection: Connection, message: Message, origin: str) -> bool:
    """Returns whether a connection receives a new message; `origin` is the connection that sent it."""
    session = connection.session
    if connection.wire_format.dialect.is_legacy:
        return session.is_first_delivery(message)
    return session.connection_id != origin
