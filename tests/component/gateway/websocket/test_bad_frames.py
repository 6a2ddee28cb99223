"""A bad frame gets a clear answer, and nothing else is lost."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

import pytest

from tests.component.auth_service import SignedIn
from tests.component.gateway.websocket.harness import Client, Harness

LIMIT = 65_536
CONTINUATION, TEXT, BINARY, PING = 0, 1, 2, 9


def frame(opcode: int, payload: bytes, *, final: bool = True, reserved: int = 0, masked: bool = True) -> bytes:
    """Returns a frame as a client sends it; the mask is zero, so the payload is unchanged."""
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    mask = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head += bytes([mask | size])
    elif size < 65_536:
        head += bytes([mask | 126]) + struct.pack("!H", size)
    else:
        head += bytes([mask | 127]) + struct.pack("!Q", size)
    return head + (b"\0" * 4 if masked else b"") + payload


def write(client: Client, data: bytes) -> None:
    """Sends bytes that the library would not make."""
    client.socket.transport.write(data)


def a_request(size: int, request_id: int = 99) -> bytes:
    """Returns a valid request of exactly `size` bytes."""
    empty = json.dumps({"id": request_id, "op": "user.me", "body": {"padding": ""}})
    return empty.replace('""', '"' + "x" * (size - len(empty)) + '"').encode()


@pytest.fixture
async def client(stack: Harness, ann: SignedIn) -> Client:
    """A connection."""
    return await stack.gateway.connect(ann)


async def still_works(client: Client) -> None:
    assert (await client.ask("user.me"))["user"]


MALFORMED: list[tuple[bytes, str, int]] = [
    (frame(TEXT, b""), "MALFORMED_FRAME", 0),
    (frame(TEXT, b"hello"), "MALFORMED_FRAME", 0),
    (frame(TEXT, b"[]"), "MALFORMED_FRAME", 0),
    (frame(TEXT, b'{"id":5}'), "MALFORMED_FRAME", 5),
    (frame(TEXT, b"[" * 60_000), "MALFORMED_FRAME", 0),
    (frame(TEXT, b'{"id":1,"op":"user.me","body":' + b'{"a":' * 10_000), "MALFORMED_FRAME", 0),
    (frame(TEXT, b'{"id":1,"op":"user.me","x":"\xff"}'), "FRAME_NOT_UTF8", 0),
    (frame(TEXT, b'{"id":1,"op":"user.me","x":"\xed\xa0\x80"}'), "FRAME_NOT_UTF8", 0),
    (frame(TEXT, b'{"id":1,"op"', final=False) + frame(CONTINUATION, b":\xff}"), "FRAME_NOT_UTF8", 0),
    (frame(BINARY, b'{"id":1,"op":"user.me"}'), "BINARY_FRAME", 0),
    (frame(BINARY, b"\0" * LIMIT), "BINARY_FRAME", 0),
    (frame(BINARY, b"a", final=False) + frame(CONTINUATION, b"b"), "BINARY_FRAME", 0),
]


@pytest.mark.parametrize(("data", "reason", "request_id"), MALFORMED)
async def test_a_malformed_frame_is_answered_and_the_connection_goes_on(
    client: Client, data: bytes, reason: str, request_id: int
) -> None:
    write(client, data)
    answer = await client.stray()
    assert answer["id"] == request_id
    assert (answer["error"]["code"], answer["error"]["reason"]) == ("INVALID_ARGUMENT", reason)
    await still_works(client)


@pytest.mark.parametrize(
    ("op", "body", "code", "reason"),
    [
        ("message.frobnicate", {}, "UNIMPLEMENTED", "UNKNOWN_OP"),
        (
            "message.react",
            {"conversationId": "c", "messageId": "m", "emoji": "+1"},
            "INVALID_ARGUMENT",
            "INVALID_FIELDS",
        ),
        ("message.send", {"conversationId": "c", "text": 5}, "INVALID_ARGUMENT", "INVALID_FIELDS"),
        (
            "message.send",
            {"conversationId": "", "clientMessageId": "", "text": ""},
            "INVALID_ARGUMENT",
            "INVALID_FIELDS",
        ),
        ("conversation.direct", {"userId": "no such user"}, "INVALID_ARGUMENT", "INVALID_FIELDS"),
        ("conversation.get", {"conversationId": "\0"}, "NOT_FOUND", "CONVERSATION_NOT_FOUND"),
    ],
)
async def test_a_bad_request_is_answered(client: Client, op: str, body: Any, code: str, reason: str) -> None:
    assert await client.refused(op, **body) == (code, reason)
    await still_works(client)


async def test_the_tenth_malformed_frame_in_a_row_closes(client: Client) -> None:
    for _ in range(9):
        write(client, frame(TEXT, b"x"))
    await still_works(client)
    for _ in range(10):
        write(client, frame(TEXT, b"x"))
    assert await client.closed() == 4400


async def test_a_frame_of_exactly_the_limit_is_taken(client: Client) -> None:
    write(client, frame(TEXT, a_request(LIMIT)))
    assert (await client.stray())["id"] == 99


async def test_a_fragmented_request_is_put_together_round_a_ping(client: Client) -> None:
    request = a_request(LIMIT)
    write(client, frame(TEXT, request[:7], final=False))
    write(client, frame(PING, b"are you there"))
    for start in range(7, LIMIT - 7, 1_021):
        write(client, frame(CONTINUATION, request[start : min(start + 1_021, LIMIT - 7)], final=False))
    write(client, frame(CONTINUATION, request[-7:]))
    assert "ok" in await client.stray()


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, a_request(LIMIT + 1)),
        frame(BINARY, b"\0" * (LIMIT + 1)),
        frame(TEXT, a_request(LIMIT), final=False) + frame(CONTINUATION, b" "),
    ],
)
async def test_a_message_over_the_limit_is_refused_and_closes(client: Client, data: bytes) -> None:
    write(client, data)
    assert (await client.stray())["error"]["reason"] == "FRAME_TOO_LARGE"
    assert await client.closed() == 1009


async def test_a_frame_far_over_the_limit_is_not_read(client: Client) -> None:
    write(client, frame(TEXT, a_request(LIMIT * 5))[:100])
    assert await client.closed() == 1009


@pytest.mark.parametrize(
    "data",
    [
        frame(CONTINUATION, b"x"),
        frame(TEXT, b"{", final=False) + frame(TEXT, b"{}"),
        frame(TEXT, b"{}", reserved=0x40),
        frame(TEXT, b"{}", masked=False),
        frame(3, b""),
        frame(PING, b"x" * 126),
        frame(PING, b"", final=False),
    ],
)
async def test_what_breaks_websockets_own_rules_closes(client: Client, data: bytes) -> None:
    write(client, data)
    assert await client.closed() == 1002


async def test_pings_are_answered(client: Client) -> None:
    pong = await client.socket.ping(b"hello")
    async with asyncio.timeout(60):
        await pong
