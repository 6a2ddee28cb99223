"""What is taken from a request, and what is refused."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from parley.notify.v1.notification_pb2 import ListNotificationsRequest

from chassis.errors import AppError, InvalidArgumentError, UnauthenticatedError
from gateway.rest.errors import BodyTooLargeError, UnsupportedMediaTypeError
from gateway.rest.request_parsing import (
    MAX_BODY_BYTES,
    bearer_token,
    client_address,
    query_choice,
    query_integer,
    read_json,
    read_texts,
)
from tests.unit.gateway.rest.requests import request

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
async def test_json_in_utf8_is_read(content_type: str) -> None:
    note = await read_json(request(headers={"content-type": content_type}, body=[b'{"te', b'xt":"h\xc3\xa9"}']))
    assert note == {"text": "hé"}


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
        await read_json(request(headers=headers, body=[b'{"text":"x"}']))


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
        await read_json(request(headers=JSON, body=[body]))
    assert caught.value.reason == "MALFORMED_JSON"


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    text = "x" * (MAX_BODY_BYTES - len('{"text":""}'))
    assert await read_json(request(headers=JSON, body=[f'{{"text":"{text}"}}'.encode()])) == {"text": text}


async def test_a_body_said_to_be_too_large_is_refused_unread() -> None:
    with pytest.raises(BodyTooLargeError):
        await read_json(request(headers={**JSON, "content-length": str(MAX_BODY_BYTES + 1)}, body=[b"{}"]))


async def test_a_body_that_turns_out_too_large_is_refused() -> None:
    with pytest.raises(BodyTooLargeError):
        await read_json(request(headers=JSON, body=[b" " * 40_000, b" " * 40_000]))


async def test_no_body_at_all_is_an_empty_object() -> None:
    assert await read_json(request()) == {}


def test_a_query_is_read() -> None:
    query = "pageSize=7&unreadOnly=true&type=MENTION&pageToken=&unknown=1&unknown=2"
    texts = read_texts(request(query=query), ListNotificationsRequest.DESCRIPTOR)
    assert texts == {"pageSize": 7, "unreadOnly": True, "type": "MENTION"}


@pytest.mark.parametrize(("text", "number"), [("", 50), ("1", 1), ("200", 200)])
def test_an_integer_of_the_query_has_a_default(text: str, number: int) -> None:
    assert query_integer(request(query=f"limit={text}"), "limit", 50, most=200) == number


@pytest.mark.parametrize("text", ["0", "-1", "201", "1.5", "x", "\u0661", "1e2", "99999999999999999999"])
def test_a_bad_integer_of_the_query_is_named(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        query_integer(request(query=f"limit={quote(text)}"), "limit", 50, most=200)
    assert caught.value.fields == {"limit": "must be 1 to 200"}


def test_a_choice_of_the_query_is_one_of_those_that_there_are() -> None:
    assert query_choice(request(query="dialect=telecom"), "dialect", ["projects", "telecom"]) == "telecom"
    assert query_choice(request(), "dialect", ["projects", "telecom"]) is None
    with pytest.raises(InvalidArgumentError) as caught:
        query_choice(request(query="dialect=other"), "dialect", ["projects", "telecom"])
    assert caught.value.fields == {"dialect": "must be one of projects, telecom"}


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_texts(request(query="pageSize=7&pageSize=8"), ListNotificationsRequest.DESCRIPTOR)
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
