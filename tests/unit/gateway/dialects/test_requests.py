"""Tables of all requests: each becomes a command, or an error that names the wrong fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from parley.chat.v1.chat_pb2 import MESSAGE_KIND_FILE, MESSAGE_KIND_TEXT
from parley.chat.v1.message_pb2 import MarkReadRequest, SendResult, SetTypingRequest

from chassis.errors import AppError, InvalidArgumentError, NotFoundError
from gateway.dialects.client_message_ids import GATEWAY_MADE
from gateway.dialects.socketio_base import EmittedFrame
from gateway.dialects.validation import MAX_INTEGER
from gateway.sessions.commands import (
    CallUpstream,
    Malformed,
    RefreshSession,
    Reject,
    Request,
    ResolveConversation,
    SendMessage,
    SendSignal,
)
from gateway.sessions.session import Session
from tests.unit.gateway.dialects.fixture import dialects, readable
from tests.unit.gateway.fixtures import LIMITS, identity

DIALECTS = dialects()
TO = {"conversationId": "c1"}
ALL = ["telecom", "projects", "helpdesk"]
LONG = "x" * 65

# By dialect: the requests and their valid bodies.
GOOD: Mapping[str, list[tuple[str, dict[str, Any]]]] = {
    "telecom": [
        ("joinOrganization", {"organizationId": "acme"}),
        ("getOrCreateConversation", {"targetUserId": "bob"}),
        ("sendMessage", {**TO, "content": "hi", "messageType": "text"}),
        ("markMessagesAsRead", TO),
        ("typing", {**TO, "isTyping": True}),
        ("getConversations", {}),
        ("getMessages", {**TO, "page": 1, "limit": 50}),
        ("deleteMessage", {"messageId": "m1"}),
        ("refreshSession", {"accessToken": "a.b.c"}),
    ],
    "projects": [
        ("join_conversation", TO),
        ("leave_conversation", TO),
        ("send_message", {**TO, "content": "hi", "type": "text", "attachments": []}),
        ("typing", {**TO, "isTyping": False}),
        ("mark_as_read", TO),
        ("mark_as_read", {"messageId": "m1"}),
        ("refresh_session", {"accessToken": "a.b.c"}),
    ],
    "helpdesk": [
        ("user_join", {"userId": "ann", "userName": "Ann", "userRole": "sales"}),
        ("user_join", {}),
        ("message", {"senderId": "ann", "senderName": "Ann", "receiverId": "bob", "content": "hi", "timestamp": "now"}),
        ("typing_start", {"senderId": "ann", "senderName": "Ann", "receiverId": "bob"}),
        ("typing_stop", {"senderId": "ann", "senderName": "Ann", "roomId": "support"}),
        ("join_room", {"roomId": "support", "roomName": "Support"}),
        ("room_message", {"roomId": "support", "content": "hi"}),
        ("history", {"receiverId": "bob"}),
        ("history", {"roomId": 7, "beforeSeq": 5, "limit": 10}),
        ("read", {"roomId": "support"}),
        ("refresh_session", {"accessToken": "a.b.c"}),
    ],
}

# By dialect: the requests, invalid bodies, and the names of the wrong fields.
BAD: Mapping[str, list[tuple[str, Any, set[str]]]] = {
    "telecom": [
        ("joinOrganization", {}, {"organizationId"}),
        ("joinOrganization", {"organizationId": []}, {"organizationId"}),
        ("getOrCreateConversation", {}, {"targetUserId"}),
        ("getOrCreateConversation", {"targetUserId": ""}, {"targetUserId"}),
        ("getOrCreateConversation", {"targetUserId": LONG}, {"targetUserId"}),
        ("getOrCreateConversation", {"targetUserId": 1.5}, {"targetUserId"}),
        ("sendMessage", {}, {"conversationId", "content"}),
        ("sendMessage", None, {"conversationId", "content"}),
        ("sendMessage", "hi", {"body"}),
        ("sendMessage", [TO], {"body"}),
        ("sendMessage", {**TO, "content": 5}, {"content"}),
        ("sendMessage", {**TO, "content": ""}, {"content"}),
        ("sendMessage", {**TO, "content": " \n"}, {"content"}),
        ("sendMessage", {**TO, "content": "x" * 16_385}, {"content"}),
        ("sendMessage", {**TO, "content": "hi", "messageType": 5}, {"messageType"}),
        ("sendMessage", {**TO, "content": "hi", "messageType": "song"}, {"messageType"}),
        ("sendMessage", {**TO, "content": "hi", "tempId": LONG}, {"tempId"}),
        ("sendMessage", {**TO, "content": "hi", "clientMessageId": {}}, {"clientMessageId"}),
        ("markMessagesAsRead", {}, {"conversationId"}),
        ("markMessagesAsRead", {"conversationId": None}, {"conversationId"}),
        ("typing", TO, {"isTyping"}),
        ("typing", {**TO, "isTyping": "yes"}, {"isTyping"}),
        ("typing", {**TO, "isTyping": 1}, {"isTyping"}),
        ("getConversations", [], {"body"}),
        ("getMessages", {}, {"conversationId"}),
        ("getMessages", {**TO, "page": 0}, {"page"}),
        ("getMessages", {**TO, "page": "1"}, {"page"}),
        ("getMessages", {**TO, "limit": 0}, {"limit"}),
        ("getMessages", {**TO, "limit": 201}, {"limit"}),
        ("deleteMessage", {}, {"messageId"}),
        ("refreshSession", {}, {"accessToken"}),
        ("refreshSession", {"accessToken": ""}, {"accessToken"}),
    ],
    "projects": [
        ("join_conversation", {}, {"conversationId"}),
        ("join_conversation", {"conversationId": {}}, {"conversationId"}),
        ("leave_conversation", {}, {"conversationId"}),
        ("send_message", {}, {"conversationId"}),
        ("send_message", TO, {"content"}),
        ("send_message", {**TO, "content": " "}, {"content"}),
        ("send_message", {**TO, "content": "hi", "type": "song"}, {"type"}),
        ("send_message", {**TO, "attachments": {}}, {"attachments"}),
        ("send_message", {**TO, "attachments": [{}]}, {"attachments"}),
        ("send_message", {**TO, "attachments": [{"url": "u"}] * 21}, {"attachments"}),
        ("typing", {"isTyping": True}, {"conversationId"}),
        ("mark_as_read", {}, {"conversationId"}),
        ("mark_as_read", {"messageId": ""}, {"messageId"}),
        ("refresh_session", {"accessToken": 7}, {"accessToken"}),
    ],
    "helpdesk": [
        ("user_join", {"userName": 5}, {"userName"}),
        ("message", {"content": "hi"}, {"receiverId"}),
        ("message", {"receiverId": "bob"}, {"content"}),
        ("message", {"receiverId": "bob", "content": " "}, {"content"}),
        ("message", {"receiverId": "bob", "content": ["hi"]}, {"content"}),
        ("message", {"receiverId": "bob", "content": "hi", "tempId": LONG}, {"tempId"}),
        ("typing_start", {}, {"receiverId"}),
        ("typing_start", {"receiverId": "bob", "roomId": "support"}, {"receiverId"}),
        ("typing_stop", {"roomId": ""}, {"roomId"}),
        ("join_room", {}, {"roomId"}),
        ("join_room", {"roomId": "x" * 201}, {"roomId"}),
        ("room_message", {"roomId": "support"}, {"content"}),
        ("history", {}, {"receiverId"}),
        ("history", {"roomId": "support", "limit": 201}, {"limit"}),
        ("history", {"roomId": "support", "beforeSeq": 0}, {"beforeSeq"}),
        ("read", {}, {"receiverId"}),
        ("refresh_session", {"accessToken": "x" * 8_193}, {"accessToken"}),
    ],
}


def new_session(name: str) -> Session:
    return Session("session-1", identity(), "token", LIMITS, DIALECTS[name].new_state())


def decoded(name: str, asked: str, body: Any, acknowledgement: str = "7") -> Request:
    if name == "helpdesk":
        return DIALECTS[name].decode(json.dumps({"type": asked, **body}), new_session(name))
    return DIALECTS[name].decode(EmittedFrame(json.dumps([asked, body]), acknowledgement), new_session(name))


def error_of(request: Request) -> AppError:
    assert isinstance(request.command, Reject | Malformed), request.command
    return request.command.error


@pytest.mark.parametrize(("name", "asked", "body"), [(name, *good) for name in ALL for good in GOOD[name]])
def test_what_is_as_it_should_be_is_carried_out(name: str, asked: str, body: dict[str, Any]) -> None:
    request = decoded(name, asked, body)
    carried_out = SendMessage | SendSignal | CallUpstream | ResolveConversation | RefreshSession
    assert isinstance(request.command, carried_out), request.command
    assert request.operation == asked


@pytest.mark.parametrize("name", ALL)
def test_the_tables_have_everything_that_clients_send(name: str) -> None:
    operations = set(DIALECTS[name]._operations)  # type: ignore[attr-defined]
    assert {asked for asked, _ in GOOD[name]} == operations
    assert {asked for asked, _, _ in BAD[name]} == operations


def _shown(value: object) -> str:
    """Returns a name that does not depend on the order of a set: test ids must be the same in every worker process."""
    return ",".join(sorted(value)) if isinstance(value, set) else str(value)


@pytest.mark.parametrize(
    ("name", "asked", "body", "wrong"), [(name, *bad) for name in ALL for bad in BAD[name]], ids=_shown
)
def test_what_is_missing_or_mistyped_is_named(name: str, asked: str, body: Any, wrong: set[str]) -> None:
    request = decoded(name, asked, body)
    error = error_of(request)
    assert (error.category.name, error.reason) == ("INVALID_ARGUMENT", "INVALID_FIELDS")
    assert set(error.fields) == wrong
    assert isinstance(request.command, Reject)  # and not Malformed: too many of those in a row close the connection
    assert request.operation == asked


@pytest.mark.parametrize(("name", "asked", "body"), [(name, *good) for name in ALL for good in GOOD[name]])
@pytest.mark.parametrize("claim", ["userId", "senderId", "organizationId", "userRole"])
def test_whatever_is_sent_may_not_claim_to_be_of_another(
    name: str, asked: str, body: dict[str, Any], claim: str
) -> None:
    error = error_of(decoded(name, asked, {**body, claim: "another"}))
    assert (error.category.name, error.reason) == ("PERMISSION_DENIED", "IDENTITY_MISMATCH")
    assert claim in error.message


# By dialect: the requests, a service's name of a field, and the client's name of it.
RENAMED = [
    ("telecom", "getOrCreateConversation", "userId", "targetUserId"),
    ("telecom", "sendMessage", "text", "content"),
    ("telecom", "sendMessage", "kind", "messageType"),
    ("projects", "send_message", "text", "content"),
    ("projects", "send_message", "kind", "type"),
    ("projects", "send_message", "attachments", "attachments"),
    ("helpdesk", "message", "text", "content"),
    ("helpdesk", "message", "userId", "receiverId"),
    ("helpdesk", "typing_start", "userId", "receiverId"),
    ("helpdesk", "typing_stop", "userId", "receiverId"),
    ("helpdesk", "history", "userId", "receiverId"),
    ("helpdesk", "read", "userId", "receiverId"),
    ("helpdesk", "join_room", "externalRef", "roomId"),
    ("helpdesk", "join_room", "name", "roomName"),
    ("helpdesk", "room_message", "text", "content"),
]


@pytest.mark.parametrize(("name", "asked", "theirs", "ours"), RENAMED)
def test_what_a_service_finds_wrong_is_named_as_the_client_names_it(
    name: str, asked: str, theirs: str, ours: str
) -> None:
    body = next(body for operation, body in GOOD[name] if operation == asked)
    request = decoded(name, asked, body)
    error = InvalidArgumentError("INVALID_FIELDS", f"{theirs} is wrong", fields={theirs: "is wrong"})
    (answer,) = (readable(payload) for payload in DIALECTS[name].failed(request.reference, error))
    said = answer if name == "helpdesk" else answer[1][0]["error"]
    assert (said["fields"], said["message"]) == ({ours: "is wrong"}, f"{ours} is wrong")


def test_whom_a_service_does_not_find_is_named_as_the_client_names_them() -> None:
    request = decoded("telecom", "getOrCreateConversation", {"targetUserId": "nobody"})
    error = NotFoundError("USER_NOT_FOUND", "there is no such user", fields={"userId": "no user nobody"})
    (answer,) = (readable(payload) for payload in DIALECTS["telecom"].failed(request.reference, error))
    error = answer[1][0]["error"]
    assert (error["message"], error["fields"]) == ("there is no such user", {"targetUserId": "no user nobody"})


@pytest.mark.parametrize("name", ALL)
def test_what_there_is_not_is_counted_as_unknown(name: str) -> None:
    request = decoded(name, "made up", {})
    assert error_of(request).category.name == "UNIMPLEMENTED"
    assert request.operation == "unknown"


@pytest.mark.parametrize("text", ["", "[", "{}", "7", "null", '"typing"', "[]", "[7]", "[null]", '[["typing"]]'])
@pytest.mark.parametrize("name", ["telecom", "projects"])
def test_what_is_no_event_is_malformed(name: str, text: str) -> None:
    request = DIALECTS[name].decode(EmittedFrame(text, ""), new_session(name))
    assert isinstance(request.command, Malformed)
    assert (request.operation, request.command.error.reason) == ("unknown", "MALFORMED_EVENT")


@pytest.mark.parametrize("text", ["", "[", "[]", "7", "null", '"message"'])
def test_what_is_no_object_is_malformed_to_the_helpdesk(text: str) -> None:
    request = DIALECTS["helpdesk"].decode(text, new_session("helpdesk"))
    assert isinstance(request.command, Malformed)
    assert request.operation == "unknown"


@pytest.mark.parametrize(
    ("own", "key"),
    [
        ({"tempId": "temp-1"}, "temp-1"),
        ({"tempId": 5}, "5"),
        ({"clientMessageId": "own-1"}, "own-1"),
        ({"clientMessageId": "own-1", "tempId": "temp-1"}, "own-1"),
    ],
)
@pytest.mark.parametrize(
    ("name", "asked", "to"),
    [
        ("telecom", "sendMessage", {"conversationId": 12}),
        ("projects", "send_message", {"conversationId": 12}),
        ("helpdesk", "message", {"receiverId": 12}),
        ("helpdesk", "room_message", {"roomId": 12}),
    ],
)
def test_a_front_ends_own_id_is_the_key_of_its_message(
    name: str, asked: str, to: dict[str, Any], own: dict[str, Any], key: str
) -> None:
    request = decoded(name, asked, {**to, "content": "hi", **own})
    command = request.command.then("12") if isinstance(request.command, ResolveConversation) else request.command
    assert isinstance(command, SendMessage)
    refusal = DIALECTS[name].failed(request.reference, NotFoundError("NOT_FOUND", "there is none"))
    for said in (DIALECTS[name].sent(request.reference, SendResult()), refusal):
        (answer,) = (readable(payload) for payload in said)
        body = answer if name == "helpdesk" else answer[1][0]
        assert {field: body.get(field) for field in own} == own
    assert (command.draft.client_message_id, command.draft.conversation_id) == (key, "12")


@pytest.mark.parametrize(("name", "asked"), [("telecom", "sendMessage"), ("projects", "send_message")])
def test_without_one_each_message_has_a_key_of_its_own(name: str, asked: str) -> None:
    keys = set()
    for _ in range(10):
        command = decoded(name, asked, {**TO, "content": "hi"}).command
        assert isinstance(command, SendMessage)
        keys.add(command.draft.client_message_id)
    assert len(keys) == 10
    assert all(key.startswith(GATEWAY_MADE) and len(key) <= 64 for key in keys)


def test_what_the_helpdesk_sends_goes_to_the_conversation_that_was_found() -> None:
    for asked, name in (("message", ("user", "42")), ("room_message", ("room", "42"))):
        field = "receiverId" if asked == "message" else "roomId"
        command = decoded("helpdesk", asked, {field: 42, "content": "hi", "tempId": "temp-1"}).command
        assert isinstance(command, ResolveConversation)
        assert command.name == name
        sending = command.then("c1")
        assert isinstance(sending, SendMessage)
        assert (sending.draft.conversation_id, sending.draft.client_message_id) == ("c1", "temp-1")


def test_kinds_and_attachments_go_with_a_message() -> None:
    attached = {"url": "https://files.example/a.pdf", "name": "a.pdf", "type": "application/pdf", "size": 12}
    command = decoded("projects", "send_message", {**TO, "type": "file", "attachments": [attached]}).command
    assert isinstance(command, SendMessage)
    (attachment,) = command.draft.attachments
    assert command.draft.kind == MESSAGE_KIND_FILE
    assert (attachment.url, attachment.name) == (attached["url"], attached["name"])
    assert (attachment.content_type, attachment.size_bytes) == (attached["type"], attached["size"])
    plain = decoded("telecom", "sendMessage", {**TO, "content": "hi"}).command
    assert isinstance(plain, SendMessage)
    assert plain.draft.kind == MESSAGE_KIND_TEXT


@pytest.mark.parametrize(("name", "asked"), [("telecom", "markMessagesAsRead"), ("projects", "mark_as_read")])
def test_all_of_a_conversation_is_read(name: str, asked: str) -> None:
    command = decoded(name, asked, TO).command
    assert command == SendSignal(MarkReadRequest(conversation_id="c1", seq=MAX_INTEGER))


@pytest.mark.parametrize("name", ["telecom", "projects"])
def test_typing_is_a_signal_in_the_conversation(name: str) -> None:
    for active in (True, False):
        command = decoded(name, "typing", {**TO, "isTyping": active}).command
        assert command == SendSignal(SetTypingRequest(conversation_id="c1", active=active))
