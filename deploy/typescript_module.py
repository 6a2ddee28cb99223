"""The TypeScript client's `contract.ts`, from the contracts: the objects, and the request and reply of each op.

An RPC with an op needs no line here or in the client. In objects every enum also admits other texts, because a newer
server may send new names.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from chassis.contract.fields import (
    INTEGERS,
    STRUCT,
    TIMESTAMP,
    accepted_names,
    enum_names,
    enum_of,
    is_inlined,
    is_message,
    keyed_fields,
    message_of,
)
from chassis.contract.methods import Method
from gateway.wire.json_reader import RequestField, request_fields
from gateway.wire.json_writer import written_fields

_WIDTH: Final = 120
_SCALARS: Final = {
    **dict.fromkeys(INTEGERS, "number"),
    FieldDescriptor.CPPTYPE_BOOL: "boolean",
    FieldDescriptor.CPPTYPE_STRING: "string",
}
_HEADER: Final = """// Generated from protos/ by `make reference`; do not edit.

/** An RFC 3339 time with milliseconds, such as "2026-01-31T12:00:00.000Z". */
export type Time = string;
"""


def typescript_module(methods: Iterable[Method], comments: Mapping[str, str]) -> str:
    """Returns the source of the module.

    Args:
        methods: the RPCs; those without an op are left out.
        comments: the comments of the contracts by full name.

    Raises:
        ValueError: two messages or enums would get the same name, or a field has a type that the protocol has not.
    """
    return _Module([method for method in methods if method.op.name], comments).source()


class _Module:
    """The objects and enums that the ops need, each once."""

    def __init__(self, methods: list[Method], comments: Mapping[str, str]) -> None:
        self._methods = methods
        self._comments = comments
        self._types: dict[str, tuple[str, str]] = {}

    def source(self) -> str:
        """Returns the module; collecting the ops also collects the types that they name."""
        requests = [self._entry(method, self._request(method)) for method in self._methods]
        replies = [self._entry(method, self._reply(method)) for method in self._methods]
        types = [source for _, source in self._types.values()]
        reads = [method.op.name for method in self._methods if _is_read(method)]
        changes = [method.op.name for method in self._methods if method.has_request_id]
        return "\n".join(
            [
                _HEADER,
                *types,
                _table("Requests", "The body of each op's request.", requests),
                _table("Replies", "The `ok` of each op's reply.", replies),
                _set("READS", "The ops that change nothing.", reads),
                _set("CHANGES", "The ops that take a `requestId`, by which the server recognizes a repeat.", changes),
            ]
        )

    def _entry(self, method: Method, type_: str) -> str:
        comment = _comment(self._text(method.descriptor.full_name), 1)
        return f'{comment}  "{method.op.name}": {type_};\n'

    def _request(self, method: Method) -> str:
        fields = [self._request_field(field) for field in request_fields(method.input)]
        return f"{{ {'; '.join(fields)} }}" if fields else "Record<string, never>"

    def _request_field(self, field: RequestField) -> str:
        type_ = self._field_type(field.field, accepted=True)
        if field.masked and field.field.has_presence:
            type_ += " | null"  # clears the field
        return f"{field.name}{'' if field.required else '?'}: {type_}"

    def _reply(self, method: Method) -> str:
        if method.op.empty_reply:
            return "Record<string, never>"
        fields = [self._object_field(*field) for field in _object_fields(method.output)]
        return f"{{ {'; '.join(fields)} }}" if fields else "Record<string, never>"

    def _object_field(self, field: FieldDescriptor, always: bool) -> str:
        return f"{field.json_name}{'' if always else '?'}: {self._field_type(field, accepted=False)}"

    def _field_type(self, field: FieldDescriptor, *, accepted: bool) -> str:
        if pair := keyed_fields(field):
            return f"Record<string, {self._field_type(pair[1], accepted=accepted)}>"
        type_ = self._item_type(field, accepted=accepted)
        if field.is_repeated:
            return f"{type_}[]" if type_.isalnum() else f"({type_})[]"
        return type_

    def _item_type(self, field: FieldDescriptor, *, accepted: bool) -> str:
        if field.message_type is not None:
            return self._message_type(field)
        if field.enum_type is not None:
            return self._enum_type(field, accepted=accepted)
        if field.cpp_type not in _SCALARS:
            raise ValueError(f"{field.full_name} has a type that the protocol has not")
        return _SCALARS[field.cpp_type]

    def _message_type(self, field: FieldDescriptor) -> str:
        if is_message(field, TIMESTAMP):
            return "Time"
        return "Record<string, unknown>" if is_message(field, STRUCT) else self._object(message_of(field))

    def _enum_type(self, field: FieldDescriptor, *, accepted: bool) -> str:
        if not accepted:
            return self._enum(enum_of(field)) + " | (string & {})"
        names = list(accepted_names(field))
        return self._enum(enum_of(field)) if names == [*_names(enum_of(field))] else " | ".join(map(_quoted, names))

    def _enum(self, enum: EnumDescriptor) -> str:
        def source(name: str) -> str:
            names = " | ".join(map(_quoted, _names(enum)))
            return f"{_comment(self._text(enum.full_name))}export type {name} = {names};\n"

        name = _name(enum)
        if self._is_new(name, enum.full_name):
            self._types[name] = (enum.full_name, source(name))
        return name

    def _object(self, message: Descriptor) -> str:
        name = _name(message)
        if self._is_new(name, message.full_name):
            self._types[name] = (message.full_name, "")  # a message may hold itself
            fields = "".join(
                f"{_comment(self._text(field.full_name), 1)}  {self._object_field(field, always)};\n"
                for field, always in _object_fields(message)
            )
            source = f"{_comment(self._text(message.full_name))}export interface {name} {{\n{fields}}}\n"
            self._types[name] = (message.full_name, source)
        return name

    def _is_new(self, name: str, full_name: str) -> bool:
        known, _ = self._types.get(name, (full_name, ""))
        if known != full_name:
            raise ValueError(f"{known} and {full_name} would both be {name}")
        return name not in self._types

    def _text(self, full_name: str) -> str:
        return self._comments.get(full_name) or f"See {full_name}."


def _object_fields(message: Descriptor) -> Iterator[tuple[FieldDescriptor, bool]]:
    for field, always in written_fields(message):
        if is_inlined(field):
            yield from _object_fields(message_of(field))
        else:
            yield field, always


def _is_read(method: Method) -> bool:
    return any(binding.verb == "GET" for binding in method.bindings)


def _names(enum: EnumDescriptor) -> Iterator[str]:
    names = enum_names(enum)
    return (names[value.number] for value in enum.values if value.number)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _name(descriptor: Descriptor | EnumDescriptor) -> str:
    return str(descriptor.full_name).removeprefix(f"{descriptor.file.package}.").replace(".", "")


def _comment(text: str, depth: int = 0) -> str:
    indent = "  " * depth
    text = text.replace("*/", "* /")
    if len(line := f"{indent}/** {text} */\n") <= _WIDTH:
        return line
    lines = textwrap.fill(text, _WIDTH, initial_indent=f"{indent} * ", subsequent_indent=f"{indent} * ")
    return f"{indent}/**\n{lines}\n{indent} */\n"


def _table(name: str, about: str, entries: Iterable[str]) -> str:
    return f"/** {about} */\nexport interface {name} {{\n{''.join(entries)}}}\n"


def _set(name: str, about: str, ops: Iterable[str]) -> str:
    items = "".join(f'  "{op}",\n' for op in ops)
    return f"/** {about} */\nexport const {name}: ReadonlySet<string> = new Set([\n{items}]);\n"
