"""The hub encodes an event once, and delivers it to its recipients only."""

from __future__ import annotations

import pytest
from parley.auth.v1.user_pb2 import ROLE_CLIENT, ROLE_SALES
from parley.chat.v1 import chat_pb2, event_pb2
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from gateway.connections.hub import TooManyConnectionsError
from tests.unit.gateway.fixtures import RecordingConnection, identity, native_wire_format, new_hub


class Room:
    """A hub and its connections."""

    def __init__(self) -> None:
        self.hub = new_hub()
        self.wire_format = native_wire_format()

    def join(
        self, user_id: str, *, ready: bool = True, organization_id: str = "acme", role: str = "sales"
    ) -> RecordingConnection:
        who = identity(user_id, organization_id=organization_id, role=role)
        connection = RecordingConnection(self.wire_format, who, ready=ready)
        self.hub.add(connection)
        return connection


@pytest.fixture
def room() -> Room:
    return Room()


def created(*recipients: str, origin: str = "") -> event_pb2.Event:
    message = chat_pb2.Message(message_id="m", kind=chat_pb2.MESSAGE_KIND_TEXT)
    return event_pb2.Event(
        organization_id="acme",
        recipients=recipients,
        origin=origin,
        message_created=event_pb2.MessageCreated(message=message),
    )


def test_a_message_reaches_every_connection_of_its_recipients_but_the_one_that_sent_it(room: Room) -> None:
    ann, anns_other, bob, eve = room.join("ann"), room.join("ann"), room.join("bob"), room.join("eve")
    room.hub.deliver_chat([created("ann", "bob", "gone", origin=ann.session.connection_id)])
    assert [len(connection.frames) for connection in (ann, anns_other, bob, eve)] == [0, 1, 1, 0]


def test_the_origin_gets_every_other_event(room: Room) -> None:
    ann = room.join("ann")
    event = event_pb2.Event(organization_id="acme", recipients=["ann"], origin=ann.session.connection_id)
    event.receipt_updated.user_id = "ann"
    room.hub.deliver_chat([event])
    assert ann.events == ["receipt.updated"]


def test_an_event_is_encoded_once_for_all(room: Room) -> None:
    connections = [room.join(f"user-{n}") for n in range(5)]
    room.hub.deliver_chat([created(*(f"user-{n}" for n in range(5)))])
    assert len({id(connection.written[0]) for connection in connections}) == 1


def test_members_get_their_own_views_of_a_conversation(room: Room) -> None:
    ann, bob = room.join("ann"), room.join("bob")
    event = event_pb2.Event(organization_id="acme", recipients=["ann", "bob"])
    event.conversation_created.conversation.seq = 4
    event.conversation_created.views.add(user_id="ann", read_seq=4)
    event.conversation_created.views.add(user_id="bob", read_seq=1)
    room.hub.deliver_chat([event])
    unread = [one.frames[0]["body"]["conversation"]["unreadCount"] for one in (ann, bob)]
    assert unread == [0, 3]


def test_typing_is_sent_to_the_others(room: Room) -> None:
    ann, bob = room.join("ann"), room.join("bob")
    event = event_pb2.Event(organization_id="acme", recipients=["ann", "bob"])
    event.typing_updated.user_id = "ann"
    room.hub.deliver_chat([event])
    assert (ann.events, bob.events) == ([], ["typing.updated"])


def test_users_of_another_organization_with_the_same_id_get_nothing(room: Room) -> None:
    other = room.join("ann", organization_id="other")
    room.hub.deliver_chat([created("ann")])
    room.hub.deliver_notify(
        [notify.Event(organization_id="acme", user_id="ann", notification_updated=notify.NotificationUpdated())]
    )
    room.hub.deliver_presence([presence.Event(organization_id="acme", presence=presence.Presence(user_id="ann"))])
    assert other.written == []


def test_a_connection_that_is_not_ready_gets_no_events(room: Room) -> None:
    ann = room.join("ann", ready=False)
    room.hub.deliver_chat([created("ann")])
    room.hub.deliver_notify(
        [notify.Event(organization_id="acme", user_id="ann", notification_updated=notify.NotificationUpdated())]
    )
    room.hub.deliver_presence([presence.Event(organization_id="acme", presence=presence.Presence(user_id="bob"))])
    assert ann.written == []


def test_notifications_reach_their_user_alone(room: Room) -> None:
    ann, bob = room.join("ann"), room.join("bob")
    room.hub.deliver_notify(
        [
            notify.Event(
                organization_id="acme", user_id="ann", notification_updated=notify.NotificationUpdated(unread_count=3)
            )
        ]
    )
    assert (ann.events, bob.events) == (["notification.updated"], [])


def test_clients_do_not_see_the_presence_of_other_clients(room: Room) -> None:
    staff = room.join("ann")
    client, other_client = room.join("cleo", role="client"), room.join("carl", role="client")
    about_client = presence.Event(organization_id="acme", presence=presence.Presence(user_id="cleo"), role=ROLE_CLIENT)
    about_staff = presence.Event(organization_id="acme", presence=presence.Presence(user_id="ann"), role=ROLE_SALES)
    room.hub.deliver_presence([about_client, about_staff])
    users_seen = [[frame["body"]["userId"] for frame in one.frames] for one in (staff, client, other_client)]
    assert users_seen == [["cleo", "ann"], ["cleo", "ann"], ["ann"]]


def test_the_first_and_the_last_connection_of_a_user_are_noticed() -> None:
    hub, wire_format = new_hub(), native_wire_format()
    first, second = RecordingConnection(wire_format), RecordingConnection(wire_format)
    assert hub.add(first)
    assert not hub.add(second)
    assert hub.count == 2
    assert not hub.remove(first)
    assert hub.remove(second)
    assert hub.count == 0
    assert list(hub) == []


def test_a_user_has_no_more_connections_than_permitted(room: Room) -> None:
    for _ in range(3):
        room.join("ann")
    with pytest.raises(TooManyConnectionsError):
        room.join("ann")
    room.join("bob")
    assert room.hub.count == 4


class EventsForBob:
    """Events of one conversation with Bob as their recipient."""

    def __init__(self) -> None:
        self.receipt, self.typing, self.removed, self.added = [
            event_pb2.Event(organization_id="acme", recipients=["bob"]) for _ in range(4)
        ]
        self.receipt.receipt_updated.conversation_id = "c"
        self.typing.typing_updated.conversation_id = "c"
        self.removed.member_removed.conversation_id = "c"
        self.removed.member_removed.member.user_id = "bob"
        self.added.conversation_created.conversation.conversation_id = "c"


def test_who_was_removed_hears_no_receipt_of_the_conversation_until_it_is_theirs_again(room: Room) -> None:
    bob, of = room.join("bob"), EventsForBob()
    elsewhere = event_pb2.Event(organization_id="acme", recipients=["bob"])
    elsewhere.receipt_updated.conversation_id = "another"
    room.hub.deliver_chat([of.receipt, of.removed, of.receipt, of.typing, elsewhere, of.added, of.receipt, of.typing])
    expected = ["receipt.updated", "member.removed", "receipt.updated", "conversation.created"]
    assert bob.events == [*expected, "receipt.updated", "typing.updated"]


@pytest.mark.parametrize("stays", [True, False])
def test_a_removed_member_who_reconnects_may_be_a_member_again(room: Room, *, stays: bool) -> None:
    """The event that added them again may have happened while they were not connected to this gateway."""
    first, of = room.join("bob"), EventsForBob()
    room.hub.deliver_chat([of.removed])
    if not stays:
        room.hub.remove(first)
    again = room.join("bob")
    room.hub.deliver_chat([of.receipt])
    assert again.events == ["receipt.updated"]


def test_removals_are_not_kept_of_those_who_are_gone_or_never_came(room: Room) -> None:
    ann, bob, of = room.join("ann"), room.join("bob"), EventsForBob()
    room.hub.deliver_chat([of.removed])
    room.hub.remove(bob)
    room.hub.deliver_chat([of.removed])
    assert not room.hub._removed_members._of_user
    assert ann.events == []
