"""A connection that closes during the delivery of an event does not affect the others."""

from __future__ import annotations

from parley.chat.v1 import event_pb2
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from gateway.connections.hub import Hub
from tests.unit.gateway.fixtures import RecordingConnection, identity, native_wire_format, new_hub


class FullConnection(RecordingConnection):
    """A connection that closes at the first write."""

    hub: Hub

    def write(self, data: bytes) -> None:
        """Closes, as a polling connection of Socket.IO does when its queue is full."""
        self.hub.remove(self)


class Room:
    """Ann and Bob, each with a connection that closes itself and then a good one."""

    def __init__(self) -> None:
        self.hub = new_hub()
        wire_format = native_wire_format()
        self.good = []
        for user_id in ("ann", "bob"):
            full, good = (kind(wire_format, identity(user_id)) for kind in (FullConnection, RecordingConnection))
            assert isinstance(full, FullConnection)
            full.hub = self.hub
            self.hub.add(full)
            self.hub.add(good)
            self.good.append(good)
        alone = FullConnection(wire_format, identity("carl"))
        alone.hub = self.hub
        self.hub.add(alone)

    def received(self) -> list[list[str]]:
        return [connection.events for connection in self.good]


def test_an_event_of_a_conversation_reaches_all_others() -> None:
    room = Room()
    event = event_pb2.Event(organization_id="acme", recipients=["ann", "bob", "carl"])
    event.receipt_updated.user_id = "bob"
    room.hub.deliver_chat([event])
    assert room.received() == [["receipt.updated"], ["receipt.updated"]]
    assert room.hub.count == 2


def test_a_notification_reaches_all_others() -> None:
    room = Room()
    updated = notify.NotificationUpdated(unread_count=3)
    room.hub.deliver_notify([notify.Event(organization_id="acme", user_id="ann", notification_updated=updated)])
    assert room.received() == [["notification.updated"], []]


def test_a_presence_reaches_all_others() -> None:
    room = Room()
    room.hub.deliver_presence([presence.Event(organization_id="acme", presence=presence.Presence(user_id="eve"))])
    assert room.received() == [["presence.updated"], ["presence.updated"]]
    assert room.hub.count == 2
