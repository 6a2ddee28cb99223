"""Reads JSON objects into requests, by the descriptors, and reports everything that is wrong with one at once.

What JSON adds to a request's form is checked here: that each value has the type of its field, and that what is required
is there. The constraints themselves are the contract's: `chassis.contract.validator`, with the same wording.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.struct_pb2 import NULL_VALUE

from chassis.contract.fields import (
    INTEGERS,
    IS_REQUIRED,
    MAX_INTEGER,
    MAX_STRUCT_LEVELS,
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
from chassis.contract.validator import Problem, invalid_fields, problems_of
from gateway.wire.timestamps import parse_time

NOT_AN_OBJECT: Final = {"body": "must be an object"}
NOTHING_TO_CHANGE: Final = {"body": "must have a field to change"}
_ABSENT: Final = object()
_MAX_DIGITS: Final = 17  # one more than the largest integer has
_PLACE: Final = re.compile(r"[.[]")
_MANY: Final = "is given more than once"

Put = Callable[[Any, Any], Sequence[Problem]]
"""Sets a field of a message to a JSON value. Returns what is wrong: the place within the value, such as "[1].url" or ""
for the value itself, and what must be there."""


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
        raise invalid_fields(_in_order(problems, request))
    return message


def _in_order(problems: Mapping[str, str], request: Descriptor) -> dict[str, str]:
    """Returns problems in the order of the request's fields, as services report them."""
    names = [field.name for field in request_fields(request)]

    def position(problem: tuple[str, str]) -> int:
        name = _PLACE.split(problem[0], maxsplit=1)[0]
        return names.index(name) if name in names else len(names)

    return dict(sorted(problems.items(), key=position))


def _type_problems(body: Mapping[str, Any], message: Any, paths: Any) -> Iterator[Problem]:
    """Sets the fields of a message from a body, and the mask's paths; returns what is absent or has a wrong type."""
    for field in request_fields(message.DESCRIPTOR):
        value = body.get(field.name, _ABSENT)
        if value is _ABSENT or (value is None and not (field.masked and field.field.has_presence)):
            if field.required:
                yield field.name, IS_REQUIRED
            continue
        if field.masked:
            paths.append(field.field.name)
        target = getattr(message, field.inlined_in.name) if field.inlined_in is not None else message
        if problem := _excluded(target, field.field):
            yield field.name, problem
        elif value is not None:
            for place, problem in _put_of(field.field)(target, value):
                yield f"{field.name}{place}", problem


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
    if field.message_type is not None:
        return _message_list(field) if field.is_repeated else _message(field)
    return _scalar_list(field) if field.is_repeated else _scalar(field)


def _scalar(field: FieldDescriptor) -> Put:
    parse, wrong = _parser(field), (("", sentence_of(field)),)

    def put(message: Any, value: Any) -> Sequence[Problem]:
        parsed = parse(value)
        if parsed is _ABSENT:
            return wrong
        setattr(message, field.name, parsed)
        return ()

    return put


def _scalar_list(field: FieldDescriptor) -> Put:
    parse = _parser(field)

    def put(message: Any, value: Any) -> Sequence[Problem]:
        if not isinstance(value, list):
            return (("", list_sentence_of(field)),)
        parsed = [parse(item) for item in value]
        if any(item is _ABSENT for item in parsed):
            return (("", f"each {sentence_of(field)}"),)
        getattr(message, field.name).extend(parsed)
        return ()

    return put


def _message(field: FieldDescriptor) -> Put:
    new, fill = message_class(message_of(field)), _filler(field)

    def put(message: Any, value: Any) -> Sequence[Problem]:
        inner = new()
        problems = fill(inner, value)
        if all(place for place, _ in problems):
            getattr(message, field.name).CopyFrom(inner)
        return problems

    return put


def _message_list(field: FieldDescriptor) -> Put:
    new, fill = message_class(message_of(field)), _filler(field)

    def put(message: Any, value: Any) -> Sequence[Problem]:
        if not isinstance(value, list):
            return (("", list_sentence_of(field)),)
        items, problems = [], []
        for index, item in enumerate(value):
            inner = new()
            for place, problem in fill(inner, item):
                if not place:
                    return (("", f"each {problem}"),)
                problems.append((f"[{index}]{place}", problem))
            items.append(inner)
        getattr(message, field.name).extend(items)
        return problems

    return put


def _filler(field: FieldDescriptor) -> Put:
    """Returns what fills a message of a field's type with the JSON value that stands for it."""
    wrong = (("", sentence_of(field)),)

    def fill_time(message: Any, value: Any) -> Sequence[Problem]:
        time = parse_time(value) if isinstance(value, str) else None
        if time is None:
            return wrong
        message.CopyFrom(time)
        return ()

    def fill_struct(message: Any, value: Any) -> Sequence[Problem]:
        return () if isinstance(value, Mapping) and _fill_struct(message, value, MAX_STRUCT_LEVELS) else wrong

    def fill(message: Any, value: Any) -> Sequence[Problem]:
        if not isinstance(value, Mapping):
            return wrong
        return [(f".{name}", problem) for name, problem in _type_problems(value, message, [])]

    if is_message(field, TIMESTAMP):
        return fill_time
    return fill_struct if is_message(field, STRUCT) else fill


def _fill_struct(struct: Any, value: Mapping[Any, Any], levels: int) -> bool:
    """Sets a Struct to a JSON object; returns whether that was possible."""
    return levels > 0 and all(
        isinstance(name, str) and _is_unicode(name) and _fill_value(struct.fields[name], item, levels - 1)
        for name, item in value.items()
    )


def _fill_value(target: Any, value: Any, levels: int) -> bool:
    if isinstance(value, Mapping):
        target.struct_value.SetInParent()
        return _fill_struct(target.struct_value, value, levels)
    if isinstance(value, list):
        target.list_value.SetInParent()
        values = target.list_value.values
        return levels > 0 and all(_fill_value(values.add(), item, levels - 1) for item in value)
    if isinstance(value, str):
        if not _is_unicode(value):
            return False
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif value is None:
        target.null_value = NULL_VALUE
    else:
        return _fill_number(target, value)
    return True


def _fill_number(target: Any, value: float) -> bool:
    try:
        target.number_value = float(value)
    except OverflowError:
        return False
    return math.isfinite(target.number_value)


def _parser(field: FieldDescriptor) -> Callable[[Any], Any]:
    """Returns what parses a scalar; it returns _ABSENT for a value of another type."""
    if field.enum_type is not None:
        names = accepted_names(field)
        return lambda value: names.get(value, _ABSENT) if isinstance(value, str) else _ABSENT
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return lambda value: value if isinstance(value, bool) else _ABSENT
    if field.cpp_type in INTEGERS:
        least, most = integer_bounds(field)
        if field.cpp_type == FieldDescriptor.CPPTYPE_INT32 and not options_of(field).HasField("lte"):
            return lambda value: min(value, most) if type(value) is int and least <= value <= MAX_INTEGER else _ABSENT
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
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if field.cpp_type in INTEGERS:
        digits = text.removeprefix("-")
        is_integer = digits.isdecimal() and digits.isascii() and len(digits) <= _MAX_DIGITS
        return int(text) if is_integer else text
    return text
