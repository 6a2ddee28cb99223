"""Strategies for JSON values, good and bad, and for messages that keep the constraints."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

from chassis.contract.fields import (
    INTEGERS,
    MAX_INTEGER,
    STRUCT,
    TIMESTAMP,
    accepted_names,
    integer_bounds,
    is_message,
    least_length,
    message_of,
    options_of,
)
from chassis.contract.methods import message_class

SURROGATES: Final = st.sampled_from(["\ud800", "a\udfff"])
SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-5, 5)
    | st.sampled_from([MAX_INTEGER, MAX_INTEGER + 1, 2**31, 2**63, 10**400])
    | st.floats()
    | st.text(max_size=10)
    | SURROGATES
    | st.sampled_from(["RED", "open", "ann", "2026-01-31T12:00:00Z", "9999-12-31T23:59:59-23:59", "", " "])
)
VALUES: Final[st.SearchStrategy[Any]] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["label", "x", "url", "sizeBytes", "seenTime", "color"]) | st.text(max_size=3) | SURROGATES,
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
"""Any JSON value, and some that Python takes for JSON, such as NaN."""

_CHARACTERS: Final = st.characters(codec="utf-8")
_PLAIN: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(_CHARACTERS, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(_CHARACTERS, max_size=3), inner, max_size=3),
    max_leaves=5,
)


def _times() -> st.SearchStrategy[Timestamp]:
    """Times that the protocol writes in full: with milliseconds."""
    return st.builds(
        lambda seconds, milliseconds: Timestamp(seconds=seconds, nanos=milliseconds * 1_000_000),
        st.integers(-62_135_596_800, 253_402_300_799),
        st.integers(0, 999),
    )


@st.composite
def _structs(draw: st.DrawFn) -> Struct:
    struct = Struct()
    struct.update(draw(st.dictionaries(st.text(_CHARACTERS, max_size=3), _PLAIN, max_size=3)))
    return struct


def _strings(field: FieldDescriptor) -> st.SearchStrategy[str]:
    options = options_of(field)
    if options.id:
        return st.from_regex(r"[A-Za-z0-9_.:@-]{1,64}", fullmatch=True)
    most = options.max_len or options.max_bytes // 4 or 20
    texts = st.text(_CHARACTERS, min_size=least_length(field), max_size=min(most, 20))
    return texts.filter(lambda text: not text.isspace()) if options.not_blank else texts


def _values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if is_message(field, TIMESTAMP):
        return _times()
    if is_message(field, STRUCT):
        return _structs()
    if field.message_type is not None:
        return messages(message_of(field))
    if field.enum_type is not None:
        return st.sampled_from(sorted(accepted_names(field).values()))
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    return st.integers(*integer_bounds(field)) if field.cpp_type in INTEGERS else _strings(field)


@st.composite
def messages(draw: st.DrawFn, message: Descriptor) -> Any:
    """Messages that keep the constraints, some with fields left out that may be; at most one of each oneof."""
    made: Any = message_class(message)()
    for field in message.fields:
        options = options_of(field)
        oneof = field.containing_oneof
        if options.internal or (oneof is not None and made.WhichOneof(oneof.name)):
            continue
        if field.is_repeated:
            most = min(options.max_items or 3, 3)
            values = draw(st.lists(_values(field), min_size=min(options.min_items, 3), max_size=most))
            getattr(made, field.name).extend(values)
        elif options.required or options.id or options.not_blank or draw(st.booleans()):
            value = draw(_values(field))
            if field.message_type is None:
                setattr(made, field.name, value)
            else:
                getattr(made, field.name).CopyFrom(value)
    return made
