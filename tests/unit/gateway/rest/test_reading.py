"""What is taken from a request, and what is refused."""

from __future__ import annotations

from typing import Annotated

import pytest
from msgspec import Meta, Struct

from chassis.errors import AppError, InvalidArgumentError, UnauthenticatedError
from gateway.rest.errors import BodyTooLargeError, UnsupportedMediaTypeError
from gateway.rest.operation import Nothing
from gateway.rest.request_parsing import MAX_BODY_BYTES, bearer_token, client_address, read_body, read_query
from tests.unit.gateway.rest.requests import request

JSON = {"content-type": "application/json"}


class Note(Struct):
    text: str


class Paging(Struct, rename="camel"):
    page_size: Annotated[int, Meta(ge=1, le=200)] = 50


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
async def test_json_in_utf8_is_read(content_type: str) -> None:
    note = await read_body(request(headers={"content-type": content_type}, body=[b'{"te', b'xt":"h\xc3\xa9"}']), Note)
    assert note == Note("hé")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json-patch+json"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_anything_else_is_an_unsupported_media_type(headers: dict[str, str]) -> None:
    with pytest.raises(UnsupportedMediaTypeError):
        await read_body(request(headers=headers, body=[b'{"text":"x"}']), Note)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"{}{}",
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b'{"text":"\xff"}',
        b'{"text":"\\ud800"}',
        b"[" * 50_000,
        b'{"text":' * 8_000,
        b"NaN",
        b"{'text': 'x'}",
        b"\xef\xbb\xbf{}",
    ],
)
async def test_a_body_that_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await read_body(request(headers=JSON, body=[body]), Note)
    assert caught.value.reason == "MALFORMED_JSON"


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    text = "x" * (MAX_BODY_BYTES - len('{"text":""}'))
    assert await read_body(request(headers=JSON, body=[f'{{"text":"{text}"}}'.encode()]), Note) == Note(text)


async def test_a_body_said_to_be_too_large_is_refused_unread() -> None:
    with pytest.raises(BodyTooLargeError):
        await read_body(request(headers={**JSON, "content-length": str(MAX_BODY_BYTES + 1)}, body=[b"{}"]), Note)


async def test_a_body_that_turns_out_too_large_is_refused() -> None:
    with pytest.raises(BodyTooLargeError):
        await read_body(request(headers=JSON, body=[b" " * 40_000, b" " * 40_000]), Note)


async def test_a_body_that_nobody_wants_is_not_looked_at() -> None:
    assert await read_body(request(body=[b"\xff" * 100_000]), Nothing) == Nothing()


def test_a_query_is_read() -> None:
    assert read_query(request(query="pageSize=7&unknown=1&unknown=2"), Paging) == Paging(7)


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_query(request(query="pageSize=7&pageSize=8"), Paging)
    assert caught.value.fields == {"pageSize": "is given more than once"}


@pytest.mark.parametrize("authorization", ["Bearer abc", "bearer abc", "BEARER  abc "])
def test_a_bearer_token_is_found(authorization: str) -> None:
    assert bearer_token(request(headers={"authorization": authorization})) == "abc"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "TOKEN_MISSING"),
        ({"authorization": ""}, "TOKEN_MISSING"),
        ({"authorization": "Basic abc"}, "TOKEN_INVALID"),
        ({"authorization": "Bearer"}, "TOKEN_INVALID"),
        ({"authorization": "Bearer  "}, "TOKEN_INVALID"),
        ({"authorization": "abc"}, "TOKEN_INVALID"),
    ],
)
def test_without_a_bearer_token_it_is_said_what_is_wrong(headers: dict[str, str], reason: str) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        bearer_token(request(headers=headers))
    error: AppError = caught.value
    assert error.reason == reason


@pytest.mark.parametrize(
    ("trusted_proxies", "forwarded", "address"),
    [
        (0, ["203.0.113.5"], "192.0.2.9"),
        (1, [], "192.0.2.9"),
        (1, ["203.0.113.5"], "203.0.113.5"),
        (1, ["198.51.100.1, 203.0.113.5"], "203.0.113.5"),
        (1, ["198.51.100.1", "203.0.113.5"], "203.0.113.5"),
        (2, ["198.51.100.1, 203.0.113.5, 10.0.0.1"], "203.0.113.5"),
        (2, ["203.0.113.5"], "203.0.113.5"),
        (1, ["2001:DB8::1"], "2001:db8::1"),
        (1, ["unknown"], "192.0.2.9"),
        (1, [""], "192.0.2.9"),
        (1, ["203.0.113.5, "], "192.0.2.9"),
    ],
)
def test_the_clients_address_is_what_our_own_proxies_say(
    trusted_proxies: int, forwarded: list[str], address: str
) -> None:
    headers = [("X-Forwarded-For", line) for line in forwarded]
    assert client_address(request(headers=headers), trusted_proxies) == address


def test_a_request_without_a_peer_has_no_address() -> None:
    assert client_address(request(peer=None), 1) == ""
