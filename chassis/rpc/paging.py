"""Page sizes and page tokens of listings."""

from __future__ import annotations

import base64
from hashlib import blake2b
from typing import Annotated, Any, Final, TypeVar

import msgspec

from chassis.errors import InvalidArgumentError

DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 200
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]
"""A time in a cursor: Unix ms, up to the end of the year 9999."""

C = TypeVar("C")
_CHECK_BYTES: Final = 8
_MAX_TOKEN_CHARACTERS: Final = 2_000


def page_size(requested: int) -> int:
    """Returns the size of a page: 50 for 0, at most 200. The contract refuses a negative one."""
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_token(cursor: list[Any], query: str) -> str:
    """Encodes the token of the page after `cursor` in the listing that `query` describes; opaque to callers.

    The checksum detects corruption and use with another query. It needs no secret: with any cursor, a listing returns
    only what the caller may see.
    """
    payload = msgspec.msgpack.encode(cursor)
    return base64.urlsafe_b64encode(_checksum(payload, query) + payload).decode().rstrip("=")


def decode_token(token: str, query: str, cursor: type[C]) -> C | None:
    """Decodes a token of the same query; returns None for an empty one.

    Args:
        token: as the caller sent it.
        query: see `encode_token`.
        cursor: the cursor's type, such as `tuple[Milliseconds, str]`.

    Raises:
        InvalidArgumentError: the token is corrupt, or belongs to another query.
    """
    if not token:
        return None
    try:
        token = token[: _MAX_TOKEN_CHARACTERS + 1]  # bounds the work for a long token, whose checksum then fails
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, payload = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if check == _checksum(payload, query):
            return msgspec.msgpack.decode(payload, type=cursor)
    except (ValueError, msgspec.DecodeError, RecursionError):
        pass
    raise InvalidArgumentError(
        "INVALID_PAGE_TOKEN",
        "the page token is not valid for this listing",
        fields={"pageToken": "is not valid for this listing"},
    )


def _checksum(payload: bytes, query: str) -> bytes:
    return blake2b(payload, digest_size=_CHECK_BYTES, key=blake2b(query.encode(), digest_size=32).digest()).digest()
