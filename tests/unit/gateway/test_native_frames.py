"""Replies and events of `parley.v1.json`, to the letter."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from parley.chat.v1 import chat_pb2, event_pb2
from parley.chat.v1.message_pb2 import SendResult
from parley.notify.v1 import notification_pb2 as notify
from parley.presence.v1 import presence_pb2 as presence

from chassis.errors import InvalidArgumentError, ResourceExhaustedError
from gateway.dialects.base import Deferred, EncodedEvent, Payloads
from gateway.dialects.native.dialect import NativeDialect
from tests.unit.gateway.fixtures import identity, session

DIALECT = NativeDialect()
NOON = Timestamp(seconds=1_767_268_800, nanos=123_456_789)
NOON_TEXT = "2026-01-01T12:00:00.123Z"
MESSAGE = chat_pb2.Message(
    message_id="m1",
    conversation_id="c1",
    seq=3,
    rev=9,
    sender_id="ann",
    client_message_id="k1",
    kind=chat_pb2.MESSAGE_KIND_TEXT,
    text="hi",
    create_time=NOON,
)
MESSAGE_OBJECT = {
    "messageId": "m1",
    "conversationId": "c1",
    "seq": 3,
    "rev": 9,
    "senderId": "ann",
    "clientMessageId": "k1",
    "kind": "text",
    "text": "hi",
    "createTime": NOON_TEXT,
}


def only(payloads: Payloads) -> Any:
    (payload,) = payloads
    return json.loads(payload)


def said(speech: EncodedEvent | Deferred) -> Any:
    assert not callable(speech)
    assert not isinstance(speech, Deferred)
    return only(speech)


def test_a_sent_message_is_answered_with_where_it_landed() -> None:
    receipt = SendResult(message_id="m1", seq=3, rev=9, create_time=NOON)
    assert only(DIALECT.sent(7, receipt)) == {
        "id": 7,
        "ok": {"messageId": "m1", "seq": 3, "rev": 9, "createTime": NOON_TEXT},
    }


def test_an_error_has_only_the_parts_that_apply() -> None:
    assert only(DIALECT.failed(7, InvalidArgumentError("R", "sentence", fields={"a": "is missing"}))) == {
        "id": 7,
        "error": {"code": "INVALID_ARGUMENT", "reason": "R", "message": "sentence", "fields": {"a": "is missing"}},
    }
    assert only(DIALECT.failed(0, ResourceExhaustedError("R", "sentence", retry_after_ms=0))) == {
        "id": 0,
        "error": {"code": "RESOURCE_EXHAUSTED", "reason": "R", "message": "sentence", "retryAfterMs": 0},
    }


def test_the_first_event_tells_who_one_is_and_what_the_limits_are() -> None:
    one = session()
    assert only(DIALECT.session_ready(one, 1_767_268_800.5)) == {
        "event": "session.ready",
        "body": {
            "sessionId": one.connection_id,
            "user": {"userId": "ann", "name": "Ann", "role": "sales", "teams": ["east"]},
            "serverTime": "2026-01-01T12:00:00.500Z",
            "expireTime": "2033-05-18T03:33:20.000Z",
            "limits": {"frameBytes": 65_536, "textBytes": 16_384, "messagesPerSecond": 20},
        },
    }


def test_messages() -> None:
    created = event_pb2.Event(message_created=event_pb2.MessageCreated(message=MESSAGE))
    updated = event_pb2.Event(message_updated=event_pb2.MessageUpdated(message=MESSAGE))
    deleted = event_pb2.Event(message_deleted=event_pb2.MessageDeleted(message=MESSAGE))
    body = {"message": MESSAGE_OBJECT}
    assert said(DIALECT.chat_event(created)) == {"event": "message.created", "body": body}
    assert said(DIALECT.chat_event(updated)) == {"event": "message.updated", "body": body}
    assert said(DIALECT.chat_event(deleted)) == {"event": "message.deleted", "body": body}


def test_members() -> None:
    fields: dict[str, Any] = {
        "conversation_id": "c1",
        "member": chat_pb2.Member(user_id="bob", role=chat_pb2.MEMBER_ROLE_ADMIN, read_seq=1, delivered_seq=2),
        "rev": 4,
        "actor_id": "ann",
    }
    body = {
        "conversationId": "c1",
        "member": {"userId": "bob", "role": "admin", "readSeq": 1, "deliveredSeq": 2},
        "rev": 4,
    }
    added = event_pb2.Event(member_added=event_pb2.MemberAdded(**fields))
    removed = event_pb2.Event(member_removed=event_pb2.MemberRemoved(**fields))
    updated = event_pb2.Event(member_updated=event_pb2.MemberUpdated(**fields))
    assert said(DIALECT.chat_event(added)) == {"event": "member.added", "body": body}
    assert said(DIALECT.chat_event(removed)) == {"event": "member.removed", "body": body}
    assert said(DIALECT.chat_event(updated)) == {"event": "member.updated", "body": body}


def test_receipts_and_typing() -> None:
    receipt = event_pb2.ReceiptUpdated(conversation_id="c1", user_id="bob", read_seq=2, delivered_seq=3)
    typing = event_pb2.TypingUpdated(conversation_id="c1", user_id="bob", active=True)
    assert said(DIALECT.chat_event(event_pb2.Event(receipt_updated=receipt))) == {
        "event": "receipt.updated",
        "body": {"conversationId": "c1", "userId": "bob", "readSeq": 2, "deliveredSeq": 3},
    }
    assert said(DIALECT.chat_event(event_pb2.Event(typing_updated=typing))) == {
        "event": "typing.updated",
        "body": {"conversationId": "c1", "userId": "bob", "active": True},
    }


def test_each_member_sees_a_conversation_with_marks_of_its_own() -> None:
    event = event_pb2.Event(
        conversation_updated=event_pb2.ConversationUpdated(
            conversation=chat_pb2.Conversation(
                conversation_id="c1", kind=chat_pb2.CONVERSATION_KIND_GROUP, name="G", seq=5, rev=8, member_count=300
            ),
            views=[
                event_pb2.View(user_id="ann", read_seq=5),
                event_pb2.View(user_id="bob", read_seq=2, muted_until_time=NOON),
            ],
        )
    )
    speech = DIALECT.chat_event(event)
    assert callable(speech)
    ann, bob = (said(speech(session(identity(user_id))))["body"]["conversation"] for user_id in ("ann", "bob"))
    assert (ann["readSeq"], ann["unreadCount"], "mutedUntil" in ann) == (5, 0, False)
    assert (bob["readSeq"], bob["unreadCount"], bob["mutedUntil"]) == (2, 3, NOON_TEXT)
    assert "members" not in ann
    assert ann["memberCount"] == 300


def test_notifications() -> None:
    notification = notify.Notification(
        notification_id="n1",
        type=notify.NOTIFICATION_TYPE_LEAD_ASSIGNED,
        title="T",
        body="B",
        count=1,
        update_time=NOON,
    )
    notification.data.update({"leadId": 5, "score": 0.5, "tags": ["a", None], "deep": {"yes": True}})
    created = notify.Event(notification_created=notify.NotificationCreated(notification=notification, unread_count=2))
    updated = notify.Event(notification_updated=notify.NotificationUpdated(unread_count=0))
    assert only(DIALECT.notify_event(created)) == {
        "event": "notification.created",
        "body": {
            "unreadCount": 2,
            "notification": {
                "notificationId": "n1",
                "type": "LEAD_ASSIGNED",
                "title": "T",
                "body": "B",
                "data": {"leadId": 5, "score": 0.5, "tags": ["a", None], "deep": {"yes": True}},
                "count": 1,
                "read": False,
                "createTime": NOON_TEXT,
            },
        },
    }
    assert b'"leadId":5.' not in DIALECT.notify_event(created)[0]
    assert only(DIALECT.notify_event(updated)) == {"event": "notification.updated", "body": {"unreadCount": 0}}


def test_presence() -> None:
    seen = presence.Presence(user_id="bob", status=presence.PRESENCE_STATUS_OFFLINE, last_seen_time=NOON)
    busy = presence.Presence(user_id="bob", status=presence.PRESENCE_STATUS_DND, text="busy")
    assert only(DIALECT.presence_event(presence.Event(presence=seen), True)) == {
        "event": "presence.updated",
        "body": {"userId": "bob", "status": "offline", "lastSeenTime": NOON_TEXT},
    }
    assert only(DIALECT.presence_event(presence.Event(presence=busy), False))["body"] == {
        "userId": "bob",
        "status": "dnd",
        "text": "busy",
    }


def test_what_a_newer_service_sends_is_passed_over() -> None:
    assert DIALECT.chat_event(event_pb2.Event()) == ()
    assert DIALECT.notify_event(notify.Event()) == ()
