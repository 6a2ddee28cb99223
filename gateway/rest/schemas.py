"""JSON schemas for the OpenAPI document, from the descriptors: of requests' fields and of the objects in answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from parley.comments import COMMENTS

from chassis.contract.fields import (
    INTEGERS,
    MAX_INTEGER,
    STRUCT,
    TIMESTAMP,
    accepted_names,
    enum_names,
    enum_of,
    integer_bounds,
    is_inlined,
    is_message,
    keyed_fields,
    least_length,
    message_of,
    options_of,
)
from gateway.rest.operation import Schema
from gateway.wire.json_reader import RequestField, request_fields
from gateway.wire.json_writer import written_fields

_REFERENCE: Final = "#/components/schemas/"
_ID_PATTERN: Final = "^[A-Za-z0-9_.:@-]{1,64}$"
_SENTENCE: Final = re.compile(r"(?<=\.)\s")

FAILURE: Final[Schema] = {
    "type": "object",
    "description": "The answer to a request that failed.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "reason", "message"],
            "properties": {
                "code": {"type": "string", "description": "A canonical gRPC code, such as PERMISSION_DENIED."},
                "reason": {"type": "string", "description": "Stable, for programs, such as NOT_A_MEMBER."},
                "message": {"type": "string", "description": "A sentence for people."},
                "retryAfterMs": {"type": "integer", "description": "After how many ms a repeat may succeed."},
                "fields": {
                    "type": "object",
                    "description": "What is wrong, by field.",
                    "additionalProperties": {"type": "string"},
                },
            },
        }
    },
}


def comment_of(descriptor: Descriptor | FieldDescriptor) -> str:
    """Returns what the contract says of a message or field."""
    return COMMENTS.get(descriptor.full_name, "")


def first_sentence(text: str) -> str:
    """Returns the first sentence of a comment, for a summary."""
    return _SENTENCE.split(text, maxsplit=1)[0]


def ref(message: Descriptor) -> Schema:
    """Returns the reference to the schema of a message in answers."""
    return {"$ref": _REFERENCE + message.name}


def object_of(properties: Mapping[str, Schema], *, optional: Iterable[str] = (), description: str = "") -> Schema:
    """Returns the schema of an object whose properties are all required, except the optional ones."""
    left_out = set(optional)
    return {
        "type": "object",
        "description": description,
        "required": [name for name in properties if name not in left_out],
        "properties": dict(properties),
    }


def query_parameters(fields: Iterable[RequestField]) -> Iterator[Schema]:
    """Returns the parameters of a query that holds fields of a request."""
    for field in fields:
        yield parameter(field.name, _request_schema(field.field), comment_of(field.field), required=field.required)


def parameter(name: str, schema: Schema, description: str, *, required: bool = False) -> Schema:
    """Returns one parameter of a query."""
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def body_of(fields: Iterable[RequestField]) -> Schema | None:
    """Returns the schema of a body that holds fields of a request; None for no fields."""
    listed = list(fields)
    if not listed:
        return None
    properties = {
        field.name: {**_request_schema(field.field), "description": comment_of(field.field)} for field in listed
    }
    return {
        "type": "object",
        "required": [field.name for field in listed if field.required],
        "properties": properties,
    }


def _request_schema(field: FieldDescriptor) -> Schema:
    if not field.is_repeated:
        return _request_value(field)
    options = options_of(field)
    schema: dict[str, Any] = {"type": "array", "items": _request_value(field)}
    if options.max_items:
        schema |= {"minItems": options.min_items, "maxItems": options.max_items}
    return schema


def _request_value(field: FieldDescriptor) -> Schema:
    if field.message_type is not None:
        return _well_known(field) or body_of(request_fields(message_of(field))) or {"type": "object"}
    if field.enum_type is not None:
        return {"type": "string", "enum": list(accepted_names(field))}
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"type": "boolean"}
    if field.cpp_type in INTEGERS:
        least, most = integer_bounds(field)
        return {"type": "integer", "minimum": least, "maximum": most}
    return _string_schema(field)


def _well_known(field: FieldDescriptor) -> Schema | None:
    """Returns the schema of a message that JSON writes in a form of its own."""
    if is_message(field, TIMESTAMP):
        return {"type": "string", "format": "date-time"}
    return {"type": "object"} if is_message(field, STRUCT) else None


def _string_schema(field: FieldDescriptor) -> Schema:
    options = options_of(field)
    if options.id:
        number = {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER, "description": "An id that is all digits."}
        return {"anyOf": [{"type": "string", "pattern": _ID_PATTERN}, number]}
    schema: dict[str, Any] = {"type": "string"}
    if least := least_length(field):
        schema["minLength"] = least
    if most := options.max_len or options.max_bytes:
        schema["maxLength"] = most
    return schema


def answers(messages: Iterable[Descriptor]) -> dict[str, Schema]:
    """Returns the schemas of messages in answers, and of all that are in them, by name."""
    found: dict[str, Schema] = {}
    waiting = list(messages)
    while waiting:
        message = waiting.pop()
        if message.name not in found:
            found[message.name] = _answer(message)
            waiting += [message_of(field) for field, _ in written_fields(message) if _is_object(field)]
    return dict(sorted(found.items()))


def _is_object(field: FieldDescriptor) -> bool:
    return field.message_type is not None and _well_known(field) is None and keyed_fields(field) is None


def _answer(message: Descriptor) -> Schema:
    fields = list(written_fields(message))
    inlined = [message_of(field) for field, _ in fields if is_inlined(field)]
    fields = [field for field in fields if not is_inlined(field[0])]
    fields += [field for inner in inlined for field in written_fields(inner)]
    return {
        "type": "object",
        "description": comment_of(message),
        "required": [field.json_name for field, always in fields if always],
        "properties": {
            field.json_name: {**_answer_schema(field), "description": comment_of(field)} for field, _ in fields
        },
    }


def _answer_schema(field: FieldDescriptor) -> Schema:
    if pair := keyed_fields(field):
        return {"type": "object", "additionalProperties": _answer_schema(pair[1])}
    return {"type": "array", "items": _answer_value(field)} if field.is_repeated else _answer_value(field)


def _answer_value(field: FieldDescriptor) -> Schema:
    if field.message_type is not None:
        return _well_known(field) or ref(message_of(field))
    if field.enum_type is not None:
        return {"type": "string", "enum": list(enum_names(enum_of(field)).values())}
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"type": "boolean"}
    return {"type": "integer" if field.cpp_type in INTEGERS else "string"}
