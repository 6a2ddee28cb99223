"""Fields: their options, their JSON names, and the one sentence that says what a field must hold."""

from __future__ import annotations

from functools import cache
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from parley.options.v1 import field_pb2

IS_REQUIRED: Final = "is required"
TIMESTAMP: Final = "google.protobuf.Timestamp"
STRUCT: Final = "google.protobuf.Struct"
FIELD_MASK: Final = "google.protobuf.FieldMask"
MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON implementation keeps."""
MAX_STRUCT_LEVELS: Final = 20
"""The greatest depth of a JSON object of any form: protobuf decodes about 30 levels."""

INTEGERS: Final = frozenset(
    {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT32}
)
_MAX_INT32: Final = 2**31 - 1
ID_SENTENCE: Final = "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -"


@cache
def options_of(field: FieldDescriptor) -> field_pb2.Field:
    """Returns the constraints of a field; empty ones where it has none."""
    return field.GetOptions().Extensions[field_pb2.field]


@cache
def enum_names(enum: EnumDescriptor) -> dict[int, str]:
    """Returns the JSON names of an enum's values by number: without the common prefix; the zero value has none."""
    upper = enum.GetOptions().Extensions[field_pb2.enum].upper_case
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    names = {value.number: value.name.removeprefix(prefix) for value in enum.values if value.number}
    return names if upper else {number: name.lower() for number, name in names.items()}


@cache
def accepted_names(field: FieldDescriptor) -> dict[str, int]:
    """Returns the numbers that an enum field accepts in requests, by JSON name."""
    refused, enum = set(options_of(field).not_in), enum_of(field)
    names = enum_names(enum)
    return {name: number for number, name in names.items() if enum.values_by_number[number].name not in refused}


def enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """Returns the enum of a field that holds one."""
    assert field.enum_type is not None  # noqa: S101  # the caller asked before
    return field.enum_type


def message_of(field: FieldDescriptor) -> Descriptor:
    """Returns the message of a field that holds one."""
    assert field.message_type is not None  # noqa: S101  # the caller asked before
    return field.message_type


def is_message(field: FieldDescriptor, name: str = "") -> bool:
    """Reports whether a field holds a message, or the message of a name."""
    kind = field.message_type
    return kind is not None and (not name or kind.full_name == name)


def is_inlined(field: FieldDescriptor) -> bool:
    """Reports whether the fields of the message that a field holds stand in JSON where the message itself would."""
    return options_of(field).HasField("inline")


def keyed_fields(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor] | None:
    """Returns the key and the value of a list that JSON writes as one object; None for any other field."""
    name = options_of(field).keyed_by
    if not name:
        return None
    fields = message_of(field).fields
    key, value = sorted(fields, key=lambda inner: inner.name != name)
    return key, value


def mask_of(message: Descriptor) -> FieldDescriptor | None:
    """Returns the field of a request that holds its update mask, if it has one."""
    return next((field for field in message.fields if is_message(field, FIELD_MASK)), None)


@cache
def integer_bounds(field: FieldDescriptor) -> tuple[int, int]:
    """Returns the least and the greatest integer that a field accepts."""
    options = options_of(field)
    greatest = MAX_INTEGER if field.cpp_type == FieldDescriptor.CPPTYPE_INT64 else _MAX_INT32
    least = 0 if field.cpp_type == FieldDescriptor.CPPTYPE_UINT32 else -greatest
    return (
        options.gte if options.HasField("gte") else least,
        options.lte if options.HasField("lte") else greatest,
    )


@cache
def sentence_of(field: FieldDescriptor) -> str:
    """Returns what a value of a field must be, such as "must have 1 to 64 characters"; of a repeated one, each item."""
    if is_message(field, TIMESTAMP):
        return "must be a time of the years 1 to 9999, such as 2026-01-31T12:00:00.000Z"
    if is_message(field, STRUCT):
        return f"must be an object of at most {MAX_STRUCT_LEVELS} levels"
    if field.message_type is not None:
        return "must be an object"
    if field.enum_type is not None:
        return "must be one of " + ", ".join(accepted_names(field))
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "must be true or false"
    return _integer_sentence(field) if field.cpp_type in INTEGERS else _string_sentence(field)


@cache
def list_sentence_of(field: FieldDescriptor) -> str:
    """Returns how many items a repeated field must have."""
    options = options_of(field)
    if not options.max_items:
        return "must be a list"
    return _range(options.min_items, options.max_items, "items")


def least_length(field: FieldDescriptor) -> int:
    """Returns the shortest string that a field accepts where it is given."""
    options = options_of(field)
    return max(options.min_len, int(options.not_blank))


def _integer_sentence(field: FieldDescriptor) -> str:
    options = options_of(field)
    if options.HasField("gte") and options.HasField("lte"):
        return f"must be {options.gte:,} to {options.lte:,}"
    if options.HasField("gte"):
        return f"must be an integer of at least {options.gte:,}"
    return "must be an integer"


def _string_sentence(field: FieldDescriptor) -> str:
    options = options_of(field)
    if options.id:
        return ID_SENTENCE
    if options.max_bytes:
        return _range(least_length(field), options.max_bytes, "bytes of UTF-8")
    if options.max_len:
        return _range(least_length(field), options.max_len, "characters")
    return "must be a string"


def _range(least: int, most: int, unit: str) -> str:
    return f"must have {least:,} to {most:,} {unit}" if least else f"must have at most {most:,} {unit}"
