"""The client's objects and methods are those of the contract."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, assert_type, cast

import msgspec
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message as ProtoMessage
from msgspec import UNSET, UnsetType
from parley.chat.v1 import chat_pb2
from parley_client import contract
from parley_client.contract import (
    CreateConversationResponse,
    ListNotificationsResponse,
    Message,
    Operations,
    User,
)
from parley_client.operations import OPERATIONS
from parley_client.protocol import decode_body
from parley_client.requests import Requests, SentMessage

from chassis.contract.fields import (
    INTEGERS,
    STRUCT,
    TIMESTAMP,
    accepted_names,
    integer_bounds,
    is_message,
    message_of,
    options_of,
)
from chassis.contract.methods import all_services, message_class, methods_of
from gateway.dialects.native.requests import all_commands
from gateway.wire.json_reader import RequestField, read_request, request_fields
from gateway.wire.json_writer import writer_of, written_fields

T = TypeVar("T")

METHODS = {method.op.name: method for method in methods_of(all_services()) if method.op.name}
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class RecordingRequests(Requests):
    """Requests that record their bodies, as the server would receive them."""

    def __init__(self, reply: object = None) -> None:
        self._reply = reply
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def call(
        self,
        op: str,
        body: Mapping[str, object],
        shape: type[T],
        *,
        repeatable: bool | None = None,
        deadline_seconds: float | UnsetType | None = UNSET,
    ) -> T:
        self.sent.append((op, msgspec.json.decode(msgspec.json.encode(body))))
        return cast("T", self._reply)

    def new_message_id(self) -> str:
        return "generated"


@pytest.fixture
def requests() -> RecordingRequests:
    return RecordingRequests()


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).replace(".", "_").lower()


def argument(field: FieldDescriptor) -> Any:
    """Returns an argument that the contract accepts."""
    value: Any = "x"
    if is_message(field, TIMESTAMP):
        value = NOON
    elif is_message(field, STRUCT):
        value = {"key": [1, "two"]}
    elif is_message(field):
        inner = {snake(f.name): argument(f.field) for f in request_fields(message_of(field))}
        value = getattr(contract, message_of(field).name)(**inner)
    elif field.enum_type is not None:
        value = next(iter(accepted_names(field)))
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        value = True
    elif field.cpp_type in INTEGERS:
        value = max(1, integer_bounds(field)[0])
    elif field.name == "password":
        value = "long enough"
    return [value] if field.is_repeated else value


def arguments(fields: tuple[RequestField, ...]) -> dict[str, Any]:
    """Returns an argument for each field, but only for the first of those that exclude each other."""
    return {
        snake(field.name): argument(field.field)
        for field in fields
        if (oneof := field.field.containing_oneof) is None or oneof.fields[0].name == field.field.name
    }


def test_every_op_has_a_method() -> None:
    assert [op for op in all_commands() if not inspect.iscoroutinefunction(getattr(Requests, snake(op), None))] == []


def test_every_op_says_whether_it_may_be_repeated() -> None:
    assert OPERATIONS.keys() == all_commands().keys()


@pytest.mark.parametrize("op", METHODS)
async def test_the_gateway_understands_the_request_of_each_method(op: str, requests: RecordingRequests) -> None:
    fields = request_fields(METHODS[op].input)
    given = arguments(fields)

    await getattr(requests, snake(op))(**given)

    ((sent_op, body),) = requests.sent
    assert sent_op == op
    assert body.keys() == {field.name for field in fields if snake(field.name) in given}
    read_request(body, METHODS[op].input)


@pytest.mark.parametrize("op", METHODS)
def test_a_method_requires_what_the_contract_requires(op: str) -> None:
    parameters = dict(inspect.signature(getattr(Requests, snake(op))).parameters)
    parameters.pop("self")

    assert {parameter.kind for parameter in parameters.values()} <= {inspect.Parameter.KEYWORD_ONLY}
    assert {name: parameter.default is inspect.Parameter.empty for name, parameter in parameters.items()} == {
        snake(field.name): field.required for field in request_fields(METHODS[op].input)
    }


async def test_null_is_sent_only_where_it_clears_a_field(requests: RecordingRequests) -> None:
    await requests.conversation_update(conversation_id="c", name="n")
    await requests.conversation_update(conversation_id="c", name=None, muted_until=None)
    await requests.conversation_list(kind=None, updated_after=None)

    assert [body for _, body in requests.sent] == [
        {"conversationId": "c", "name": "n"},
        {"conversationId": "c", "mutedUntil": None},
        {},
    ]


async def test_empty_values_are_sent(requests: RecordingRequests) -> None:
    await requests.conversation_update(conversation_id="c", description="", archived=False, tags=[])
    await requests.presence_set(status="away", text="")

    assert [body for _, body in requests.sent] == [
        {"conversationId": "c", "description": "", "archived": False, "tags": []},
        {"status": "away", "text": ""},
    ]


# Objects.


def messages_of(message: Descriptor) -> Iterator[Descriptor]:
    """Returns a message and all that its JSON object holds."""
    yield message
    for field, _ in written_fields(message):
        nested = is_message(field) and message_of(field).full_name not in {TIMESTAMP, STRUCT}
        if nested and not options_of(field).keyed_by:
            yield from messages_of(message_of(field))


OBJECTS = {
    message.name: message
    for method in METHODS.values()
    for message in messages_of(method.output)
    if hasattr(contract, message.name)
}


def fill(message: ProtoMessage) -> ProtoMessage:
    """Sets every field of a message to a value that differs from its default."""
    for field in cast("Any", message.DESCRIPTOR.fields):
        target = getattr(message, field.name)
        if is_message(field, TIMESTAMP):
            target.FromDatetime(NOON)
        elif is_message(field, STRUCT):
            target.update({"key": [1, "two", None, {}]})
        elif is_message(field):
            fill(target.add() if field.is_repeated else target)
        else:
            values = {
                FieldDescriptor.CPPTYPE_BOOL: True,
                FieldDescriptor.CPPTYPE_STRING: f"a {field.name}",
                FieldDescriptor.CPPTYPE_ENUM: 1,
            }
            value = values.get(field.cpp_type, 2)
            target.append(value) if field.is_repeated else setattr(message, field.name, value)
    return message


def differences(json: Any, decoded: Any, path: str = "") -> Iterator[str]:
    """Names the values of JSON that an object has not."""
    if isinstance(decoded, msgspec.Struct):
        for name, value in json.items():
            yield from differences(value, getattr(decoded, snake(name)), f"{path}.{name}")
        absent = {field.name for field in msgspec.structs.fields(decoded)} - {snake(name) for name in json}
        yield from (f"{path}.{name} is made up" for name in absent if getattr(decoded, name))
    elif isinstance(json, list) and len(json) == len(decoded):
        for index, (value, item) in enumerate(zip(json, decoded, strict=True)):
            yield from differences(value, item, f"{path}[{index}]")
    elif (datetime.fromisoformat(json) if isinstance(decoded, datetime) else json) != decoded:
        yield f"{path}: {json!r} became {decoded!r}"


@pytest.mark.parametrize("name", sorted(OBJECTS))
@pytest.mark.parametrize("full", [True, False])
def test_an_object_holds_what_the_gateway_writes(name: str, full: bool) -> None:
    message = message_class(OBJECTS[name])()
    json = writer_of(OBJECTS[name])(fill(message) if full else message)

    decoded = decode_body(msgspec.json.encode(json), getattr(contract, name))

    assert list(differences(json, decoded)) == []
    assert not full or len(json) == len(msgspec.structs.fields(decoded))


KEYED = {f.json_name for message in OBJECTS.values() for f in message.fields if options_of(f).keyed_by}
"""The fields whose JSON object has keys of any name, which are not fields."""


def from_the_future(json: Any, enum_names: set[str]) -> Any:
    """Returns the JSON of a newer server: with more fields, and with names of enums that this client does not know."""
    if isinstance(json, dict):
        fields = {n: v if n in KEYED else from_the_future(v, enum_names) for n, v in json.items()}
        return {"newField": [{}], **fields}
    if isinstance(json, list):
        return [from_the_future(item, enum_names) for item in json]
    return "new_name" if isinstance(json, str) and json in enum_names else json


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_an_object_of_a_newer_server_is_understood(name: str) -> None:
    json = writer_of(OBJECTS[name])(fill(message_class(OBJECTS[name])()))
    first_names = {"direct", "owner", "text", "NEW_MESSAGE", "online", "admin"}

    decode_body(msgspec.json.encode(from_the_future(json, first_names)), getattr(contract, name))


def test_a_name_of_an_enum_that_is_not_known_is_kept() -> None:
    assert decode_body(b'{"userId": "ann", "role": "astronaut"}', User).role == "astronaut"
    assert decode_body(b'{"messageId": "m", "kind": "poll"}', Message).kind == "poll"


def test_the_fields_that_the_contract_keeps_from_json_are_no_attributes() -> None:
    names = {field.name for field in msgspec.structs.fields(contract.Conversation)}

    assert {"create_time", "update_time"}.isdisjoint(names)
    assert {"create_time", "update_time"} <= set(chat_pb2.Conversation.DESCRIPTOR.fields_by_name)


async def test_sending_a_message_makes_its_id_and_returns_it() -> None:
    requests = RecordingRequests(SentMessage(message_id="m", seq=1, rev=2))

    sent = await requests.send_message("c", "hello", kind="link")

    assert sent == SentMessage(message_id="m", seq=1, rev=2, client_message_id="generated")
    body = {"conversationId": "c", "clientMessageId": "generated", "text": "hello", "kind": "link"}
    assert requests.sent == [("message.send", body)]


# Types, checked by mypy: an ignore that nothing needs is an error.


async def typed(client: Operations) -> None:
    created = await client.conversation_create(kind="group", name="Launch", member_ids=["bob"])
    assert_type(created, CreateConversationResponse)
    assert_type(created.conversation.last_activity_time, datetime | None)
    assert_type(await client.typing_set(conversation_id="c", active=True), None)
    assert_type(await client.notification_list(type="MENTION"), ListNotificationsResponse)
    await client.conversation_update(conversation_id="c", muted_until=None)
    await client.conversation_create(kind="direct", name="n", member_ids=[])  # type: ignore[arg-type]
    await client.presence_set(status="offline")  # type: ignore[arg-type]
    await client.message_edit(conversation_id="c", message_id="m")  # type: ignore[call-arg]
    await client.receipt_read(conversation_id="c", seq=None)  # type: ignore[arg-type]
