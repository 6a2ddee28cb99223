"""Reads the fields of a request into a typed shape, and reports everything that is wrong with them at once.

The sentence about a bad field is made from the JSON schema of its type, which is also what the OpenAPI document
says, so that the check, the document and the sentence can't disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from chassis.errors import InvalidArgumentError
from chassis.rpc.validation import FieldChecks
from gateway.wire.field_errors import map_fields

S = TypeVar("S", bound=msgspec.Struct)


def read_fields(raw: Mapping[str, Any], shape: type[S], *, texts: bool = False) -> S:
    """Makes a `shape` of the fields in `raw`; fields that the shape does not have are passed over.

    A null stands for a field that is left out, as in proto3 JSON.

    Args:
        raw: the fields, by their names on the wire.
        shape: what to make.
        texts: whether the values are texts that stand for numbers and booleans, as in a query; an empty text then
            stands for a field that is left out.

    Raises:
        InvalidArgumentError: INVALID_FIELDS, with every bad field.
    """
    checks = FieldChecks()
    values = {}
    for field in msgspec.structs.fields(shape):
        value = raw.get(field.encode_name)
        if value is None or (texts and value == ""):
            checks.require(not field.required, field.encode_name, "is missing")
            continue
        try:
            values[field.name] = msgspec.convert(value, field.type, strict=not texts)
        except msgspec.ValidationError:
            checks.require(False, field.encode_name, f"must {sentence_of(field.type)}")
    checks.done()
    return shape(**values)


@contextmanager
def fields_renamed(rename: Callable[[str], str]) -> Iterator[None]:
    """Makes a service's complaints speak of the fields as this interface calls them.

    Args:
        rename: from the name of a field in the service's request to its name here.
    """
    try:
        yield
    except InvalidArgumentError as error:
        raise map_fields(error, rename) from error


def sentence_of(type_: Any) -> str:
    """What a value of a type must do or be, such as "be a whole number from 1 to 200"."""
    return _sentence(msgspec.json.schema(type_))


def _sentence(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_sentence(option) for option in schema["anyOf"] if option != {"type": "null"})
    if "enum" in schema:
        return "be one of " + ", ".join(schema["enum"])
    if schema.get("type") == "array":
        return _array(schema)
    if schema.get("type") == "string":
        return _string(schema)
    if schema.get("type") == "integer":
        return _integer(schema)
    return "be true or false" if schema.get("type") == "boolean" else "be an object as the documentation says"


def _array(schema: Mapping[str, Any]) -> str:
    limit = f" of at most {schema['maxItems']}" if "maxItems" in schema else ""
    return f"be a list{limit}, each entry of which must {_sentence(schema['items'])}"


def _string(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return "be a time such as 2026-01-31T12:00:00Z"
    if "maxLength" in schema:
        return f"be a text of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return "be a text"


def _integer(schema: Mapping[str, Any]) -> str:
    if "maximum" in schema:
        return f"be a whole number from {schema['minimum']} to {schema['maximum']}"
    return "be a whole number"
