"""Validates requests against the constraints beside their fields: one validator, with one wording, for every door.

The check of a message is compiled once from its descriptor. What depends on the state of the system is checked by the
services; this is about form alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from chassis.contract.fields import (
    INTEGERS,
    IS_REQUIRED,
    TIMESTAMP,
    accepted_names,
    integer_bounds,
    is_inlined,
    is_message,
    least_length,
    list_sentence_of,
    mask_of,
    message_of,
    options_of,
    sentence_of,
)
from chassis.errors import InvalidArgumentError
from chassis.rpc.validation import MAX_PROBLEMS, USER_ID_PATTERN, FieldChecks

Problem = tuple[str, str]
Check = Callable[[Any], Iterator[Problem]]
_FIRST_SECOND: Final = -62_135_596_800  # of the year 1
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_NANOS: Final = 1_000_000_000


class _FieldCheck(NamedTuple):
    name: str
    json_name: str
    check: Check


def validate(message: Message) -> None:
    """Checks a request, or an item of one. Raises InvalidArgumentError (INVALID_FIELDS), naming fields as JSON does."""
    _report(problems_of(message))


def validate_envelope(request: Message) -> None:
    """Checks all but the items of a request, whose RPC checks each item itself. Raises as `validate` does."""
    check = _check_of(request.DESCRIPTOR, within_lists=False)
    if check is not None:
        _report(check(request))


def _report(problems: Iterator[Problem]) -> None:
    checks = FieldChecks()
    for field, sentence in islice(problems, MAX_PROBLEMS):
        checks.require(False, field, sentence)
    checks.done()


def problems_of(request: Message) -> Iterator[Problem]:
    """Returns what is wrong with a request: the bad fields, named as JSON does, each with what it must be."""
    check = _check_of(request.DESCRIPTOR)
    return iter(()) if check is None else check(request)


@cache
def _check_of(message: Descriptor, *, within_lists: bool = True) -> Check | None:
    """Compiles the check of a message; None where nothing about it can be wrong.

    Args:
        message: its descriptor.
        within_lists: whether to check the messages in its repeated fields too.
    """
    fields = list(_field_checks(message, within_lists))
    if not fields:
        return None

    def check(request: Any) -> Iterator[Problem]:
        for field in fields:
            yield from field.check(request)

    return check


def _field_checks(message: Descriptor, within_lists: bool) -> Iterator[_FieldCheck]:
    mask = mask_of(message)
    for field in message.fields:
        if is_inlined(field):
            yield _FieldCheck(field.name, field.json_name, _inline_check(field, mask))
        elif (check := _check_field(field, within_lists=within_lists)) is not None:
            yield _FieldCheck(field.name, field.json_name, check)


def _inline_check(field: FieldDescriptor, mask: FieldDescriptor | None) -> Check:
    """Checks those fields of an inlined message that the request may set; with a mask, those that it names."""
    inline, inner = options_of(field).inline, message_of(field).fields_by_name
    keys = [check for name in inline.keys if (check := _check_field(inner[name], required=True)) is not None]
    fields = [(inner[name], _must_say_something(inner[name])) for name in inline.fields]
    new = [check for each, needed in fields if (check := _check_field(each, required=needed)) is not None]
    changed = {each.name: _check_field(each, required=needed) for each, needed in fields}
    unknown = "may only have " + ", ".join(inline.fields)

    def check_new(request: Any) -> Iterator[Problem]:
        message = getattr(request, field.name)
        for check in (*keys, *new):
            yield from check(message)

    def check_changed(request: Any) -> Iterator[Problem]:
        message = getattr(request, field.name)
        paths = set(getattr(request, mask.name).paths) if mask else set()  # a mask may name a field many times
        for check in keys:
            yield from check(message)
        if mask and not paths <= changed.keys():
            yield mask.json_name, unknown
        if mask and not paths and len(changed) > 1:
            yield mask.json_name, "must name a field"
        for name, check_of_field in changed.items():
            if check_of_field is not None and (name in paths or (not paths and len(changed) == 1)):
                yield from check_of_field(message)

    return check_new if mask is None else check_changed


def _must_say_something(field: FieldDescriptor) -> bool:
    """Reports whether a field that a request sets must not be empty."""
    options = options_of(field)
    return not field.is_repeated and (options.required or options.not_blank)


def _check_field(field: FieldDescriptor, *, required: bool | None = None, within_lists: bool = True) -> Check | None:
    """Compiles the check of one field; None where every value of it is good."""
    options = options_of(field)
    if required is None:
        required = options.required
    if field.is_repeated:
        return _list_check(field, within_lists)
    if field.message_type is not None and not is_message(field, TIMESTAMP):
        return _message_check(field, required)
    problem = _scalar_problem(field, required)
    name, json_name, has_presence = field.name, field.json_name, field.has_presence
    if problem is None and not (required and has_presence):
        return None

    def check(message: Any) -> Iterator[Problem]:
        if has_presence and not message.HasField(name):
            if required:
                yield json_name, IS_REQUIRED
        elif problem is not None and (sentence := problem(getattr(message, name))):
            yield json_name, sentence

    return check


def _list_check(field: FieldDescriptor, within: bool) -> Check | None:
    options, name, json_name = options_of(field), field.name, field.json_name
    least, most = options.min_items, options.max_items
    inner = _check_of(message_of(field)) if within and is_message(field) and not _is_google(field) else None
    problem = None if inner is not None else _scalar_problem(field, True)
    if not (least or most or inner or problem):
        return None

    def check(message: Any) -> Iterator[Problem]:
        items = getattr(message, name)
        if len(items) < least or (most and len(items) > most):
            yield json_name, list_sentence_of(field)
        elif problem is not None:
            wrong = next(filter(None, map(problem, items)), None)
            if wrong is not None:
                yield json_name, f"each {wrong}"
        elif inner is not None:
            for index, item in enumerate(items):
                for place, sentence in inner(item):
                    yield f"{json_name}[{index}].{place}", sentence

    return check


def _message_check(field: FieldDescriptor, required: bool) -> Check | None:
    if _is_google(field):
        return None
    name, json_name, inner = field.name, field.json_name, _check_of(message_of(field))
    if inner is None and not required:
        return None

    def check(message: Any) -> Iterator[Problem]:
        if not message.HasField(name):
            if required:
                yield json_name, IS_REQUIRED
        elif inner is not None:
            for place, sentence in inner(getattr(message, name)):
                yield f"{json_name}.{place}", sentence

    return check


def _is_google(field: FieldDescriptor) -> bool:
    """Reports whether a field holds a message of Google's, which has no constraints of ours."""
    return message_of(field).full_name.startswith("google.")


def _scalar_problem(field: FieldDescriptor, required: bool) -> Callable[[Any], str | None] | None:
    """Returns what says what is wrong with a value; None where nothing can be."""
    sentence = sentence_of(field)
    if is_message(field, TIMESTAMP):
        return lambda time: (
            None if _FIRST_SECOND <= time.seconds <= _LAST_SECOND and 0 <= time.nanos < _NANOS else sentence
        )
    if field.enum_type is not None:
        accepted = {*accepted_names(field).values(), *(() if required else (0,))}
        return lambda number: None if number in accepted else sentence
    if field.cpp_type in INTEGERS:
        return _integer_problem(field, sentence)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING and field.type != FieldDescriptor.TYPE_BYTES:
        return _string_problem(field, sentence, required)
    return None


def _integer_problem(field: FieldDescriptor, sentence: str) -> Callable[[int], str | None] | None:
    options = options_of(field)
    if not (options.HasField("gte") or options.HasField("lte")):
        return None
    least, most = integer_bounds(field)
    return lambda number: None if least <= number <= most else sentence


def _string_problem(field: FieldDescriptor, sentence: str, required: bool) -> Callable[[str], str | None] | None:
    options, least = options_of(field), least_length(field)

    def problem(text: str) -> str | None:
        if not text:
            return sentence if required and (least or options.id) else None
        if options.id:
            return None if USER_ID_PATTERN.fullmatch(text) else sentence
        if len(text) < least or (options.max_len and len(text) > options.max_len):
            return sentence
        if options.max_bytes and len(text) * 4 > options.max_bytes and len(text.encode()) > options.max_bytes:
            return sentence
        return "must not be blank" if options.not_blank and text.isspace() else None

    constrained = least or options.id or options.max_len or options.max_bytes
    return problem if constrained else None


def invalid_fields(problems: dict[str, str]) -> InvalidArgumentError:
    """Returns the error that names bad fields, each with what it must be."""
    summary = "; ".join(f"{field} {sentence}" for field, sentence in problems.items())
    return InvalidArgumentError("INVALID_FIELDS", summary, fields=problems)
