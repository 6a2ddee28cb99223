"""The delivery of one event to many connections."""

from __future__ import annotations

from collections.abc import Callable

from gateway.connections.connection import Connection
from gateway.connections.delivery_queue import DeliveryQueue
from gateway.dialects.base import EncodedEvent, WireFormat


class EventDelivery:
    """The delivery of one event: encodes it once for each wire format, and only if a connection receives it."""

    __slots__ = ("_delivery_queue", "_encode", "_encoded")

    def __init__(self, encode: Callable[[WireFormat], EncodedEvent], delivery_queue: DeliveryQueue) -> None:
        self._encode = encode
        self._delivery_queue = delivery_queue
        self._encoded: dict[WireFormat, tuple[EncodedEvent, bytes]] = {}

    def frames(self, wire_format: WireFormat) -> bytes | None:
        """Returns the frames of the event; None if they differ between sessions."""
        event, frames = self._encoded_for(wire_format)
        return None if callable(event) else frames

    def send(self, connection: Connection) -> None:
        """Sends the event to a connection."""
        event, frames = self._encoded_for(connection.wire_format)
        if callable(event):
            self._delivery_queue.deliver(connection, event(connection.session))
        elif connection in self._delivery_queue.waiting:
            self._delivery_queue.deliver(connection, event)
        else:
            connection.write(frames)

    def _encoded_for(self, wire_format: WireFormat) -> tuple[EncodedEvent, bytes]:
        encoded = self._encoded.get(wire_format)
        if encoded is None:
            event = self._encode(wire_format)
            encoded = self._encoded[wire_format] = (event, b"" if callable(event) else wire_format.frames(event))
        return encoded
