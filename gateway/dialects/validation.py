"""What the bodies of requests must look like, and what is wrong with one that doesn't: every field by its name.

msgspec decodes and checks a good body at once, but stops at the first problem of a bad one, in words of its own. So
a bad one is read again here, field by field, and each problem is said as what the field must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.inspect import BoolType, IntType, ListType, NoneType, StrType, StructType, Type, UnionType, type_info
from msgspec.structs import FieldInfo, fields

from chassis.errors import InvalidArgumentError
from gateway.wire.enum_names import EnumNames

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON implementation keeps."""

Id = Annotated[str, Meta(min_length=1, max_length=64)]
"""Any id of an object."""

AccessToken = Annotated[str, Meta(min_length=1, max_length=8_192)]
"""An access token."""


class Form(Struct, rename="camel"):
    """A body. Unknown fields are ignored, and null is the same as absent unless a field's type has None."""


F = TypeVar("F", bound=Form)


def invalid(problems: Mapping[str, str]) -> InvalidArgumentError:
    """The error for bad fields, each by its name in the contract."""
    summary = "; ".join(f"{field} {sentence}" for field, sentence in problems.items())
    return InvalidArgumentError("INVALID_FIELDS", summary, fields=problems)


def number_of(names: EnumNames, field: str, name: str) -> int:
    """The number of an enum's name. Raises InvalidArgumentError."""
    number = names.number(name)
    if number is None:
        raise invalid({field: f"must be one of {', '.join(names.names)}"})
    return number


def read(body: Any, form: type[F]) -> F:
    """Reads a body: a good one at once, as most are. Raises InvalidArgumentError, naming every bad field."""
    try:
        return msgspec.convert({} if body is None else body, form)
    except msgspec.ValidationError:
        return read_form(body, form)


def read_form(body: Any, form: type[F]) -> F:
    """Reads a body that was decoded without regard to its form. Raises InvalidArgumentError, naming every bad field."""
    if body is None:
        body = {}
    if not isinstance(body, dict):
        raise invalid({"body": "must be an object"})
    problems: dict[str, str] = {}
    given: dict[str, Any] = {}
    for field in fields(form):
        name = field.encode_name
        if name not in body or (body[name] is None and not _may_be_null(field.type)):
            if field.required:
                problems[name] = "is missing"
        elif problem := _problem(body[name], field):
            problems[name] = problem
        else:
            given[name] = body[name]
    if problems:
        raise invalid(problems)
    return msgspec.convert(given, form)


def _problem(value: Any, field: FieldInfo) -> str:
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        return f"must be {_described(type_info(field.type))}"
    return ""


@cache
def _may_be_null(annotation: Any) -> bool:
    kind = type_info(annotation)
    return isinstance(kind, UnionType) and any(isinstance(part, NoneType) for part in kind.types)


def _described(kind: Type) -> str:
    """Says what values of a type are, to people who write front-ends and need not know Python."""
    if isinstance(kind, UnionType):
        return " or ".join(_described(part) for part in kind.types)
    if isinstance(kind, ListType):
        return f"a list{_of(kind.min_length, kind.max_length, ' items')}, each {_described(kind.item_type)}"
    if isinstance(kind, StructType):
        return f"an object with {', '.join(part.encode_name for part in kind.fields)}"
    if isinstance(kind, StrType):
        return f"a string{_of(kind.min_length, kind.max_length, ' characters')}"
    if isinstance(kind, IntType):
        return f"an integer{_of(kind.ge, None if kind.le == MAX_INTEGER else kind.le, '')}"
    return _PLAIN[type(kind)]


_PLAIN: Final[dict[type[Type], str]] = {BoolType: "true or false", NoneType: "null"}


def _of(least: int | None, most: int | None, unit: str) -> str:
    if least is not None and most is not None:
        return f" of {least} to {most}{unit}"
    if most is not None:
        return f" of at most {most}{unit}"
    return "" if least is None else f" of at least {least}{unit}"
