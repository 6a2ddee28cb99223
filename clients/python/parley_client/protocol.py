"""The frames of the protocol (docs/protocol.md), and how their bodies become objects; `contract` has the objects."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from parley_client.errors import FrameError, ParleyError


class WireObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The base of JSON objects with lowerCamelCase names.

    Subclasses inherit all of these settings; each repeats two of them for type checkers, which do not know that.
    """


class Limits(WireObject, frozen=True, kw_only=True):
    """The server's limits on one connection."""

    frame_bytes: int = 65_536
    text_bytes: int = 16_384
    messages_per_second: float = 0.0


class Empty(WireObject, frozen=True, kw_only=True):
    """An answer without content."""


def request_body(*nullable: str, **fields: object) -> dict[str, object]:
    """Returns the body of a request: the fields that the caller gave, by their names in JSON.

    None stands for a field that is left out, as UNSET does, except for the `nullable` ones: there it is null, which
    clears the field.
    """
    return {
        name: value
        for name, value in fields.items()
        if value is not msgspec.UNSET and (value is not None or name in nullable)
    }


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to the request with the same id: `error` or, if None, `ok`."""

    request_id: int
    ok: msgspec.Raw
    error: ParleyError | None


@dataclass(frozen=True, slots=True)
class EventFrame:
    """An event with an undecoded body."""

    name: str
    body: msgspec.Raw


class _ErrorObject(msgspec.Struct, rename="camel"):
    code: str
    reason: str = ""
    message: str = ""
    retry_after_ms: float | None = None
    fields: dict[str, str] = {}


class _Frame(msgspec.Struct):
    id: int | None = None
    ok: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _ErrorObject | None = None
    event: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"{}")


class _ErrorBody(msgspec.Struct):
    error: _ErrorObject


_FRAME = msgspec.json.Decoder(_Frame)
_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)


_ENCODER = msgspec.json.Encoder()
# Not JSON, or of another shape; nested too deeply; not UTF-8.
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeError)


def encode_request(request_id: int, op: str, body: Mapping[str, object]) -> bytes:
    """Returns a request as the text of one frame."""
    return _ENCODER.encode({"id": request_id, "op": op, "body": body})


def decode_frame(data: str | bytes) -> Reply | EventFrame:
    """Decodes a frame of the server.

    Raises:
        FrameError: the frame is neither a reply nor an event.
    """
    if isinstance(data, bytes):
        raise FrameError("a binary frame; all frames are text")
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


def decode_body(body: msgspec.Raw | bytes, shape: type[T]) -> T:
    """Decodes a body as an object of type `shape`.

    Raises:
        FrameError: the body is not one.
    """
    try:
        decoded: T = _decoder(cast("Hashable", shape)).decode(body)
    except _UNREADABLE as error:
        raise FrameError(f"not a {getattr(shape, '__name__', shape)}: {error}") from error
    return decoded


def decode_error_body(body: bytes) -> ParleyError | None:
    """Returns the error in the body of an HTTP response, which has the form of a reply's; None if there is none."""
    try:
        return _parley_error(_ERROR_BODY.decode(body).error)
    except _UNREADABLE:
        return None


@cache
def _decoder(shape: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast("type[Any]", shape))


def _parley_error(failure: _ErrorObject) -> ParleyError:
    return ParleyError(
        failure.code,
        failure.reason,
        failure.message,
        retry_after_ms=None if failure.retry_after_ms is None else int(failure.retry_after_ms),
        fields=failure.fields,
    )
