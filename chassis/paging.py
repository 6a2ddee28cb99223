"""Page sizes and page tokens: where a listing goes on, opaque to callers."""

from __future__ import annotations

import base64
from hashlib import blake2b
from typing import Any, Final

import msgspec

from chassis.errors import InvalidArgumentError

DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 200
_CHECK_BYTES: Final = 8
_MAX_TOKEN_CHARACTERS: Final = 2_000


def page_size(requested: int) -> int:
    """The size of a page: 50 for 0, at most 200. Raises InvalidArgumentError below 0."""
    if requested < 0:
        raise InvalidArgumentError(
            "INVALID_PAGE_SIZE", "the page size is negative", fields={"pageSize": "must be at least 0"}
        )
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_token(cursor: list[Any], query: str) -> str:
    """Makes the token that goes on after `cursor` in the listing that `query` describes.

    The checksum notices damage and use with another query. It is no secret and needs none: whatever the cursor
    says, a listing gives a caller only what the caller may see.
    """
    payload = msgspec.msgpack.encode(cursor)
    return base64.urlsafe_b64encode(_checksum(payload, query) + payload).decode().rstrip("=")


def decode_token(token: str, query: str) -> list[Any] | None:
    """Reads a token of the same query back; None for an empty one.

    Raises:
        InvalidArgumentError: the token was tampered with, or is of another query.
    """
    if not token:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, payload = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if len(token) <= _MAX_TOKEN_CHARACTERS and check == _checksum(payload, query):
            return msgspec.msgpack.decode(payload, type=list[Any])
    except (ValueError, msgspec.DecodeError):
        pass
    raise InvalidArgumentError(
        "INVALID_PAGE_TOKEN",
        "the page token is not one of this listing",
        fields={"pageToken": "is not one of this listing"},
    )


def _checksum(payload: bytes, query: str) -> bytes:
    return blake2b(payload, digest_size=_CHECK_BYTES, key=blake2b(query.encode(), digest_size=32).digest()).digest()
