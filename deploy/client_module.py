"""The Python client's `contract.py`, from the contracts: the objects, a reply for each op, and a method for each op.

An RPC with an op needs no line here or in the client. The rules:

- Attributes and arguments have the JSON names in snake_case. The first field of an object, where it is a string that is
  always written, identifies the object and is required. All other fields have proto3's defaults, so the client
  understands newer and sparser servers.
- Enums are `Literal` types in requests. In objects they are plain strings: a newer server may send new names.
- A method returns the whole reply, even one with a single field, so adding a field to a reply breaks no caller.
"""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

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

_Named = TypeVar("_Named", Descriptor, EnumDescriptor)

_WIDTH: Final = 120
_TAB: Final = "    "
_HEADER: Final = '''"""The contract's objects, replies and ops, generated from protos/ by `make reference`; do not edit.

Objects ignore fields that they do not know, and fields that the server leaves out have proto3's defaults. The values of
enums are plain strings, because a newer server may send new names; the `Literal` types list those known here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec

from parley_client.protocol import Empty, WireObject, request_body

T = TypeVar("T")
'''
_CLASS: Final = '''class Operations(ABC):
    """A method for each op of the contract. All of them go through `call`."""

    @abstractmethod
    async def call(
        self,
        op: str,
        body: Mapping[str, object],
        shape: type[T],
        *,
        repeatable: bool | None = None,
        deadline_seconds: float | msgspec.UnsetType | None = msgspec.UNSET,
    ) -> T:
        """Makes a request and returns its reply as `shape`; see Client.call."""
'''


def client_module(methods: Iterable[Method], comments: Mapping[str, str]) -> str:
    """Returns the source of the client's module, formatted as ruff does.

    Args:
        methods: the RPCs; those without an op are left out.
        comments: the comments of the contracts by full name.

    Raises:
        ValueError: two messages or enums would get the same name, or a field has a type that the protocol has not.
    """
    return _Module([method for method in methods if method.op.name], comments).source()


class _Module:
    """The objects, enums and replies that the ops need, each once, by its name in Python."""

    def __init__(self, methods: Sequence[Method], comments: Mapping[str, str]) -> None:
        self._methods = methods
        self._comments = comments
        self._objects: dict[str, Descriptor] = {}
        self._enums: dict[str, EnumDescriptor] = {}
        self._replies: dict[str, Descriptor] = {}
        for method in methods:
            self._collect(method)

    def _collect(self, method: Method) -> None:
        for field in request_fields(method.input):
            self._collect_type(field.field)
        if _has_reply(method):
            self._add(self._replies, method.output)
            self._collect_types(method.output)

    def _collect_types(self, message: Descriptor) -> None:
        for field, _ in _object_fields(message):
            self._collect_type(field)

    def _collect_type(self, field: FieldDescriptor) -> None:
        if field.enum_type is not None:
            self._add(self._enums, enum_of(field))
        elif _is_object(field) and self._add(self._objects, message_of(field)):
            self._collect_types(message_of(field))

    def _add(self, named: dict[str, _Named], descriptor: _Named) -> bool:
        """Adds a message or enum; returns whether it is new."""
        name = _python_name(descriptor)
        known: list[Mapping[str, Descriptor | EnumDescriptor]] = [self._objects, self._enums, self._replies]
        for other in (descriptors[name] for descriptors in known if name in descriptors):
            if other.full_name != descriptor.full_name:
                raise ValueError(f"{other.full_name} and {descriptor.full_name} would both be {name}")
        new = name not in named
        named[name] = descriptor
        return new

    def source(self) -> str:
        """Returns the module."""
        enums = (self._enum(name, self._enums[name]) for name in sorted(self._enums))
        top = "\n".join([_HEADER, *enums, self._tables()])
        structs = [self._struct(name, message) for name, message in (*self._objects.items(), *self._replies.items())]
        methods = "\n".join([_CLASS, *(self._method(method) for method in self._methods)])
        return "\n\n".join([top, *structs, methods])

    def _enum(self, name: str, enum: EnumDescriptor) -> str:
        names = enum_names(enum)
        values = [
            (names[value.number], self._comment(f"{enum.full_name}.{value.name}"))
            for value in enum.values
            if value.number
        ]
        alias = _exploded(f"{name} = Literal[", [f'"{value}"' for value, _ in values], "]")
        return f"{alias}\n{_docstring(self._comment(enum.full_name), 'Values', values)}\n"

    def _tables(self) -> str:
        reads = [f'"{method.op.name}"' for method in self._methods if _is_read(method)]
        changes = [f'"{method.op.name}"' for method in self._methods if method.has_request_id]
        return "\n".join(
            [
                _exploded("READS: Final = frozenset(", [_exploded("{", reads, "}")], ")", trailing_comma=False),
                '"""The ops that change nothing."""\n',
                _exploded("CHANGES: Final = frozenset(", [_exploded("{", changes, "}")], ")", trailing_comma=False),
                '"""The ops that take a `requestId`, by which the server recognizes a repeat."""\n',
            ]
        )

    def _struct(self, name: str, message: Descriptor) -> str:
        fields = list(_object_fields(message))
        comments = [(_snake(field.json_name), self._comment(field.full_name)) for field, _ in fields]
        lines = [
            _docstring(self._comment(message.full_name), "Attributes", comments, indent=1),
            "",
            *(_attribute(field, required=_is_required(field, always=always)) for field, always in fields),
        ]
        return f"class {name}(WireObject, frozen=True, kw_only=True):\n{_indented(lines)}\n"

    def _method(self, method: Method) -> str:
        fields = request_fields(method.input)
        reply = _python_name(method.output) if _has_reply(method) else None
        comments = [(_snake(field.name), self._argument_comment(field)) for field in fields]
        arguments = ["self", *(["*"] if fields else []), *(_argument(field) for field in fields)]
        body = _fitting("request_body(", _body_arguments(fields), ")", indent=3) if fields else "{}"
        call = _fitting("await self.call(", [f'"{method.op.name}"', body, reply or "Empty"], ")", indent=2, extra=7)
        lines = [
            _docstring(self._comment(method.descriptor.full_name), "Args", comments, indent=2),
            f"return {call}" if reply else call,
        ]
        header = _fitting(f"async def {_snake(method.op.name)}(", arguments, f") -> {reply}:", indent=1)
        return _indented([header, _indented(lines)]) + "\n"

    def _argument_comment(self, field: RequestField) -> str:
        comment = self._comment(field.field.full_name)
        return f"{comment} None clears it." if _is_nullable(field) else comment

    def _comment(self, full_name: str) -> str:
        return self._comments.get(full_name) or f"See {full_name}."


# Messages as the client sees them.


def _object_fields(message: Descriptor) -> Iterator[tuple[FieldDescriptor, bool]]:
    """Returns the fields of an object, inlined ones included, and whether each is always there."""
    for field, always in written_fields(message):
        if is_inlined(field):
            yield from _object_fields(message_of(field))
        else:
            yield field, always


def _has_reply(method: Method) -> bool:
    return not method.op.empty_reply and any(_object_fields(method.output))


def _is_reply(message: Descriptor | None) -> bool:
    return message is not None and message.name.endswith("Response")


def _is_read(method: Method) -> bool:
    return any(binding.verb == "GET" for binding in method.bindings)


def _is_object(field: FieldDescriptor) -> bool:
    return is_message(field) and not (
        is_message(field, TIMESTAMP) or is_message(field, STRUCT) or keyed_fields(field) is not None
    )


def _is_required(field: FieldDescriptor, *, always: bool) -> bool:
    """Reports whether an object that lacks the field is malformed; see the rules above."""
    if field.is_repeated or not always:
        return False
    if _is_reply(field.containing_type):
        return _is_object(field)
    return field.index == 0 and _item_type(field)[0] == "str" and field.enum_type is None


def _is_nullable(field: RequestField) -> bool:
    """Reports whether null clears a field; elsewhere null leaves it out."""
    return field.masked and bool(field.field.has_presence)


# Python source of fields.


def _python_name(descriptor: Descriptor | EnumDescriptor) -> str:
    """Returns the name of a message or enum without its package; a nested one begins with the outer one's name."""
    return str(descriptor.full_name).removeprefix(f"{descriptor.file.package}.").replace(".", "")


def _snake(name: str) -> str:
    """Returns a JSON or op name, such as "notification.unreadCount", in snake_case."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace(".", "_").lower()
    return f"{snake}_" if keyword.iskeyword(snake) else snake


def _camel(name: str) -> str:
    """Returns a name as msgspec renames an attribute for JSON."""
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)


def _attribute(field: FieldDescriptor, *, required: bool) -> str:
    name, (type_, default) = _snake(field.json_name), _attribute_type(field)
    if required:
        type_, default = type_.removesuffix(" | None"), ""
    if _camel(name) != field.json_name:
        options = [f"default={default}"] if default else []
        default = f"msgspec.field({', '.join([*options, f'name={_quoted(field.json_name)}'])})"
    return f"{name}: {type_} = {default}" if default else f"{name}: {type_}"


def _attribute_type(field: FieldDescriptor) -> tuple[str, str]:
    """Returns the type of an attribute and its default."""
    if pair := keyed_fields(field):
        key, value = pair
        return f"dict[{_attribute_type(key)[0]}, {_attribute_type(value)[0]}]", "{}"
    type_, default = _item_type(field)
    if field.is_repeated:
        return f"list[{type_}]", "[]"
    if field.has_presence and not is_message(field, STRUCT):
        return f"{type_} | None", "None"
    return type_, default


_SCALARS: Final = {
    **dict.fromkeys(INTEGERS, ("int", "0")),
    FieldDescriptor.CPPTYPE_BOOL: ("bool", "False"),
    FieldDescriptor.CPPTYPE_ENUM: ("str", '""'),
    FieldDescriptor.CPPTYPE_STRING: ("str", '""'),
}


def _item_type(field: FieldDescriptor) -> tuple[str, str]:
    if is_message(field, TIMESTAMP):
        return "datetime", "None"
    if is_message(field, STRUCT):
        return "dict[str, object]", "{}"
    if field.message_type is not None:
        return _python_name(message_of(field)), "None"
    if field.cpp_type not in _SCALARS:
        raise ValueError(f"{field.full_name} has a type that the protocol has not")
    return _SCALARS[field.cpp_type]


def _argument(field: RequestField) -> str:
    type_ = _argument_type(field.field)
    if _is_nullable(field):
        type_ += " | None" if field.required else " | msgspec.UnsetType | None = msgspec.UNSET"
    elif not field.required:
        type_ += " | None = None"
    argument = f"{_snake(field.name)}: {type_}"
    fits = 2 * len(_TAB) + len(argument) < _WIDTH
    return argument if fits else argument.replace(" | ", "\n| ")


def _argument_type(field: FieldDescriptor) -> str:
    type_, _ = _item_type(field)
    if field.enum_type is not None:
        names = accepted_names(field)
        has_alias = len(names) == len(enum_names(enum_of(field)))
        type_ = _python_name(enum_of(field)) if has_alias else f"Literal[{', '.join(map(_quoted, names))}]"
    elif is_message(field, STRUCT):
        type_ = "Mapping[str, object]"
    return f"Sequence[{type_}]" if field.is_repeated else type_


def _body_arguments(fields: Iterable[RequestField]) -> list[str]:
    """Returns the arguments of `request_body`: the names of the fields that null clears, then all fields."""
    nullable = [_quoted(field.name) for field in fields if _is_nullable(field)]
    return [*nullable, *(_body_argument(field.name) for field in fields)]


def _body_argument(name: str) -> str:
    return f"**{{{_quoted(name)}: {_snake(name)}}}" if keyword.iskeyword(name) else f"{name}={_snake(name)}"


# Formatting.


def _quoted(name: str) -> str:
    return f'"{name}"'


def _fitting(start: str, items: Sequence[str], end: str, *, indent: int, extra: int = 0) -> str:
    """Returns a list of items in one line, or in a line for each where one is too long.

    Args:
        start: what opens the list.
        items: the items.
        end: what closes it.
        indent: the depth of the line.
        extra: the number of characters before `start`.
    """
    line = f"{start}{', '.join(items)}{end}"
    fits = "\n" not in line and len(_TAB) * indent + extra + len(line) <= _WIDTH
    return line if fits else _exploded(start, items, end)


def _exploded(start: str, items: Iterable[str], end: str, *, trailing_comma: bool = True) -> str:
    comma = "," if trailing_comma else ""
    return "\n".join([start, *(_indented([f"{item}{comma}"]) for item in items), end])


def _indented(lines: Iterable[str]) -> str:
    return textwrap.indent("\n".join(lines), _TAB)


def _docstring(text: str, title: str, items: Sequence[tuple[str, str]], indent: int = 0) -> str:
    """Returns a docstring, to be indented: the first sentence, the others, and a list of items with comments."""
    width = _WIDTH - len(_TAB) * indent
    first, _, others = text.partition(". ")
    paragraphs = [textwrap.fill(f'"""{first.removesuffix(".")}.', width)]
    if others:
        paragraphs.append(textwrap.fill(others, width))
    if items:
        entries = [
            textwrap.fill(f"{name}: {about}", width, initial_indent=_TAB, subsequent_indent=2 * _TAB)
            for name, about in items
        ]
        paragraphs.append("\n".join([f"{title}:", *entries]))
    body = "\n\n".join(paragraphs).replace("\\", "\\\\")
    return f'{body}\n"""' if "\n" in body or body.endswith('"') or len(body) + 3 > width else f'{body}"""'
