"""Requests that nobody should send: every field of a method's request, wrong in every way that its type allows.

What they are made of is read from the descriptors, so that a new field is tried as soon as it is there. Each answer
must be a documented code: what the caller did wrong, never that something of ours broke.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import AppError, Category
from chassis.rpc.channel import Metadata
from chassis.rpc.paging import encode_token
from chassis.rpc.status import from_rpc_error

TIMEOUT: Final = 30.0
REFUSED_WITHIN: Final = 5.0
"""Seconds that a refusal may take to be read once its headers are there; both are one frame."""

DOCUMENTED: Final = frozenset(
    {
        Category.INVALID_ARGUMENT,
        Category.NOT_FOUND,
        Category.ALREADY_EXISTS,
        Category.PERMISSION_DENIED,
        Category.UNAUTHENTICATED,
        Category.FAILED_PRECONDITION,
    }
)
"""What a bad request may be answered with; RESOURCE_EXHAUSTED, UNAVAILABLE and the like would invite a repeat."""

_DEPTH: Final = 4
_MANY: Final = 10_001
_INT32, _INT64 = (1 << 31) - 1, (1 << 63) - 1
_STRINGS: Final = {
    "empty": "",
    "blank": "   ",
    "long": "x" * 20_000,
    "with NUL": "a\x00b",
    "an operator": '{"$gt": ""}',
    "a path": "../../etc/passwd",
    "not ASCII": "ä\u202e🙂",
    "a noncharacter": "\uffff",
}
_TIMES: Final = {
    "after the year 9999": Timestamp(seconds=253_402_300_800),
    "before the year 1": Timestamp(seconds=-62_135_596_801),
    "far in the future": Timestamp(seconds=_INT64),
    "far in the past": Timestamp(seconds=-_INT64 - 1),
    "of negative nanos": Timestamp(seconds=1, nanos=-1),
    "of too many nanos": Timestamp(seconds=1, nanos=1_000_000_000),
}
_CURSORS: Final[Mapping[str, list[Any]]] = {
    "nothing": [],
    "too little": [1],
    "texts": ["a", "b"],
    "numbers": [1, 2],
    "huge": [(1 << 64) - 1, "x"],
    "negative": [-(1 << 63), "x"],
    "nested": [[[[[[]]]]], {"$gt": ""}],
    "an operator": [{"$gt": 0}, {"$gt": ""}],
    "none": [None, None],
    "too much": [1, "x", 3, 4, 5],
    "bytes": [b"\xff", b"\xff"],
    "a fraction": [1.5, "x"],
    "not a number": [float("nan"), "x"],
}


def tokens(query: str) -> dict[str, str]:
    """Page tokens that were never given, and such whose checksum is right for a query: it is no secret."""
    forged = {f"forged with {name}": encode_token(cursor, query) for name, cursor in _CURSORS.items()}
    right = encode_token([1, "x"], query)
    deep = base64.urlsafe_b64encode(b"\x00" * 8 + b"\x91" * 1_400).decode()
    return forged | {
        "truncated": right[:-3],
        "of another listing": encode_token([1, "x"], "another"),
        "not base64": "!" * 12,
        "not ASCII": "ä" * 12,
        "huge": "A" * 100_000,
        "short": "A",
        "deep": deep,
    }


@dataclass(frozen=True)
class Call:
    """A method, how to make a good request of it, and who makes it.

    Attributes:
        good: a request that is answered with OK, or with `answer`.
        metadata: the caller's; a function if each call needs its own, because calls end the session.
        answer: what even the good request is answered with, such as for a credential that is made up.
        queries: what page tokens of the method belong to.
    """

    good: Message
    metadata: Metadata | Callable[[], Awaitable[Metadata]]
    answer: Category | None = None
    queries: tuple[str, ...] = ()

    async def caller(self) -> Metadata:
        """The caller's metadata for one call."""
        return await self.metadata() if callable(self.metadata) else self.metadata


def methods_of(*services: ServiceDescriptor) -> dict[str, MethodDescriptor]:
    """All methods of services, by name."""
    return {method.name: method for service in services for method in service.methods}


_UNTOLD: Final = "Internal error from Core"
"""What gRPC's library says when it was writing while the refusal came: it then forgets what that was."""


async def call_method(
    channel: Any, method: MethodDescriptor, request: Message | bytes, metadata: Metadata
) -> Message | AppError:
    """What a request is answered with; of a stream, the first answer, or what it ends with."""
    while True:
        try:
            return await _response(channel, method, request, metadata)
        except grpc.aio.AioRpcError as error:
            if error.details() != _UNTOLD:
                return from_rpc_error(error)


async def _response(channel: Any, method: MethodDescriptor, request: Message | bytes, metadata: Metadata) -> Message:
    path = f"/{method.containing_service.full_name}/{method.name}"
    response_class = GetMessageClass(method.output_type)
    codecs: dict[str, Any] = {
        "request_serializer": _serialized,
        "response_deserializer": response_class.FromString,
    }
    response: Message = response_class()
    if method.client_streaming:
        stream = channel.stream_stream(path, **codecs)(metadata=metadata, timeout=TIMEOUT)
        await stream.write(request)
        await stream.done_writing()
        while await stream.read() is not grpc.aio.EOF:
            pass
    elif method.server_streaming:
        call = channel.unary_stream(path, **codecs)(request, metadata=metadata, timeout=TIMEOUT)
        await call.initial_metadata()
        # An invalid field is reported at once. A request without fields is refused with the headers or not at all.
        has_fields = method.input_type.fields or isinstance(request, bytes)
        await asyncio.wait(
            [first := asyncio.ensure_future(call.read())], timeout=None if has_fields else REFUSED_WITHIN
        )
        if first.done():
            first.result()
        call.cancel()
    else:
        response = await channel.unary_unary(path, **codecs)(request, metadata=metadata, timeout=TIMEOUT)
    return response


async def answer(
    channel: Any, method: MethodDescriptor, request: Message | bytes, metadata: Metadata
) -> AppError | None:
    """The error that a request is answered with; None for OK."""
    response = await call_method(channel, method, request, metadata)
    return response if isinstance(response, AppError) else None


def _serialized(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


UNREADABLE: Final = {
    "no UTF-8": b"\x0a\x02\xff\xfe",
    "cut off": b"\x0a\x7f\x61",
    "an unknown wire type": b"\x0f",
    "an endless number": b"\x08" + b"\xff" * 11,
    "garbage": bytes(range(255, 200, -1)),
}
"""Bytes that are no message of any type with a string in field 1; of others they may be unknown fields."""


def mutations(good: Message, queries: tuple[str, ...] = ()) -> Iterator[tuple[str, Message]]:
    """A request, each time with one field wrong, by a description of what is."""
    yield "nothing at all", type(good)()
    for place, change in _changes(good.DESCRIPTOR, queries, _DEPTH):
        request = type(good)()
        request.CopyFrom(good)
        change(request)
        yield place, request


Change = Callable[[Any], None]


def _changes(descriptor: Any, queries: tuple[str, ...], depth: int) -> Iterator[tuple[str, Change]]:
    for field in descriptor.fields:
        if field.name == "request_id":
            continue  # any text is a good one, and a good request may use up what it names
        name = field.name
        for label, values in _bad_values(field, queries):
            yield f"{name} {label}", _setting(field, values)
        within = field.message_type is not None and not field.message_type.full_name.startswith("google.")
        if field.message_type is not None and within and depth and not _is_map(field):
            for place, change in _changes(field.message_type, queries, depth - 1):
                yield f"{name}.{place}", _within(field, change)


def _within(field: FieldDescriptor, change: Change) -> Change:
    def apply(message: Any) -> None:
        inner = getattr(message, field.name)
        if field.is_repeated:
            change(inner[0] if len(inner) else inner.add())
        else:
            inner.SetInParent()
            change(inner)

    return apply


def _setting(field: FieldDescriptor, value: Any) -> Change:
    def apply(message: Any) -> None:
        message.ClearField(field.name)
        if field.is_repeated and _is_map(field):
            getattr(message, field.name).update(value)
        elif field.is_repeated:
            getattr(message, field.name).extend(value)
        elif field.message_type is not None:
            if value is not None:
                getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)

    return apply


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _bad_values(field: FieldDescriptor, queries: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if _is_map(field):
        for label, text in _STRINGS.items():
            yield f"to {label}", {0: text}
        yield "of unknown keys", {(1 << 32) - 1: "1-1"}
        return
    if field.is_repeated:
        yield "empty", []
        one = GetMessageClass(field.message_type)() if field.message_type is not None else None
        if one is not None:
            yield "of nothing", [one]
        many = next(iter(_bad_scalars(field, queries)), ("", one))[1] if one is None else one
        yield "of too many", [many] * _MANY
        if one is None:
            for label, value in _bad_scalars(field, queries):
                yield f"of one {label}", [value]
                yield f"of the same {label}", [value, value]
        return
    yield from _bad_scalars(field, queries)


_NUMBERS: Final = {
    FieldDescriptor.TYPE_ENUM: {"none": 0, "unknown": 99, "negative": -1},
    FieldDescriptor.TYPE_INT32: {"negative": -1, "least": -_INT32 - 1, "most": _INT32, "0": 0},
    FieldDescriptor.TYPE_INT64: {"negative": -1, "least": -_INT64 - 1, "most": _INT64, "0": 0},
    FieldDescriptor.TYPE_BOOL: {"the other way": 1},
}


def _bad_scalars(field: FieldDescriptor, queries: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    yield from _NUMBERS.get(field.type, {}).items()
    if field.type == FieldDescriptor.TYPE_STRING:
        yield from _STRINGS.items()
        if field.name == "page_token":
            for query in queries or ("",):
                yield from tokens(query).items()
    if field.message_type is not None:
        yield "missing", None
        if field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
            yield from _TIMES.items()
        if field.message_type.full_name == FieldMask.DESCRIPTOR.full_name:
            yield "of unknown fields", FieldMask(paths=["nothing", "conversation_id", "$set", ""])
            yield "of many fields", FieldMask(paths=["x" * 1_000] * _MANY)


async def check(channel: Any, method: MethodDescriptor, call: Call) -> list[str]:
    """Sends a method everything that is wrong, and then what is right; gives what was answered as it may not be."""
    faults = []
    attempts: list[tuple[str, Message | bytes]] = [*mutations(call.good, call.queries)]
    for label, request in attempts:
        error = await answer(channel, method, request, await call.caller())
        if error is not None and error.category not in DOCUMENTED:
            faults.append(f"{label}: {error.category.name} {error.reason} {error.message}")
    for label, data in UNREADABLE.items():
        if label == "no UTF-8" and not method.input_type.fields:
            continue
        error = await answer(channel, method, data, await call.caller())
        allowed = {None, Category.INVALID_ARGUMENT, call.answer} if label == "no UTF-8" else {Category.INVALID_ARGUMENT}
        if (error.category if error else None) not in allowed:
            faults.append(f"{label}: {error}")
    error = await answer(channel, method, call.good, await call.caller())
    if (error.category if error else None) is not call.answer:
        faults.append(f"the good request, after all of that: {error}")
    return faults
