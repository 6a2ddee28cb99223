"""Makes updates of MongoDB documents idempotent by request ids.

An update and the digest of its request id are written to the same document in one atomic operation. So a repeat, at
once, concurrently or after a crash, finds either both or neither, and a request that failed leaves no digest. A
document keeps the digests of the last 24 hours, but at most MAX_REQUESTS, which bounds its size.

The functions return parts of an aggregation pipeline for an update; see
https://www.mongodb.com/docs/manual/tutorial/update-documents-with-aggregation-pipeline/.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final

FIELD: Final = "requests"
"""The field that holds the digests: a list of {id, at, ...}."""

RETENTION: Final = timedelta(hours=24)
MAX_REQUESTS: Final = 1_000
_RETENTION_MS: Final = RETENTION // timedelta(milliseconds=1)


def request_digest(method: str, request_id: str) -> bytes | None:
    """Returns 128 bits of BLAKE2b over a method's name and a request id; None for an empty request id.

    The document that stores the digest belongs to the caller, so the caller is no part of the digest.
    """
    if not request_id:
        return None
    return blake2b(f"{method}\x00{request_id}".encode(), digest_size=16).digest()


def set_once(digest: bytes | None, changes: Mapping[str, Any], **details: Any) -> dict[str, Any]:
    """Returns the $set stage that makes changes unless the document has the digest, and adds the digest.

    Args:
        digest: the request's; None for a request without an id, whose changes are always made.
        changes: an expression for each field.
        details: further fields, as expressions, to store with the digest.
    """
    if digest is None:
        return {"$set": dict(changes)}
    added = dict(changes) | {FIELD: _with_digest(digest, details)}
    return {"$set": {name: {"$cond": [_is_repeat(digest), f"${name}", value]} for name, value in added.items()}}


def contains(document: Mapping[str, Any], digest: bytes | None) -> bool:
    """Reports whether a stored document has a digest: whether an update of it with that digest is a repeat."""
    return any(request["id"] == digest for request in document.get(FIELD, ()))


def _is_repeat(digest: bytes) -> dict[str, Any]:
    return {"$in": [digest, {"$ifNull": [f"${FIELD}.id", []]}]}


def _with_digest(digest: bytes, details: Mapping[str, Any]) -> dict[str, Any]:
    recent = {
        "$filter": {
            "input": {"$ifNull": [f"${FIELD}", []]},
            "cond": {"$gt": ["$$this.at", {"$subtract": ["$$NOW", _RETENTION_MS]}]},
        }
    }
    return {"$slice": [{"$concatArrays": [recent, [{"id": digest, "at": "$$NOW", **details}]]}, -MAX_REQUESTS]}
