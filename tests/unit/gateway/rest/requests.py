"""Requests as an ASGI server hands them on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.requests import Request
from starlette.types import Message


def request(
    *,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    query: str = "",
    body: Iterable[bytes] = (),
    peer: str | None = "192.0.2.9",
) -> Request:
    """Makes a request; its body comes in the given pieces."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    pieces = list(body)

    async def receive() -> Message:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs],
        "client": (peer, 1234) if peer else None,
    }
    return Request(scope, receive)
