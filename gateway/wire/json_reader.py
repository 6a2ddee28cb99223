"""Reads JSON objects into requests, by the descriptors, and reports everything that is wrong with one at once.

What JSON adds to a request's form is checked here: that each value has the type of its field, and that what is required
is there. The constraints themselves are the contract's: `chassis.contract.validator`, with the same wording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from chassis.contract.fields import (
    INTEGERS,
    IS_REQUIRED,
    MAX_INTEGER,
    STRUCT,
    TIMESTAMP,
    accepted_names,
    integer_bounds,
    is_inlined,
    is_message,
    list_sentence_of,
    mask_of,
    message_of,
    options_of,
    sentence_of,
)
from chassis.contract.methods import message_class
from chassis.contract.validator import invalid_fields, problems_of
from gateway.wire.timestamps import parse_time

NOT_AN_OBJECT: Final = {"body": "must be an object"}
NOTHING_TO_CHANGE: Final = {"body": "must have a field to change"}
_ABSENT: Final = object()
_MANY: Final = "is given more than once"

Put = Callable[[Any, Any], str]
"""Sets a field of a message to a JSON value; returns what the value must be, or nothing."""


class RequestField(NamedTuple):
    """A field of a request's JSON object.

    Attributes:
        name: in JSON.
        field: where its value goes.
        inlined_in: the field of the request whose message holds it; None for one of the request's own.
        required: whether it must be there.
        masked: whether its presence puts it into the update mask.
    """

    name: str
    field: FieldDescriptor
    inlined_in: FieldDescriptor | None
    required: bool
    masked: bool


@cache
def request_fields(request: Descriptor) -> tuple[RequestField, ...]:
    """Returns the fields that the JSON objects of a request may have."""
    return tuple(_request_fields(request))


def _request_fields(request: Descriptor) -> Iterator[RequestField]:
    has_mask = mask_of(request) is not None
    for field in request.fields:
        options = options_of(field)
        if options.internal or field is mask_of(request):
            continue
        if not is_inlined(field):
            yield RequestField(field.json_name, field, None, options.required, False)
            continue
        inner = message_of(field).fields_by_name
        for name in options.inline.keys:
            yield RequestField(inner[name].json_name, inner[name], field, True, False)
        for name in options.inline.fields:
            alone = has_mask and len(options.inline.fields) == 1
            required = alone or (not has_mask and _needed_when_new(inner[name]))
            yield RequestField(inner[name].json_name, inner[name], field, required, has_mask)


def _needed_when_new(field: FieldDescriptor) -> bool:
    """Reports whether a new resource needs a field: what must not be blank must be there."""
    options = options_of(field)
    return options.required or (options.not_blank and not field.is_repeated)


def read_request(body: Any, request: Descriptor) -> Any:
    """Reads a request from a JSON object; fields that it does not have are passed over, and null means absent.

    Raises:
        InvalidArgumentError: INVALID_FIELDS, with every bad field.
    """
    if body is None:
        body = {}
    if not isinstance(body, Mapping):
        raise invalid_fields(NOT_AN_OBJECT)
    message: Any = message_class(request)()
    mask = mask_of(request)
    paths = getattr(message, mask.name).paths if mask else []
    problems = dict(_type_problems(body, message, paths))
    if mask is not None and not paths and not problems:
        problems = dict(NOTHING_TO_CHANGE)
    _mark_present(message, request)
    for name, problem in problems_of(message):
        if mask is None or name != mask.json_name:  # no field of the body: NOTHING_TO_CHANGE says it
            problems.setdefault(name, problem)
    if problems:
        raise invalid_fields(problems)
    return message


def _type_problems(body: Mapping[str, Any], message: Any, paths: Any) -> Iterator[tuple[str, str]]:
    """Sets the fields of a request from a body, and the mask's paths; returns what is absent or has a wrong type."""
    for field in request_fields(message.DESCRIPTOR):
        value = body.get(field.name, _ABSENT)
        if value is _ABSENT or (value is None and not (field.masked and field.field.has_presence)):
            if field.required:
                yield field.name, IS_REQUIRED
            continue
        if field.masked:
            paths.append(field.field.name)
        target = getattr(message, field.inlined_in.name) if field.inlined_in is not None else message
        if problem := _excluded(target, field.field) or (value is not None and _put_of(field.field)(target, value)):
            yield field.name, problem


def _excluded(message: Any, field: FieldDescriptor) -> str:
    """Says which field of the same oneof is there already."""
    oneof = field.containing_oneof
    other = message.WhichOneof(oneof.name) if oneof is not None else None
    return f"must not be given together with {message.DESCRIPTOR.fields_by_name[other].json_name}" if other else ""


def _mark_present(message: Any, request: Descriptor) -> None:
    """Makes inlined messages present even where all their fields are empty."""
    for field in request.fields:
        if is_inlined(field):
            getattr(message, field.name).SetInParent()


@cache
def _put_of(field: FieldDescriptor) -> Put:
    if field.is_repeated:
        return _list(field)
    if field.message_type is None:
        parse = _parser(field)

        def put(message: Any, value: Any) -> str:
            parsed = parse(value)
            if parsed is _ABSENT:
                return sentence_of(field)
            setattr(message, field.name, parsed)
            return ""

        return put
    return _message(field)


def _message(field: FieldDescriptor) -> Put:
    def put(message: Any, value: Any) -> str:
        parsed = _read_message(field, value)
        if parsed is None:
            return sentence_of(field)
        getattr(message, field.name).CopyFrom(parsed)
        return ""

    return put


def _list(field: FieldDescriptor) -> Put:
    parse = _parser(field) if field.message_type is None else partial(_parse_message, field)

    def put(message: Any, value: Any) -> str:
        if not isinstance(value, list):
            return list_sentence_of(field)
        parsed = [parse(item) for item in value]
        if any(item is _ABSENT for item in parsed):
            return f"each {sentence_of(field)}"
        getattr(message, field.name).extend(parsed)
        return ""

    return put


def _parse_message(field: FieldDescriptor, value: Any) -> Any:
    message = _read_message(field, value)
    return _ABSENT if message is None else message


def _read_message(field: FieldDescriptor, value: Any) -> Message | None:
    """Returns the message that a JSON value stands for; None where it is none."""
    if is_message(field, TIMESTAMP):
        return parse_time(value) if isinstance(value, str) else None
    if not isinstance(value, Mapping):
        return None
    if is_message(field, STRUCT):
        try:
            return ParseDict(dict(value), Struct())
        except (ParseError, ValueError):
            return None
    message: Any = message_class(message_of(field))()
    for inner in request_fields(message_of(field)):
        item = value.get(inner.name)
        if item is not None and _put_of(inner.field)(message, item):
            return None
    return message  # type: ignore[no-any-return]  # a message of the field's type


def _parser(field: FieldDescriptor) -> Callable[[Any], Any]:
    """Returns what parses a scalar; it returns _ABSENT for a value of another type."""
    if field.enum_type is not None:
        names = accepted_names(field)
        return lambda value: names.get(value, _ABSENT) if isinstance(value, str) else _ABSENT
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return lambda value: value if isinstance(value, bool) else _ABSENT
    if field.cpp_type in INTEGERS:
        least, most = integer_bounds(field)
        return lambda value: value if type(value) is int and least <= value <= most else _ABSENT
    if options_of(field).id:
        return _id_of
    return lambda value: value if isinstance(value, str) and _is_unicode(value) else _ABSENT


def _id_of(value: Any) -> Any:
    """Returns a user's id; a CRM whose ids are numbers may write them as such."""
    if type(value) is int and 0 <= value <= MAX_INTEGER:
        return str(value)
    return value if isinstance(value, str) and value and _is_unicode(value) else _ABSENT


def _is_unicode(text: str) -> bool:
    """Reports whether a text can be written in UTF-8: JSON may hold halves of surrogate pairs, which can't."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def body_from_texts(texts: Mapping[str, list[str]], request: Descriptor) -> dict[str, Any]:
    """Returns the JSON object that a query's or path's texts stand for.

    An empty text stands for a field that is left out; a repeated field takes several. Raises InvalidArgumentError.
    """
    body: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in request_fields(request):
        values = [text for text in texts.get(field.name, ()) if text]
        if field.field.is_repeated:
            if values:
                body[field.name] = [_from_text(field.field, text) for text in values]
        elif len(values) > 1:
            problems[field.name] = _MANY
        elif values:
            body[field.name] = _from_text(field.field, values[0])
    if problems:
        raise invalid_fields(problems)
    return body


def _from_text(field: FieldDescriptor, text: str) -> Any:
    """Returns the JSON value of a text; the text itself where it stands for none, which the reader then refuses."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL and field.message_type is None:
        return {"true": True, "false": False}.get(text.lower(), text)
    if field.cpp_type in INTEGERS:
        return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else text
    return text
