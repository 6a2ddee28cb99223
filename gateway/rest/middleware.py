"""What every HTTP request meets first: an id, a bound on how many are served at once, headers, and measurement.

There is no access log: the measures say what operators need, and paths name users.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import ResourceExhaustedError
from gateway.rest import metrics
from gateway.rest.errors import problem_response

MAX_IN_FLIGHT: Final = 1_000
UNMATCHED: Final = "(unmatched)"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PATCH", "PUT", "DELETE"})
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class RequestMiddleware:
    """An ASGI middleware round everything.

    Args:
        app: what answers.
        max_in_flight: how many requests are served at once; further ones are answered 429 without being looked at.
    """

    def __init__(self, app: ASGIApp, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._app = app
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {}).update(request_id=request_id, route=UNMATCHED)
        self._in_flight += 1
        metrics.IN_FLIGHT.inc()
        try:
            await self._serve(scope, receive, _Answering(scope, send, request_id))
        finally:
            self._in_flight -= 1
            metrics.IN_FLIGHT.dec()

    async def _serve(self, scope: Scope, receive: Receive, send: _Answering) -> None:
        if self._in_flight <= self._max_in_flight:
            await self._app(scope, receive, send)
            return
        overload = ResourceExhaustedError("OVERLOADED", "too many requests are being served", retry_after_ms=1_000)
        response = problem_response(overload, route=UNMATCHED, request_id=scope["state"]["request_id"])
        await response(scope, receive, send)


class _Answering:
    """The way of one answer out: adds the headers, and measures when it is complete."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._began = time.perf_counter()
        self._status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        elif not message.get("more_body", False):
            self._measure()
        await self._send(message)

    def _measure(self) -> None:
        method = self._scope["method"] if self._scope["method"] in _METHODS else "OTHER"
        route = self._scope["state"]["route"]
        metrics.REQUESTS.labels(method, route, str(self._status)).inc()
        metrics.SECONDS.labels(method, route).observe(time.perf_counter() - self._began)


def _request_id(headers: Headers) -> str:
    """The id that Envoy gave to the request, so that both speak of it by one name, or a fresh one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
