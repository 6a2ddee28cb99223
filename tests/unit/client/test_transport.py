"""URLs, subprotocols, and the HTTP responses of servers and proxies."""

import base64
from datetime import UTC, datetime

import httpx
import pytest
from parley_client.auth_api import error_from, parse_retry_after
from parley_client.transport import subprotocols, websocket_url

_NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
        ("http://127.0.0.1:8080/", "ws://127.0.0.1:8080/ws"),
        ("https://chat.example", "wss://chat.example/ws"),
        ("https://crm.example/parley/", "wss://crm.example/parley/ws"),
        ("ws://[::1]:8080", "ws://[::1]:8080/ws"),
    ],
)
def test_the_websocket_address_follows_from_the_public_one(url: str, expected: str) -> None:
    assert websocket_url(url) == expected


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://chat.example", "http://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        websocket_url(url)


def test_the_token_is_offered_beside_the_protocol_without_padding() -> None:
    protocol, bearer = subprotocols("a.token~")

    assert protocol == "parley.v1.json"
    encoded = bearer.removeprefix("base64url.bearer.authorization.parley.")
    assert "=" not in encoded
    assert base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)) == b"a.token~"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("3", 3_000),
        (" 3 ", 3_000),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30_000),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 2026 12:00:30", 30_000),
        ("soon", None),
        ("-3", None),
        ("²", None),
    ],
)
def test_retry_after_is_read_in_both_of_its_forms(value: str | None, expected: int | None) -> None:
    assert parse_retry_after(value, _NOW) == expected


@pytest.mark.parametrize(
    ("status", "body", "code", "reason"),
    [
        (
            401,
            b'{"error": {"code": "UNAUTHENTICATED", "reason": "INVALID_CREDENTIALS"}}',
            "UNAUTHENTICATED",
            "INVALID_CREDENTIALS",
        ),
        (503, b"no healthy upstream", "UNAVAILABLE", "HTTP_503"),
        (429, b"", "RESOURCE_EXHAUSTED", "HTTP_429"),
        (418, b"{}", "UNKNOWN", "HTTP_418"),
    ],
)
def test_an_http_error_is_what_its_body_says_or_else_its_status(
    status: int, body: bytes, code: str, reason: str
) -> None:
    error = error_from(httpx.Response(status, content=body))

    assert (error.code, error.reason) == (code, reason)


def test_an_http_error_keeps_the_wait_that_the_header_asks_for() -> None:
    error = error_from(httpx.Response(429, headers={"Retry-After": "7"}))

    assert (error.retry_after_ms, error.retryable) == (7_000, True)
