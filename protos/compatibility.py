"""Tells where contracts differ from earlier ones such that a peer built from those would be misunderstood.

The rules are those that Buf calls FILE (https://buf.build/docs/breaking/rules): nothing that was there may go, move or
change its number, name or type; what a message no longer needs is reserved, or stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

T = TypeVar("T")
N = TypeVar(
    "N", FileDescriptorProto, DescriptorProto, EnumDescriptorProto, ServiceDescriptorProto, MethodDescriptorProto
)
Named = Mapping[str, T]
_FIELD_TRAITS: Final = ("name", "json_name", "type", "type_name", "label", "proto3_optional")
_METHOD_TRAITS: Final = ("input_type", "output_type", "client_streaming", "server_streaming")


def breaking_changes(before: FileDescriptorSet, after: FileDescriptorSet) -> list[str]:
    """What of `after` breaks peers of `before`, a sentence each."""
    return list(_pairs(_named(before.file), _named(after.file), "file", _file_changes))


def _file_changes(where: str, before: FileDescriptorProto, after: FileDescriptorProto) -> Iterator[str]:
    if before.package != after.package:
        yield f"{where}: package {before.package} became {after.package}"
    yield from _pairs(_named(before.message_type), _named(after.message_type), "message", _message_changes, where)
    yield from _pairs(_named(before.enum_type), _named(after.enum_type), "enum", _enum_changes, where)
    yield from _pairs(_named(before.service), _named(after.service), "service", _service_changes, where)


def _message_changes(where: str, before: DescriptorProto, after: DescriptorProto) -> Iterator[str]:
    fields = {field.number: field for field in after.field}
    for field in before.field:
        if field.number in fields:
            yield from _field_changes(f"{where}.{field.name}", (before, field), (after, fields[field.number]))
        elif not (_reserves(after, field.number) and field.name in after.reserved_name):
            yield f"{where}.{field.name} is gone, and number {field.number} or its name is not reserved"
    for span in before.reserved_range:
        if not (_reserves(after, span.start) and _reserves(after, span.end - 1)):
            yield f"{where}: numbers {span.start} to {span.end - 1} are reserved no more"
    yield from _pairs(_named(before.nested_type), _named(after.nested_type), "message", _message_changes, where)
    yield from _pairs(_named(before.enum_type), _named(after.enum_type), "enum", _enum_changes, where)


def _field_changes(
    where: str,
    before: tuple[DescriptorProto, FieldDescriptorProto],
    after: tuple[DescriptorProto, FieldDescriptorProto],
) -> Iterator[str]:
    yield from _traits(where, _FIELD_TRAITS, before[1], after[1])
    if _oneof(*before) != _oneof(*after):
        yield f"{where} moved from oneof {_oneof(*before)!r} to {_oneof(*after)!r}"


def _oneof(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    return message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""


def _reserves(message: DescriptorProto, number: int) -> bool:
    return any(span.start <= number < span.end for span in message.reserved_range)


def _enum_changes(where: str, before: EnumDescriptorProto, after: EnumDescriptorProto) -> Iterator[str]:
    values = {value.number: value.name for value in after.value}
    for value in before.value:
        if value.number in values:
            if values[value.number] != value.name:
                yield f"{where}.{value.name} is now called {values[value.number]}"
        elif not (_reserves_value(after, value.number) and value.name in after.reserved_name):
            yield f"{where}.{value.name} is gone, and number {value.number} or its name is not reserved"


def _reserves_value(enum: EnumDescriptorProto, number: int) -> bool:
    return any(span.start <= number <= span.end for span in enum.reserved_range)  # of enums, the end is in it


def _service_changes(where: str, before: ServiceDescriptorProto, after: ServiceDescriptorProto) -> Iterator[str]:
    yield from _pairs(_named(before.method), _named(after.method), "method", _method_changes, where)


def _method_changes(where: str, before: MethodDescriptorProto, after: MethodDescriptorProto) -> Iterator[str]:
    yield from _traits(where, _METHOD_TRAITS, before, after)


def _traits(where: str, names: Iterable[str], before: Any, after: Any) -> Iterator[str]:
    for name in names:
        if getattr(before, name) != getattr(after, name):
            yield f"{where}: {name} {getattr(before, name)!r} became {getattr(after, name)!r}"


def _pairs(
    before: Named[T],
    after: Named[T],
    kind: str,
    compare: Callable[[str, T, T], Iterator[str]],
    outer: str = "",
) -> Iterator[str]:
    """What is gone, and what changed in what is not."""
    for name, one in before.items():
        where = f"{outer}: {name}" if outer.endswith(".proto") else f"{outer}.{name}".lstrip(".")
        if name in after:
            yield from compare(where, one, after[name])
        else:
            yield f"{where}: the {kind} is gone"


def _named(things: Iterable[N]) -> Named[N]:
    return {thing.name: thing for thing in things}
