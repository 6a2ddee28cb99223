"""Which connections each user has on this gateway, and the way of events to them.

An event is encoded once for each front and written to every connection that wants it; nothing is awaited. A
connection that is not ready yet gets none: it has promised its client nothing so far. A connection may close while it
is written to, and so leave the hub: those who are told are listed before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from parley.chat.v1 import event_pb2 as chat
from parley.chat.v1.chat_pb2 import Message
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.errors import AppError
from gateway.connections.delivery_queue import DeliveryQueue
from gateway.connections.removed_members import Removals
from gateway.dialects.base import EncodedEvent, Payloads, WireFormat
from gateway.sessions.session import Session
from gateway.upstream.presence_cache import PresenceCache, is_hidden_from

CONFIRMED_RECIPIENTS: Final = 20


class Connection(Protocol):
    """One open connection, whatever its transport."""

    @property
    def session(self) -> Session:
        """Its state."""

    @property
    def wire_format(self) -> WireFormat:
        """The dialect and transport that it speaks."""

    def write(self, data: bytes) -> None:
        """Sends framed data, soon and in order; does nothing with none, and once the connection is closing.

        A connection whose client reads too slowly closes itself.
        """

    def close(self, code: int, reason: str) -> None:
        """Sends what was written, then closes; does nothing once the connection is closing."""


class TooManyConnectionsError(Exception):
    """The user has as many connections here as one may have."""


class Hub:
    """The connections of this gateway, by user.

    Args:
        connections_per_user: how many a user may have.
        presence_cache: who is here.
        delivery_queue: where events wait that take a lookup.
        confirm: notes that a message has reached a user's connection, where the front-end has no word for that.
    """

    def __init__(
        self,
        connections_per_user: int,
        presence_cache: PresenceCache,
        delivery_queue: DeliveryQueue,
        confirm: Callable[[Session, Message], None],
    ) -> None:
        self._connections_per_user = connections_per_user
        self._presence_cache = presence_cache
        self._delivery_queue = delivery_queue
        self._confirm = confirm
        self._organizations: dict[str, dict[str, list[Connection]]] = {}
        self._removals = Removals()
        self.count = 0

    def __iter__(self) -> Iterator[Connection]:
        for users in self._organizations.values():
            for connections in users.values():
                yield from connections

    def add(self, connection: Connection) -> bool:
        """Adds a connection; says whether it is its user's first. Raises TooManyConnectionsError."""
        identity = connection.session.identity
        if identity.organization_id not in self._organizations:
            self._presence_cache.forget(identity.organization_id)  # somebody who is gone may have asked since
        users = self._organizations.setdefault(identity.organization_id, {})
        connections = users.setdefault(identity.user_id, [])
        if len(connections) >= self._connections_per_user:
            raise TooManyConnectionsError
        connections.append(connection)
        self.count += 1
        self._removals.forget(identity.organization_id, identity.user_id)
        return len(connections) == 1

    def remove(self, connection: Connection) -> bool:
        """Removes a connection that was added; says whether it was its user's last."""
        identity = connection.session.identity
        users = self._organizations[identity.organization_id]
        connections = users[identity.user_id]
        connections.remove(connection)
        self.count -= 1
        if connections:
            return False
        self._removals.forget(identity.organization_id, identity.user_id)
        del users[identity.user_id]
        if not users:
            del self._organizations[identity.organization_id]
            self._presence_cache.forget(identity.organization_id)
        return True

    def of_user(self, organization_id: str, user_id: str) -> tuple[Connection, ...]:
        """A user's connections."""
        return tuple(self._organizations.get(organization_id, {}).get(user_id, ()))

    def deliver_chat(self, events: Iterable[chat.Event]) -> None:
        """Delivers events of conversations to their recipients.

        A new message is left out on the connection that sent it, which gets a reply instead, unless its dialect wants
        both; typing is left out for the one who types.
        """
        for event in events:
            users = self._organizations.get(event.organization_id)
            if users is None:
                continue
            kind = event.WhichOneof("payload")
            message = event.message_created.message if kind == "message_created" else None
            origin = event.origin
            typist = event.typing_updated.user_id if kind == "typing_updated" else ""
            telling = self._telling(lambda wire_format, event=event: wire_format.dialect.chat_event(event))  # type: ignore[misc]
            for user_id in self._removals.to_tell(event, kind, users):
                if user_id != typist:
                    for connection in tuple(users.get(user_id, ())):
                        session = connection.session
                        if session.ready and (message is None or _is_news(message, origin, connection)):
                            telling.tell(connection)
            if message is not None:
                self._confirm_delivery(event, message, users)

    def _confirm_delivery(self, event: chat.Event, message: Message, users: Mapping[str, Sequence[Connection]]) -> None:
        """Has it noted whom a message has reached; in large groups nobody asks, and it would be a note for each."""
        if len(event.recipients) > CONFIRMED_RECIPIENTS:
            return
        for user_id in event.recipients:
            if user_id != message.sender_id:
                for connection in users.get(user_id, ()):
                    if connection.session.ready and connection.wire_format.dialect.is_legacy:
                        self._confirm(connection.session, message)
                        break

    def deliver_notify(self, events: Iterable[notify.Event]) -> None:
        """Delivers events of users' notifications."""
        for event in events:
            telling = self._telling(lambda wire_format, event=event: wire_format.dialect.notify_event(event))  # type: ignore[misc]
            for connection in self.of_user(event.organization_id, event.user_id):
                if connection.session.ready:
                    telling.tell(connection)

    def deliver_presence(self, events: Iterable[presence.Event]) -> None:
        """Delivers changes of presence to everyone in the organization; clients are not told of other clients."""
        for event in events:
            users = self._organizations.get(event.organization_id)
            if users is None:
                continue
            came_or_went = self._presence_cache.apply(event)
            telling = self._telling(
                lambda wire_format, event=event, moved=came_or_went: wire_format.dialect.presence_event(event, moved)  # type: ignore[misc]
            )
            for connections in tuple(users.values()):
                for connection in tuple(connections):
                    session = connection.session
                    if session.ready and not is_hidden_from(session.identity, event):
                        telling.tell(connection)

    def presence_complete(self, organization_ids: Iterable[str]) -> None:
        """Notes of which organizations everybody who is present has been delivered."""
        self._presence_cache.mark_synced(one for one in organization_ids if one in self._organizations)

    def _telling(self, encode: Callable[[WireFormat], EncodedEvent]) -> EventDelivery:
        return EventDelivery(encode, self._delivery_queue)


class EventDelivery:
    """One event on its way to connections: encoded once for each front, and only where one wants it."""

    __slots__ = ("_delivery_queue", "_encode", "_spoken")

    def __init__(self, encode: Callable[[WireFormat], EncodedEvent], delivery_queue: DeliveryQueue) -> None:
        self._encode = encode
        self._delivery_queue = delivery_queue
        self._spoken: dict[WireFormat, tuple[EncodedEvent, bytes]] = {}

    def tell(self, connection: Connection) -> None:
        """Writes the event to a connection."""
        wire_format = connection.wire_format
        spoken = self._spoken.get(wire_format)
        if spoken is None:
            speech = self._encode(wire_format)
            spoken = self._spoken[wire_format] = (speech, b"" if callable(speech) else wire_format.frames(speech))
        speech, frames = spoken
        if callable(speech):
            self._delivery_queue.tell(connection, speech(connection.session))
        elif connection in self._delivery_queue.waiting:
            self._delivery_queue.tell(connection, speech)
        else:
            connection.write(frames)


def _is_news(message: Message, origin: str, connection: Connection) -> bool:
    """Whether a connection is to be told of a message: it may have sent it, or have heard of it before."""
    session = connection.session
    return session.is_news(message) if connection.wire_format.dialect.is_legacy else session.session_id != origin


def send(connection: Connection, payloads: Payloads) -> None:
    """Sends payloads of its dialect to one connection."""
    if payloads:
        connection.write(connection.wire_format.frames(payloads))


def send_error(connection: Connection, reference: object, error: AppError) -> None:
    """Answers one request with an error."""
    send(connection, connection.wire_format.dialect.failed(reference, error))
