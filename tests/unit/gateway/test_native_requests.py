"""Frames of `parley.v1.json` become commands; bad ones say what is wrong with them, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from parley.chat.v1 import chat_pb2, message_pb2

from chassis.errors import Category
from gateway.dialects.native.dialect import NativeDialect
from gateway.dialects.native.requests import all_commands
from gateway.sessions.commands import (
    CallUpstream,
    Malformed,
    RefreshSession,
    Reject,
    Request,
    SendMessage,
    SendSignal,
    SetIdle,
)
from tests.unit.gateway.fixtures import identity, session

DIALECT = NativeDialect()
ANN = identity()


def decode(text: str) -> Request:
    return DIALECT.decode(text, session(ANN))


def ask(op: str, **body: Any) -> Request:
    return decode(json.dumps({"id": 7, "op": op, "body": body}))


def test_a_message_becomes_a_draft() -> None:
    request = ask(
        "message.send",
        conversationId="c1",
        clientMessageId="m1",
        text="h\u00e9llo \U0001f600",
        kind="image",
        replyTo="m0",
        mentions=["bob"],
        attachments=[{"url": "https://x.example/a.png", "name": "a.png", "contentType": "image/png", "sizeBytes": 5}],
    )
    assert request.reference == 7
    assert request.operation == "message.send"
    assert request.command == SendMessage(
        message_pb2.Draft(
            conversation_id="c1",
            client_message_id="m1",
            text="h\u00e9llo \U0001f600",
            kind=chat_pb2.MESSAGE_KIND_IMAGE,
            reply_to="m0",
            mentions=["bob"],
            attachments=[
                chat_pb2.Attachment(url="https://x.example/a.png", name="a.png", content_type="image/png", size_bytes=5)
            ],
        )
    )


def test_a_message_without_a_kind_is_text() -> None:
    command = ask("message.send", conversationId="c1", clientMessageId="m1", text="").command
    assert isinstance(command, SendMessage)
    assert command.draft.kind == chat_pb2.MESSAGE_KIND_TEXT


def test_null_is_the_same_as_absent_and_unknown_fields_are_ignored() -> None:
    bare = ask("message.send", conversationId="c1", clientMessageId="m1", text="hi")
    nulls = ask(
        "message.send",
        conversationId="c1",
        clientMessageId="m1",
        text="hi",
        kind=None,
        replyTo=None,
        mentions=None,
        attachments=None,
        more={"than": "is known"},
    )
    assert nulls == bare


@pytest.mark.parametrize(
    ("op", "body", "command"),
    [
        ("receipt.read", {"conversationId": "c", "seq": 3}, message_pb2.MarkReadRequest(conversation_id="c", seq=3)),
        (
            "receipt.delivered",
            {"conversationId": "c", "seq": 2**53 - 1},
            message_pb2.MarkDeliveredRequest(conversation_id="c", seq=2**53 - 1),
        ),
        (
            "typing.set",
            {"conversationId": "c", "active": True},
            message_pb2.SetTypingRequest(conversation_id="c", active=True),
        ),
    ],
)
def test_receipts_and_typing_are_signals(op: str, body: dict[str, Any], command: Any) -> None:
    assert ask(op, **body).command == SendSignal(command)


def test_presence_is_either_a_status_or_idleness() -> None:
    assert ask("presence.set", idle=True).command == SetIdle(True)
    assert isinstance(ask("presence.set", status="dnd", text="").command, CallUpstream)


def test_a_refresh_carries_its_token() -> None:
    assert ask("session.refresh", accessToken="t").command == RefreshSession("t")


GOOD: dict[str, dict[str, Any]] = {
    "user.me": {},
    "user.get": {"userId": "bob"},
    "user.batchGet": {"userIds": ["bob"]},
    "user.list": {"query": "b", "role": "agent_l1"},
    "user.search": {"query": "a"},
    "user.create": {"name": "Bob", "role": "sales"},
    "user.update": {"userId": "bob", "disabled": True},
    "user.setPassword": {"userId": "bob", "password": "a long one"},
    "user.deactivate": {"userId": "bob"},
    "user.batchUpsert": {"users": [{"userId": "bob", "name": "Bob", "role": "sales"}], "fields": ["name"]},
    "conversation.direct": {"userId": "bob"},
    "conversation.create": {"kind": "group", "name": "G", "memberIds": []},
    "conversation.joinRoom": {"externalRef": "support"},
    "conversation.get": {"conversationId": "c"},
    "conversation.list": {"kind": "group", "archived": False, "updatedAfter": "2026-01-01T00:00:00.000Z"},
    "conversation.update": {"conversationId": "c", "mutedUntil": None},
    "member.add": {"conversationId": "c", "userIds": ["bob"]},
    "member.remove": {"conversationId": "c", "userId": "bob"},
    "member.update": {"conversationId": "c", "userId": "bob", "role": "admin"},
    "member.list": {"conversationId": "c"},
    "message.get": {"messageId": "m"},
    "message.send": {"conversationId": "c", "clientMessageId": "m", "text": "x"},
    "message.list": {"conversationId": "c", "beforeSeq": 1, "pageSize": 10**9},
    "message.sync": {"conversationId": "c", "afterRev": 0},
    "message.edit": {"conversationId": "c", "messageId": "m", "text": "x"},
    "message.delete": {"conversationId": "c", "messageId": "m"},
    "draft.set": {"conversationId": "c", "text": "x"},
    "draft.list": {},
    "message.schedule": {
        "conversationId": "c",
        "clientMessageId": "1",
        "text": "x",
        "sendTime": "2026-01-01T00:00:00.000Z",
    },
    "message.scheduled": {"conversationId": "c"},
    "message.reschedule": {"scheduledMessageId": "m", "text": "x"},
    "message.unschedule": {"scheduledMessageId": "m"},
    "message.receipts": {"conversationId": "c", "messageId": "m"},
    "message.pin": {"conversationId": "c", "messageId": "m"},
    "message.unpin": {"conversationId": "c", "messageId": "m"},
    "message.pinned": {"conversationId": "c"},
    "message.versions": {"conversationId": "c", "messageId": "m"},
    "message.forward": {
        "conversationId": "c",
        "messageId": "m",
        "toConversationIds": ["d"],
        "clientMessageId": "1",
    },
    "conversation.pin": {"conversationId": "c"},
    "conversation.unpin": {"conversationId": "c"},
    "message.react": {"conversationId": "c", "messageId": "m", "emoji": "👍"},
    "message.unreact": {"conversationId": "c", "messageId": "m", "emoji": "👍"},
    "receipt.read": {"conversationId": "c", "seq": 1},
    "receipt.delivered": {"conversationId": "c", "seq": 1},
    "typing.set": {"conversationId": "c", "active": False},
    "presence.set": {"status": "invisible"},
    "presence.get": {"userIds": ["bob"]},
    "notification.list": {"unreadOnly": True, "type": "MENTION"},
    "notification.read": {"notificationId": "n"},
    "notification.delete": {"notificationId": "n"},
    "notification.readAll": {},
    "notification.unreadCount": {},
    "notification.preferences.get": {},
    "notification.preferences.set": {"mutedTypes": ["REMINDER"]},
    "session.refresh": {"accessToken": "t"},
    "session.ping": {},
}


def test_every_op_has_a_good_example() -> None:
    assert set(GOOD) == set(all_commands())


@pytest.mark.parametrize("op", GOOD)
def test_the_good_example_of_an_op_is_a_command(op: str) -> None:
    request = ask(op, **GOOD[op])
    assert request.operation == op
    assert not isinstance(request.command, Reject | Malformed)


def test_an_op_without_fields_needs_no_body() -> None:
    for frame in (
        '{"id":1,"op":"user.me"}',
        '{"op":"user.me","id":1,"body":null}',
        '{"id":1,"op":"user.me","body":{}}',
    ):
        assert isinstance(decode(frame).command, CallUpstream)


LONG = "x" * 65

BAD_FIELDS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("message.send", {}, {"conversationId", "clientMessageId", "text"}),
    (
        "message.send",
        {"conversationId": "", "clientMessageId": LONG, "text": 5},
        {"conversationId", "clientMessageId", "text"},
    ),
    ("message.send", GOOD["message.send"] | {"text": "x" * 16_385}, {"text"}),
    ("message.send", GOOD["message.send"] | {"text": None}, {"text"}),
    ("message.send", GOOD["message.send"] | {"kind": "song"}, {"kind"}),
    ("message.send", GOOD["message.send"] | {"data": []}, {"data"}),
    ("message.send", GOOD["message.send"] | {"kind": 1}, {"kind"}),
    ("message.send", GOOD["message.send"] | {"mentions": "bob"}, {"mentions"}),
    ("message.send", GOOD["message.send"] | {"mentions": ["bob"] * 51}, {"mentions"}),
    ("message.send", GOOD["message.send"] | {"attachments": [{"name": "no url"}]}, {"attachments[0].url"}),
    ("message.list", {"conversationId": "c", "beforeSeq": 0}, {"beforeSeq"}),
    ("message.list", {"conversationId": "c", "beforeSeq": -1}, {"beforeSeq"}),
    ("message.list", {"conversationId": "c", "beforeSeq": 2**63}, {"beforeSeq"}),
    ("message.list", {"conversationId": "c", "beforeSeq": 3, "afterSeq": 1}, {"afterSeq"}),
    ("message.list", {"conversationId": "c", "pageSize": -1}, {"pageSize"}),
    ("message.list", {"conversationId": ["c"], "pageSize": "9"}, {"conversationId", "pageSize"}),
    ("message.sync", {"conversationId": "c", "afterRev": 1.5}, {"afterRev"}),
    ("message.sync", {"conversationId": "c"}, {"afterRev"}),
    ("receipt.read", {"conversationId": "c", "seq": 0}, {"seq"}),
    ("receipt.read", {"conversationId": "c", "seq": True}, {"seq"}),
    ("typing.set", {"conversationId": "c", "active": "yes"}, {"active"}),
    ("conversation.create", {"kind": "club", "name": "G", "memberIds": []}, {"kind"}),
    ("conversation.create", {"kind": "group", "name": "", "memberIds": [True]}, {"name", "memberIds"}),
    ("conversation.list", {"updatedAfter": "yesterday"}, {"updatedAfter"}),
    ("conversation.list", {"updatedAfter": "2026-02-30T00:00:00Z"}, {"updatedAfter"}),
    ("conversation.list", {"archived": 1}, {"archived"}),
    ("conversation.update", {"conversationId": "c"}, {"body"}),
    ("conversation.update", {"conversationId": "c", "name": None}, {"body"}),
    ("conversation.update", {"conversationId": "c", "tags": ["x"] * 21}, {"tags"}),
    ("conversation.update", {"conversationId": "c", "mutedUntil": 5}, {"mutedUntil"}),
    ("conversation.update", {"conversationId": "c", "mutedUntil": "soon"}, {"mutedUntil"}),
    ("member.add", {"conversationId": "c", "userIds": []}, {"userIds"}),
    ("member.update", {"conversationId": "c", "userId": "b", "role": "king"}, {"role"}),
    ("presence.set", {}, {"status"}),
    ("presence.set", {"status": "offline"}, {"status"}),
    ("presence.set", {"status": "dnd", "idle": True}, {"idle"}),
    ("presence.set", {"status": "dnd", "text": "x" * 141}, {"text"}),
    ("presence.get", {"userIds": ["x"] * 201}, {"userIds"}),
    ("notification.list", {"type": "mention"}, {"type"}),
    ("notification.preferences.set", {}, {"mutedTypes"}),
    ("notification.preferences.set", {"mutedTypes": ["SOMETHING"]}, {"mutedTypes"}),
    ("session.refresh", {"accessToken": ""}, {"accessToken"}),
    ("user.search", {"query": None}, {"query"}),
]


@pytest.mark.parametrize(("op", "body", "fields"), BAD_FIELDS)
def test_every_bad_field_is_named(op: str, body: dict[str, Any], fields: set[str]) -> None:
    request = ask(op, **body)
    assert request.reference == 7
    assert isinstance(request.command, Reject)
    error = request.command.error
    assert error.category is Category.INVALID_ARGUMENT
    assert error.reason == "INVALID_FIELDS"
    assert set(error.fields) == fields
    assert all(sentence.startswith(("must ", "each must ", "is ")) for sentence in error.fields.values())


@pytest.mark.parametrize("body", [[], "x", 5, True])
def test_a_body_that_is_no_object_is_said_to_be_none(body: object) -> None:
    request = decode(json.dumps({"id": 1, "op": "message.send", "body": body}))
    assert isinstance(request.command, Reject)
    assert request.command.error.fields == {"body": "must be an object"}


@pytest.mark.parametrize(
    "op",
    [
        "message.search",
        "nonsense",
        "",
        "unknown",
    ],
)
def test_an_unknown_op_is_unimplemented(op: str) -> None:
    request = ask(op)
    assert request.reference == 7
    assert request.operation == "unknown"
    assert isinstance(request.command, Reject)
    assert request.command.error.category is Category.UNIMPLEMENTED


MALFORMED = [
    ("", 0),
    ("not json", 0),
    ("5", 0),
    ("null", 0),
    ("[]", 0),
    ('{"id":1,"op":"user.me"', 0),
    ('{"id":1,"op":"user.me"} and more', 0),
    ("{}", 0),
    ('{"op":"user.me"}', 0),
    ('{"id":0,"op":"user.me"}', 0),
    ('{"id":-1,"op":"user.me"}', 0),
    ('{"id":"1","op":"user.me"}', 0),
    ('{"id":true,"op":"user.me"}', 0),
    ('{"id":1.5,"op":"user.me"}', 0),
    ('{"id":9007199254740992,"op":"user.me"}', 0),
    ('{"id":1e999,"op":"user.me"}', 0),
    ('{"id":3}', 3),
    ('{"id":3,"op":5}', 3),
    ('{"id":3,"op":null}', 3),
    ("[" * 60_000, 0),
    ('{"a":' * 12_000, 0),
    ('{"id":1,"op":"user.me","body":{"x":' + "[" * 60_000 + "}", 0),
    ('{"id":1,"op":"message.edit","body":{"conversationId":"c","messageId":"m","text":"\\ud800"}}', 0),
]


@pytest.mark.parametrize(("frame", "request_id"), MALFORMED)
def test_what_is_no_request_is_malformed_and_keeps_its_id_if_it_has_one(frame: str, request_id: int) -> None:
    request = decode(frame)
    assert isinstance(request.command, Malformed)
    assert request.reference == request_id
    assert request.command.error.reason == "MALFORMED_FRAME"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.text())
@example("\x00")
@example('{"id":1,"op":"user.me","op":"user.search"}')
def test_no_text_makes_decoding_fail(text: str) -> None:
    assert isinstance(decode(text), Request)


@given(st.data())
def test_no_body_of_any_op_makes_decoding_fail(data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(sorted(all_commands())))
    changes = data.draw(
        st.dictionaries(st.sampled_from(sorted(GOOD[op]) or ["x"]) | st.text(), json_values, max_size=3)
    )
    frame = json.dumps({"id": 1, "op": op, "body": GOOD[op] | changes})
    request = decode(frame)
    assert isinstance(request, Request)
    assert request.reference in {0, 1}
