"""The compiled writers write what a plain reading of the contract says, and the reader reads it back."""

from __future__ import annotations

import json
import math
from typing import Any, Final

import msgspec
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from parley.options.v1 import field_pb2

from chassis.contract.fields import STRUCT, TIMESTAMP, is_inlined, is_message, mask_of, options_of
from chassis.contract.methods import all_services, message_class, methods_of
from gateway.wire.json_reader import read_request, request_fields
from gateway.wire.json_writer import struct_object, writer_of
from tests.unit.contract.example import descriptor, new
from tests.unit.contract.json_values import messages

OPS: Final = [method for method in methods_of(all_services()) if method.op.name or method.bindings]
WRITTEN: Final = {
    **{method.output.full_name: method.output for method in OPS},
    **{name: descriptor(name) for name in ("EverythingRequest", "EverythingResponse", "Poll", "ListPollsResponse")},
}
READ: Final = {
    **{method.input.full_name: method.input for method in OPS if mask_of(method.input) is None},
    **{name: descriptor(name) for name in ("EverythingRequest", "RequiredRequest", "CreatePollRequest")},
}


# A slow reference, written from protos/parley/options/v1/field.proto.


def reference(message: Any) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        options = options_of(field)
        value = getattr(message, field.name)
        if options.internal:
            continue
        if is_inlined(field):
            written.update(reference(value))
            continue
        always = options.required or message.DESCRIPTOR.name.endswith("Response")
        absent = not message.HasField(field.name) if field.has_presence else (options.omit_empty and not value)
        if (always or not absent) and options.keyed_by:
            other = next(inner.name for inner in field.message_type.fields if inner.name != options.keyed_by)
            written[field.json_name] = {getattr(i, options.keyed_by): list(getattr(i, other)) for i in value}
        elif always or not absent:
            written[field.json_name] = (
                [single(field, item) for item in value] if field.is_repeated else single(field, value)
            )
    return written


def single(field: FieldDescriptor, value: Any) -> Any:
    if is_message(field, TIMESTAMP):
        return value.ToDatetime().isoformat(timespec="milliseconds") + "Z"
    if is_message(field, STRUCT):
        return MessageToDict(value)
    if field.message_type is not None:
        return reference(value)
    if field.enum_type is None:
        return value
    known = field.enum_type.values_by_number.get(value)
    if known is None or value == 0:
        return "unknown"
    name = known.name.removeprefix(field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED"))
    return name if name.isupper() and is_upper_case(field) else name.lower()


def is_upper_case(field: FieldDescriptor) -> bool:
    return field.enum_type is not None and "upper_case: true" in str(field.enum_type.GetOptions())


def full(message: Descriptor) -> Any:
    """Returns a message whose every field is set."""
    made: Any = message_class(message)()
    for field in message.fields:
        value = full_value(field)
        if field.is_repeated:
            getattr(made, field.name).extend([value, value])
        elif is_message(field):
            getattr(made, field.name).CopyFrom(value)
        else:
            setattr(made, field.name, value)
    return made


def full_value(field: FieldDescriptor) -> Any:
    if is_message(field, TIMESTAMP):
        return Timestamp(seconds=1_700_000_000, nanos=123_456_789)
    if is_message(field, STRUCT):
        struct = Struct()
        struct.update({"key": [1, "two", None, True, 2.5, {}]})
        return struct
    if field.message_type is not None:
        return full(field.message_type)
    scalars: dict[int, Any] = {
        FieldDescriptor.CPPTYPE_STRING: f"a {field.name}",
        FieldDescriptor.CPPTYPE_BOOL: True,
        FieldDescriptor.CPPTYPE_ENUM: 1,
    }
    return scalars.get(field.cpp_type, 7)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_full_and_an_empty_message_are_written_as_the_contract_says(name: str) -> None:
    for message in (full(WRITTEN[name]), message_class(WRITTEN[name])()):
        assert writer_of(WRITTEN[name])(message) == reference(message)


@pytest.mark.parametrize("name", WRITTEN)
@settings(max_examples=15)
@given(data=st.data())
def test_any_message_is_written_as_the_contract_says(name: str, data: st.DataObject) -> None:
    message = data.draw(messages(WRITTEN[name]))
    assert writer_of(WRITTEN[name])(message) == reference(message)


@pytest.mark.parametrize("name", READ)
@settings(max_examples=15)
@given(data=st.data())
def test_what_is_written_is_read_back(name: str, data: st.DataObject) -> None:
    message = data.draw(messages(READ[name]))
    for field in filter(is_inlined, READ[name].fields):
        keep_inlined(getattr(message, field.name), options_of(field).inline)
    written = msgspec.json.decode(msgspec.json.encode(writer_of(READ[name])(message)))
    enums = {field.name for field in request_fields(READ[name]) if field.field.enum_type is not None}
    zero = {field for field in enums if written.get(field) == "unknown"}  # an enum's zero has no name
    named = {field: value for field, value in written.items() if field not in zero}
    assert read_request(named, READ[name]) == message


def keep_inlined(message: Any, inline: field_pb2.Inline) -> None:
    """Clears the fields of an inlined message that its request does not have in JSON."""
    for field in message.DESCRIPTOR.fields:
        if field.name not in {*inline.keys, *inline.fields}:
            message.ClearField(field.name)
    message.SetInParent()


# Cases.


@pytest.mark.parametrize(
    ("message", "written"),
    [
        (new("Point"), {"label": ""}),
        (new("Point", label="a", x=-1, color=2), {"label": "a", "x": -1, "color": "DARK_BLUE"}),
        (new("Point", color=77), {"label": "", "color": "unknown"}),
        (new("Point", seen_time=Timestamp()), {"label": "", "seenTime": "1970-01-01T00:00:00.000Z"}),
        (
            new("Poll", poll_id="p", kind=3),
            {"pollId": "p", "kind": "legacy", "question": "", "options": [], "createdBy": ""},
        ),
        (new("Renamed"), {"innerHTML": ""}),
    ],
)
def test_fields_are_written_or_left_out(message: Any, written: dict[str, Any]) -> None:
    assert writer_of(message.DESCRIPTOR)(message) == written


def test_a_response_has_all_of_its_fields() -> None:
    response = new("EverythingResponse", points=[new("Point", label="a")])
    assert writer_of(response.DESCRIPTOR)(response) == {
        "text": "",
        "color": "unknown",
        "points": [{"label": "a"}],
        "point": {"label": ""},
        "leftOut": "",
        "votes": {},
    }


def test_a_keyed_list_is_one_object() -> None:
    votes = [new("Vote", choice="yes", voters=["ann", "bob"]), new("Vote", choice="no", voters=[])]
    written = writer_of(descriptor("EverythingResponse"))(new("EverythingResponse", votes=votes))
    assert written["votes"] == {"yes": ["ann", "bob"], "no": []}


def test_presence_decides_over_defaults() -> None:
    written = writer_of(descriptor("EverythingRequest"))(new("EverythingRequest", maybe_flag=False, maybe_text=""))
    assert (written["maybeFlag"], written["maybeText"]) == (False, "")
    assert "before" not in written
    assert writer_of(descriptor("EverythingRequest"))(new("EverythingRequest", before=0))["before"] == 0


def test_internal_fields_are_never_written() -> None:
    assert "hidden" not in writer_of(descriptor("EverythingRequest"))(new("EverythingRequest", hidden="x"))


def test_a_writer_is_made_once() -> None:
    assert writer_of(descriptor("Point")) is writer_of(descriptor("Point"))


def test_numbers_of_structs_are_integers_where_they_are_whole() -> None:
    struct = Struct()
    struct.update({"whole": 3.0, "half": 0.5, "safe": 2.0**53 - 1, "large": 2.0**53, "negative": -2.0})
    written = struct_object(struct)
    assert {name: type(value) for name, value in written.items()} == {
        "whole": int,
        "half": float,
        "safe": int,
        "large": float,
        "negative": int,
    }


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_are_written_as_null(number: float) -> None:
    struct = Struct()
    struct.update({"number": number})
    assert json.loads(msgspec.json.encode(struct_object(struct))) == {"number": None}


def test_a_value_of_no_kind_is_null() -> None:
    struct = Struct()
    struct.fields["nothing"].ClearField("kind")
    assert struct_object(struct) == {"nothing": None}
