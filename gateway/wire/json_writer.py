"""Writes messages as the JSON objects of the wire protocol: plain dicts, from the descriptors.

Names are lowerCamelCase, times RFC 3339 texts, integers numbers, enums names. A field with `omit_empty`, or one with
presence, is left out when it is empty; an `internal` one always is. The writer of a message is compiled to a Python
function on its first use, as dataclasses are, so that it costs what a hand-written one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.struct_pb2 import Struct, Value

from chassis.contract.fields import (
    STRUCT,
    TIMESTAMP,
    enum_names,
    enum_of,
    is_inlined,
    is_message,
    keyed_fields,
    message_of,
    options_of,
)
from gateway.wire.timestamps import time_text

Object = dict[str, Any]
Writer = Callable[[Any], Object]

UNKNOWN: Final = "unknown"
"""The name of an enum value that a newer service sent."""

_MAX_SAFE_INTEGER: Final = 2**53


@cache
def writer_of(message: Descriptor) -> Writer:
    """Returns the function that writes messages of a type."""
    names: dict[str, Any] = {}
    first: list[str] = []  # a dict display is faster than as many assignments
    then: list[str] = []
    for field, always in written_fields(message):
        value = _expression(field, names)
        if is_inlined(field):
            then.append(f"    o |= {value}")
        elif always and not then:
            first.append(f"{field.json_name!r}: {value}")
        else:
            then.append(f"    {_condition(field, always)}o[{field.json_name!r}] = {value}")
    source = "\n".join([f"def write(m):\n    o = {{{', '.join(first)}}}", *then, "    return o"])
    exec(compile(source, f"<writer of {message.full_name}>", "exec"), names)  # noqa: S102  # made from our own protos
    writer: Writer = names["write"]
    return writer


def _condition(field: FieldDescriptor, always: bool) -> str:
    if always:
        return ""
    return f"if m.HasField({field.name!r}): " if field.has_presence else f"if m.{field.name}: "


def _expression(field: FieldDescriptor, names: dict[str, Any]) -> str:
    """Returns the source of a field's value, and adds to `names` what it calls."""
    value = f"m.{field.name}"
    if pair := keyed_fields(field):
        key, held = pair
        of_item = _expression(held, names).replace(f"m.{held.name}", f"x.{held.name}")
        return f"{{x.{key.name}: {of_item} for x in {value}}}"
    if field.enum_type is not None:
        names[f"n_{field.name}"] = enum_names(enum_of(field)).get
        one = f"n_{field.name}({{}}, {UNKNOWN!r})"
    elif field.message_type is not None:
        names[f"w_{field.name}"] = _message_writer(field)
        one = f"w_{field.name}({{}})"
    else:
        one = "{}"
    if field.is_repeated:
        return f"[{one.format('x')} for x in {value}]" if one != "{}" else f"list({value})"
    return one.format(value)


def _message_writer(field: FieldDescriptor) -> Callable[[Any], Any]:
    if is_message(field, TIMESTAMP):
        return time_text
    if is_message(field, STRUCT):
        return struct_object
    return writer_of(message_of(field))


def struct_object(struct: Struct) -> Object:
    """Returns any JSON object; whole numbers come back as integers, which a Struct does not tell from others."""
    return {key: _plain(value) for key, value in struct.fields.items()}


def _plain(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return struct_object(value.struct_value)
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < _MAX_SAFE_INTEGER else number
    return getattr(value, kind) if kind in {"string_value", "bool_value"} else None


def written_fields(message: Descriptor) -> Iterator[tuple[FieldDescriptor, bool]]:
    """Returns the fields that JSON objects of a type have, and whether each is always there."""
    for field in message.fields:
        options = options_of(field)
        if not options.internal:
            always = options.required or message.name.endswith("Response")
            yield field, always or not (options.omit_empty or field.has_presence)
