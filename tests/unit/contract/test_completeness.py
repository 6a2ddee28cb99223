"""The contract says of every RPC how users call it, and each of its options refers to something that exists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from chassis.contract.fields import FIELD_MASK, TIMESTAMP, accepted_names, enum_of, is_inlined, is_message, options_of
from chassis.contract.methods import REQUEST_ID, Method, all_services, methods_of
from gateway.wire.json_reader import request_fields
from gateway.wire.json_writer import written_fields

METHODS: Final = {method.descriptor.full_name: method for method in methods_of(all_services())}
FOR_USERS: Final = {name: method for name, method in METHODS.items() if method.rule.user or method.rule.roles}
MUTATION: Final = re.compile(
    r"(Create|GetOrCreate|BatchUpsert|Update|Set|Add|Remove|Delete|Edit|Mark|Join|Send|Deactivate|Leave|Archive|Pin|Unpin|React|Forward|Schedule|Reschedule|Unschedule)[A-Z]\w*"
)
READ: Final = re.compile(r"(Get(?!OrCreate)|BatchGet|List|Search|Sync|Check|Watch)[A-Z]\w*")
WITHOUT_REQUEST_ID: Final = {
    "parley.chat.v1.MessageService.SendMessage": "client_message_id identifies the message",
    "parley.chat.v1.ScheduleService.ScheduleMessage": "client_message_id identifies the message",
    "parley.chat.v1.MessageService.ForwardMessage": "client_message_id identifies the messages",
    "parley.chat.v1.MessageService.MarkRead": "sets a state: the highest seq wins",
    "parley.chat.v1.MessageService.MarkDelivered": "sets a state: the highest seq wins",
    "parley.chat.v1.MessageService.SetTyping": "ephemeral: it expires after 6 s",
}
"""The users' mutations that need no request id, with the reason."""

OTHER_VERBS: Final = {"parley.auth.v1.AuthService.SignOut": "sets a state: the session has ended"}
"""The users' RPCs whose names say neither that they read nor that they change something, with the reason."""


def messages_of(message: Descriptor, above: tuple[Descriptor, ...] = ()) -> Iterator[Descriptor]:
    """Returns a message and all messages of Parley that it holds."""
    if message in above or message.full_name.startswith("google."):
        return
    yield message
    for field in message.fields:
        if field.message_type is not None:
            yield from messages_of(field.message_type, (*above, message))


MESSAGES: Final = {
    message.full_name: message
    for method in METHODS.values()
    for root in (method.input, method.output)
    for message in messages_of(root)
}
FIELDS: Final = {field.full_name: field for message in MESSAGES.values() for field in message.fields}
ENUMS: Final[dict[str, EnumDescriptor]] = {
    enum_of(field).full_name: enum_of(field) for field in FIELDS.values() if field.enum_type is not None
}


def json_names(message: Descriptor) -> list[str]:
    """Returns the names that the JSON object of a request may have."""
    return [field.name for field in request_fields(message)]


def is_reachable(method: Method) -> bool:
    return bool(method.op.name or method.bindings)


def test_the_contract_is_read() -> None:
    assert len(METHODS) > len(FOR_USERS) > 20
    assert len(ENUMS) > 3


@pytest.mark.parametrize("name", FOR_USERS)
def test_users_can_call_an_rpc_or_its_options_say_why_not(name: str) -> None:
    method = FOR_USERS[name]
    assert is_reachable(method) or method.op.internal or method.op.handled_by_gateway


@pytest.mark.parametrize("name", METHODS)
def test_a_reason_against_an_op_is_given_only_where_there_is_none(name: str) -> None:
    method = METHODS[name]
    assert not (method.op.internal and (is_reachable(method) or method.op.handled_by_gateway))
    assert not (method.op.empty_reply and not method.op.name)


@pytest.mark.parametrize("name", METHODS)
def test_only_rpcs_for_users_and_without_streams_are_ops_or_paths(name: str) -> None:
    method = METHODS[name]
    assert not is_reachable(method) or (name in FOR_USERS and not method.is_streaming)


def test_ops_have_names_of_their_own() -> None:
    names = Counter(method.op.name for method in METHODS.values() if method.op.name)
    assert [name for name, times in names.items() if times > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z]+(\.[a-z][A-Za-z]*)+", name)] == []


def test_paths_are_unique_whatever_their_parameters_are_called() -> None:
    paths = Counter(
        (binding.verb, re.sub(r"{\w+}", "{}", binding.path))
        for method in METHODS.values()
        for binding in method.bindings
    )
    assert [path for path, times in paths.items() if times > 1] == []


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.bindings])
def test_a_path_is_well_formed_and_its_parameters_are_fields_of_the_request(name: str) -> None:
    method = METHODS[name]
    required = {field.field.name for field in request_fields(method.input) if field.required}
    for binding in method.bindings:
        assert re.fullmatch(r"/api(/[a-z-]+|/{[a-z_]+})+(:[a-z][A-Za-z]*)?", binding.path)
        assert len(set(binding.parameters)) == len(binding.parameters)
        assert set(binding.parameters) <= required
        assert binding.has_body <= (binding.verb in {"POST", "PATCH", "PUT"})


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.bindings])
def test_what_a_query_or_a_path_holds_can_be_written_there(name: str) -> None:
    method = METHODS[name]
    for binding in method.bindings:
        for field in request_fields(method.input):
            if not binding.has_body or field.field.name in binding.parameters:
                assert field.field.message_type is None or is_message(field.field, TIMESTAMP), field.name
                assert not (field.field.is_repeated and field.field.name in binding.parameters)


@pytest.mark.parametrize("name", [name for name in FOR_USERS if name not in OTHER_VERBS])
def test_the_name_of_an_rpc_says_whether_it_changes_something(name: str) -> None:
    method = FOR_USERS[name]
    assert bool(MUTATION.fullmatch(method.name)) != bool(READ.fullmatch(method.name))


@pytest.mark.parametrize("name", FOR_USERS)
def test_a_mutation_takes_a_request_id_and_a_read_does_not(name: str) -> None:
    method = FOR_USERS[name]
    expected = bool(MUTATION.fullmatch(method.name)) and name not in WITHOUT_REQUEST_ID
    assert method.has_request_id is expected


@pytest.mark.parametrize("name", [*WITHOUT_REQUEST_ID, *OTHER_VERBS])
def test_an_exception_is_an_rpc(name: str) -> None:
    assert name in FOR_USERS


@pytest.mark.parametrize("name", FOR_USERS)
def test_a_read_over_http_is_a_get_and_a_mutation_is_none(name: str) -> None:
    method = FOR_USERS[name]
    assert {binding.verb == "GET" for binding in method.bindings} <= {bool(READ.fullmatch(method.name))}


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.has_request_id])
def test_a_request_id_is_an_optional_string_of_at_most_64_characters(name: str) -> None:
    field = METHODS[name].input.fields_by_name[REQUEST_ID]
    options = options_of(field)
    assert (field.type, options.max_len, options.required) == (FieldDescriptor.TYPE_STRING, 64, False)


@pytest.mark.parametrize("name", ENUMS)
def test_the_zero_value_of_an_enum_is_unspecified_and_all_values_share_its_prefix(name: str) -> None:
    enum = ENUMS[name]
    zero = enum.values_by_number[0].name
    prefix = zero.removesuffix("UNSPECIFIED")
    assert zero.endswith("_UNSPECIFIED")
    assert [value.name for value in enum.values if not value.name.startswith(prefix)] == []


@pytest.mark.parametrize("name", FIELDS)
def test_the_options_of_a_field_fit_its_type(name: str) -> None:
    field = FIELDS[name]
    options = options_of(field)
    is_string = field.type == FieldDescriptor.TYPE_STRING
    is_integer = field.cpp_type in {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64}
    for_strings = (options.min_len, options.max_len, options.max_bytes, options.id, options.not_blank)
    assert is_string or not any(for_strings)
    assert is_integer or not (options.HasField("gte") or options.HasField("lte"))
    assert field.is_repeated or not (options.min_items or options.max_items)
    assert not options.max_len or options.min_len <= options.max_len
    assert not (options.max_len and options.max_bytes)
    assert not options.max_items or options.min_items <= options.max_items


@pytest.mark.parametrize("name", FIELDS)
def test_the_values_that_requests_must_not_have_exist(name: str) -> None:
    field = FIELDS[name]
    refused = options_of(field).not_in
    assert not refused or set(refused) <= set(enum_of(field).values_by_name)
    assert field.enum_type is None or accepted_names(field)


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if is_inlined(field)])
def test_inlined_keys_and_fields_exist_and_are_distinct(name: str) -> None:
    field = FIELDS[name]
    assert field.message_type is not None
    assert not field.is_repeated
    inline = options_of(field).inline
    names = [*inline.keys, *inline.fields]
    assert set(names) <= set(field.message_type.fields_by_name)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", METHODS)
def test_no_two_fields_of_a_request_have_one_json_name(name: str) -> None:
    names = json_names(METHODS[name].input)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", METHODS)
def test_an_update_mask_stands_beside_one_inlined_message(name: str) -> None:
    fields = METHODS[name].input.fields
    masks = [field.name for field in fields if is_message(field, FIELD_MASK)]
    if masks and is_reachable(METHODS[name]):
        assert masks == ["update_mask"]
        assert len([field for field in fields if is_inlined(field)]) == 1


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if is_reachable(method)])
def test_no_two_fields_of_an_answer_have_one_json_name(name: str) -> None:
    fields = [field for field, _ in written_fields(METHODS[name].output)]
    names = [field.json_name for field in fields if not is_inlined(field)]
    for field in filter(is_inlined, fields):
        assert field.message_type is not None
        names += [inner.json_name for inner, _ in written_fields(field.message_type)]
    assert len(set(names)) == len(names)
