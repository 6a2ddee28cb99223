"""Makes updates of MongoDB documents idempotent by request ids.

An update and the digest of its request id are written to the same document in one atomic operation. So a repeat, at
once, concurrently or after a crash, finds either both or neither, and a request that failed leaves no digest. A
document keeps the digests of the last 24 hours, but at most MAX_REQUESTS, which bounds its size. An older digest, which
stays until the next update with a request id, has no effect.

The functions return parts of an aggregation pipeline for an update; see
https://www.mongodb.com/docs/manual/tutorial/update-documents-with-aggregation-pipeline/.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

FIELD: Final = "requests"
"""The field that holds the digests: a list of {id, at, ...}."""

RETENTION: Final = timedelta(hours=24)
MAX_REQUESTS: Final = 1_000
_RECENT: Final = {
    "$filter": {
        "input": {"$ifNull": [f"${FIELD}", []]},
        "cond": {"$gt": ["$$this.at", {"$subtract": ["$$NOW", RETENTION // timedelta(milliseconds=1)]}]},
    }
}


def request_digest(method: str, request_id: str) -> bytes | None:
    """Returns 128 bits of BLAKE2b over a method's name and a request id; None for an empty request id.

    The document that stores the digest belongs to the caller, so the caller is no part of the digest.
    """
    if not request_id:
        return None
    return blake2b(f"{method}\x00{request_id}".encode(), digest_size=16).digest()


def set_once(
    digest: bytes | None, changes: Mapping[str, Any], *, latest_only: bool = False, **details: Any
) -> dict[str, Any]:
    """Returns the $set stage that makes changes unless the document has the digest, and adds the digest.

    Args:
        digest: the request's; None for a request without an id, whose changes are always made.
        changes: an expression for each field.
        latest_only: whether the digests of earlier requests lose their details.
        details: further fields, as expressions, to store with the digest.
    """
    if digest is None:
        return {"$set": dict(changes)}
    added = dict(changes) | {FIELD: _with_digest(digest, details, latest_only)}
    return {"$set": {name: {"$cond": [_is_repeat(digest), f"${name}", value]} for name, value in added.items()}}


def performed(digest: bytes) -> dict[str, Any]:
    """Returns the condition that a document has a digest of the last 24 hours."""
    return {f"{FIELD}.id": digest, "$expr": _is_repeat(digest)}


def expired(digest: bytes) -> dict[str, Any]:
    """Returns the condition that a document has a digest, but an older one."""
    return {f"{FIELD}.id": digest, "$expr": {"$not": [_is_repeat(digest)]}}


def contains(document: Mapping[str, Any], digest: bytes | None, now: datetime) -> bool:
    """Reports whether a stored document has a digest of the last 24 hours, so that an update with it is a repeat."""
    return any(request["id"] == digest and request["at"] > now - RETENTION for request in document.get(FIELD, ()))


def _is_repeat(digest: bytes) -> dict[str, Any]:
    return {"$in": [digest, {"$map": {"input": _RECENT, "in": "$$this.id"}}]}


def _with_digest(digest: bytes, details: Mapping[str, Any], latest_only: bool) -> dict[str, Any]:
    bare = {"$map": {"input": _RECENT, "in": {"id": "$$this.id", "at": "$$this.at"}}}
    earlier = bare if latest_only else _RECENT
    return {"$slice": [{"$concatArrays": [earlier, [{"id": digest, "at": "$$NOW", **details}]]}, -MAX_REQUESTS]}
