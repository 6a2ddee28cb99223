"""One event of every type that the services send to the gateway: a story of Ann, Bob and Carl, in order.

Ann writes to Bob directly, and to Bob and Carl in the room `support`. Bob's id is all digits. The events are listed by
the name of their field in the protos' oneof, with a word after it for types with several variants.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from parley.auth.v1.user_pb2 import ROLE_AGENT_L1
from parley.chat.v1 import chat_pb2, draft_pb2, event_pb2
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

ORGANIZATION: Final = "acme"
ANN: Final = "ann"
BOB: Final = "42"
CARL: Final = "carl"
DIRECT: Final = "direct-conversation-01"
ROOM: Final = "room-of-support-000001"
EVERYBODY: Final = (ANN, BOB, CARL)


def at(second: int) -> Timestamp:
    """Returns a time in the story."""
    return Timestamp(seconds=1_767_268_800 + second, nanos=123_456_789)


def direct_message(**fields: Any) -> chat_pb2.Message:
    """Returns Ann's message to Bob."""
    given: dict[str, Any] = {
        "message_id": "message-to-bob-0000001",
        "conversation_id": DIRECT,
        "seq": 1,
        "rev": 1,
        "sender_id": ANN,
        "client_message_id": "7001",
        "kind": chat_pb2.MESSAGE_KIND_TEXT,
        "text": "Hallo, Bob ☺",
        "create_time": at(1),
    }
    return chat_pb2.Message(**(given | fields))


def room_message() -> chat_pb2.Message:
    """Returns Ann's message in the room."""
    return chat_pb2.Message(
        message_id="message-to-room-000001",
        conversation_id=ROOM,
        seq=1,
        rev=3,
        sender_id=ANN,
        client_message_id="parley.made-by-the-gateway",
        kind=chat_pb2.MESSAGE_KIND_FILE,
        text="The plan",
        attachments=[
            chat_pb2.Attachment(
                url="https://files.example/plan.pdf",
                name="plan.pdf",
                content_type="application/pdf",
                size_bytes=1_234,
            )
        ],
        reply_to="message-to-room-000000",
        mentions=[BOB],
        create_time=at(2),
    )


def conversation() -> chat_pb2.Conversation:
    """Returns the room."""
    return chat_pb2.Conversation(
        conversation_id=ROOM,
        kind=chat_pb2.CONVERSATION_KIND_GROUP,
        name="Support",
        external_ref="1234",
        created_by=ANN,
        seq=1,
        rev=4,
        last_message=room_message(),
        last_activity_time=at(2),
        tags=["open"],
        members=[
            chat_pb2.Member(user_id=ANN, role=chat_pb2.MEMBER_ROLE_OWNER, read_seq=1, delivered_seq=1, read_time=at(2)),
            chat_pb2.Member(user_id=BOB, role=chat_pb2.MEMBER_ROLE_MEMBER),
            chat_pb2.Member(user_id=CARL, role=chat_pb2.MEMBER_ROLE_MEMBER, delivered_seq=1),
        ],
        member_count=3,
        create_time=at(0),
        update_time=at(2),
    )


def views() -> list[event_pb2.View]:
    """Returns each member's view of the room."""
    return [
        event_pb2.View(user_id=ANN, read_seq=1),
        event_pb2.View(user_id=BOB, read_seq=0, muted_until_time=at(60)),
        event_pb2.View(user_id=CARL, read_seq=0),
    ]


def _chat(*recipients: str, origin: str = "", **payload: Any) -> event_pb2.Event:
    return event_pb2.Event(organization_id=ORGANIZATION, recipients=recipients, origin=origin, **payload)


def _member(role: Any) -> dict[str, Any]:
    return {
        "conversation_id": ROOM,
        "member": chat_pb2.Member(user_id=CARL, role=role),
        "rev": 5,
        "actor_id": ANN,
    }


def _card() -> Struct:
    card = Struct()
    card.update({"name": "Carl"})  # only one: a Struct keeps no order
    return card


def chat_events(origin: str) -> dict[str, event_pb2.Event]:
    """Returns the events of conversations.

    Args:
        origin: the connection from which Ann sends.
    """
    in_room: dict[str, Any] = {"kind": chat_pb2.CONVERSATION_KIND_GROUP, "room": "support"}
    member = chat_pb2.MEMBER_ROLE_MEMBER
    return {
        "message_created": _chat(
            ANN,
            BOB,
            origin=origin,
            message_created=event_pb2.MessageCreated(
                message=direct_message(),
                sender_name="Ann",
                kind=chat_pb2.CONVERSATION_KIND_DIRECT,
                receiver_id=BOB,
            ),
        ),
        "message_created, in a room": _chat(
            *EVERYBODY,
            origin=origin,
            message_created=event_pb2.MessageCreated(
                message=room_message(), sender_name="Ann", conversation_name="Support", **in_room
            ),
        ),
        "message_updated": _chat(
            ANN,
            BOB,
            message_updated=event_pb2.MessageUpdated(message=direct_message(rev=2, text="Hi, Bob", edit_time=at(3))),
        ),
        "message_updated, by a reaction": _chat(
            ANN,
            BOB,
            message_updated=event_pb2.MessageUpdated(
                message=direct_message(rev=2, reactions=[chat_pb2.Reaction(emoji="👍", user_ids=[BOB, ANN])])
            ),
        ),
        "message_created, a contact": _chat(
            ANN,
            BOB,
            message_created=event_pb2.MessageCreated(
                message=direct_message(
                    text="", kind=chat_pb2.MESSAGE_KIND_CONTACT, data=_card(), message_id="a-card", seq=2
                ),
                sender_name="Ann",
                kind=chat_pb2.CONVERSATION_KIND_DIRECT,
                receiver_id=BOB,
            ),
        ),
        "receipt_updated, of a delivery": _chat(
            ANN,
            BOB,
            receipt_updated=event_pb2.ReceiptUpdated(
                conversation_id=DIRECT, user_id=BOB, delivered_seq=1, kind=chat_pb2.CONVERSATION_KIND_DIRECT
            ),
        ),
        "receipt_updated": _chat(
            ANN,
            BOB,
            receipt_updated=event_pb2.ReceiptUpdated(
                conversation_id=DIRECT,
                user_id=BOB,
                read_seq=1,
                delivered_seq=1,
                read_time=at(4),
                kind=chat_pb2.CONVERSATION_KIND_DIRECT,
            ),
        ),
        "receipt_updated, in a room": _chat(
            *EVERYBODY,
            receipt_updated=event_pb2.ReceiptUpdated(
                conversation_id=ROOM, user_id=CARL, read_seq=1, delivered_seq=1, read_time=at(5), **in_room
            ),
        ),
        "message_deleted": _chat(
            ANN,
            BOB,
            message_deleted=event_pb2.MessageDeleted(
                message=direct_message(rev=3, text="", edit_time=at(3), delete_time=at(6))
            ),
        ),
        "conversation_created": _chat(
            *EVERYBODY,
            conversation_created=event_pb2.ConversationCreated(conversation=conversation(), views=views()),
        ),
        "conversation_updated": _chat(
            *EVERYBODY,
            conversation_updated=event_pb2.ConversationUpdated(conversation=conversation(), views=views()),
        ),
        "member_added": _chat(
            *EVERYBODY,
            member_added=event_pb2.MemberAdded(**_member(member), conversation_name="Support"),
        ),
        "member_updated": _chat(
            *EVERYBODY, member_updated=event_pb2.MemberUpdated(**_member(chat_pb2.MEMBER_ROLE_ADMIN))
        ),
        "typing_updated": _chat(
            ANN,
            BOB,
            typing_updated=event_pb2.TypingUpdated(
                conversation_id=DIRECT, user_id=ANN, active=True, kind=chat_pb2.CONVERSATION_KIND_DIRECT, name="Ann"
            ),
        ),
        "typing_updated, to an end in a room": _chat(
            *EVERYBODY,
            typing_updated=event_pb2.TypingUpdated(conversation_id=ROOM, user_id=BOB, name="Bob", **in_room),
        ),
        "draft_updated": _chat(
            ANN,
            draft_updated=event_pb2.DraftUpdated(
                draft=draft_pb2.MessageDraft(conversation_id=DIRECT, text="Dear Bob", update_time=at(9))
            ),
        ),
        "member_removed": _chat(*EVERYBODY, member_removed=event_pb2.MemberRemoved(**_member(member))),
    }


def notify_events() -> dict[str, notify.Event]:
    """Returns the events of Bob's notifications."""
    made = notify.Notification(
        notification_id="notification-000000001",
        type=notify.NOTIFICATION_TYPE_LEAD_ASSIGNED,
        title="A lead",
        body="Call them",
        count=1,
        update_time=at(7),
    )
    made.data.update({"senderId": BOB})  # only one: a Struct keeps no order
    created = notify.NotificationCreated(notification=made, unread_count=2)
    made.read = True
    updated = notify.NotificationUpdated(notification=made, unread_count=1)
    return {
        "notification_created": notify.Event(organization_id=ORGANIZATION, user_id=BOB, notification_created=created),
        "notification_updated": notify.Event(organization_id=ORGANIZATION, user_id=BOB, notification_updated=updated),
        "notification_updated, all of them": notify.Event(
            organization_id=ORGANIZATION, user_id=BOB, notification_updated=notify.NotificationUpdated(unread_count=0)
        ),
    }


def _presence(status: Any, **fields: Any) -> presence.Event:
    seen = presence.Presence(user_id=BOB, status=status, **fields)
    return presence.Event(organization_id=ORGANIZATION, presence=seen, role=ROLE_AGENT_L1)


def presence_events() -> dict[str, presence.Event]:
    """Returns the events of Bob coming online, being idle and going offline."""
    return {
        "presence, came": _presence(presence.PRESENCE_STATUS_ONLINE, text="at work"),
        "presence, changed": _presence(presence.PRESENCE_STATUS_AWAY),
        "presence, went": _presence(presence.PRESENCE_STATUS_OFFLINE, last_seen_time=at(8)),
    }
