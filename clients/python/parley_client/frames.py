"""Bytes to frames and back: the only place that knows how requests, replies and events look as JSON."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from parley_client.errors import FrameError, ParleyError
from parley_client.events import EVENT_TYPES, Event, UnknownEvent

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the request of the same id: `error`, or else `ok`."""

    request_id: int
    ok: msgspec.Raw
    error: ParleyError | None


@dataclass(frozen=True, slots=True)
class EventFrame:
    """An event whose body is still to be decoded, for those who need it."""

    name: str
    body: msgspec.Raw


class _Failure(msgspec.Struct, rename="camel"):
    code: str
    reason: str = ""
    message: str = ""
    retry_after_ms: float | None = None
    fields: dict[str, str] = {}


class _Frame(msgspec.Struct):
    id: int | None = None
    ok: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Failure | None = None
    event: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"{}")


class _ErrorBody(msgspec.Struct):
    error: _Failure


_FRAME = msgspec.json.Decoder(_Frame)
_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)
_ENCODER = msgspec.json.Encoder()
# Not JSON, or not of the shape; nested beyond reason; not text.
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeError)


def encode_request(request_id: int, op: str, body: Mapping[str, object]) -> bytes:
    """The request as the text of one frame."""
    return _ENCODER.encode({"id": request_id, "op": op, "body": body})


def decode_frame(data: str | bytes) -> Reply | EventFrame:
    """What the server said.

    Raises:
        FrameError: when it is neither a reply nor an event.
    """
    if isinstance(data, bytes):
        raise FrameError("a binary frame, where all frames are text")
    try:
        frame = _FRAME.decode(data)
    except _UNREADABLE as error:
        raise FrameError(f"not a frame: {error}") from error
    if frame.event is not None:
        return EventFrame(frame.event, frame.body)
    if frame.id is None:
        raise FrameError("neither a reply nor an event")
    if frame.error is not None:
        return Reply(frame.id, msgspec.Raw(b"{}"), _parley_error(frame.error))
    if isinstance(frame.ok, msgspec.UnsetType):
        raise FrameError("a reply with neither ok nor error")
    return Reply(frame.id, frame.ok, None)


def decode_event(frame: EventFrame) -> Event:
    """The event, as its own type, or as UnknownEvent where this version has none.

    Raises:
        FrameError: when a known event's body has not the fields that it must have.
    """
    known = EVENT_TYPES.get(frame.name)
    if known is not None:
        return decode_body(frame.body, known)
    return UnknownEvent(event=frame.name, body=decode_body(frame.body, dict[str, object]))


def decode_body(body: msgspec.Raw | bytes, shape: type[T]) -> T:
    """The body as an object of that shape.

    Raises:
        FrameError: when it is not one.
    """
    try:
        decoded: T = _decoder(cast("Hashable", shape)).decode(body)
    except _UNREADABLE as error:
        raise FrameError(f"not a {getattr(shape, '__name__', shape)}: {error}") from error
    return decoded


def decode_error_body(body: bytes) -> ParleyError | None:
    """The error that the HTTP interface put in a body, which has the shape of a reply's; None when there is none."""
    try:
        return _parley_error(_ERROR_BODY.decode(body).error)
    except _UNREADABLE:
        return None


@cache
def _decoder(shape: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast("type[Any]", shape))


def _parley_error(failure: _Failure) -> ParleyError:
    return ParleyError(
        failure.code,
        failure.reason,
        failure.message,
        retry_after_ms=None if failure.retry_after_ms is None else int(failure.retry_after_ms),
        fields=failure.fields,
    )
