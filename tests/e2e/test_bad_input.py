"""Invalid input at the public port gets a clear error, without a stack trace."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.typing import Origin, Subprotocol

from deploy.local.stack import LocalStack
from tests.e2e.conftest import PASSWORD, TIMEOUT, Company, new_company


def encode(token: str) -> Subprotocol:
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return Subprotocol(f"base64url.bearer.authorization.parley.{encoded}")


async def sign_in(company: Company, user_id: str) -> str:
    async with httpx.AsyncClient(base_url=company.stack.url, trust_env=False, timeout=TIMEOUT) as http:
        body = {"email": f"{user_id}@{company.organization_id}.example", "password": PASSWORD}
        answer = await http.post("/api/auth/login", json=body)
        answer.raise_for_status()
        return str(answer.json()["accessToken"])


@asynccontextmanager
async def socket(stack: LocalStack, token: str | None, **options: Any) -> AsyncIterator[ClientConnection]:
    protocols = [Subprotocol("parley.v1.json"), *([encode(token)] if token is not None else [])]
    url = stack.url.replace("http", "ws") + "/ws"
    async with connect(
        url, subprotocols=protocols, compression=None, close_timeout=1, proxy=None, **options
    ) as connection:
        yield connection


async def reply(connection: ClientConnection, frame_id: int = 0) -> dict[str, Any]:
    """Returns the reply to a request; skips events."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            frame = json.loads(await connection.recv())
            if frame.get("id") == frame_id:
                return dict(frame)


@pytest.fixture(scope="module")
async def token(stack: LocalStack) -> AsyncIterator[str]:
    """Ann's token, shared by the tests: creating users and signing in are slow on purpose."""
    async with new_company(stack) as company:
        await company.create_user("ann")
        await company.create_user("bob")
        yield await sign_in(company, "ann")


def forged(token: str, **changes: Any) -> str:
    """Returns the token with changed claims, signed with another key under the same key id."""
    header, claims, _ = (json.loads(_unpadded(part)) for part in (*token.split(".")[:2], "e30"))
    return jwt.encode(header, claims | changes, ECKey.generate_key("P-256"), algorithms=["ES256"])


def without_algorithm(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


def _unpadded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: None,
        lambda token: "",
        lambda token: "garbage",
        lambda token: token[:-6] + "AAAAAA",
        forged,
        lambda token: forged(token, exp=int(time.time()) - 1),
        lambda token: forged(token, org="demo", role="admin"),
        without_algorithm,
    ],
    ids=["none", "empty", "garbage", "signature", "other key", "expired", "other organization", "alg none"],
)
async def test_an_upgrade_without_a_good_token_is_401(stack: LocalStack, token: str, spoil: Any) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(stack, spoil(token)):
            pass
    assert refused.value.response.status_code == 401


async def test_a_foreign_origin_is_403_and_the_stacks_own_is_not(stack: LocalStack, token: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(stack, token, origin=Origin("https://evil.example")):
            pass
    assert refused.value.response.status_code == 403
    async with socket(stack, token, origin=Origin(stack.url)) as connection:
        assert connection.subprotocol == "parley.v1.json"


async def test_a_header_serves_instead_of_the_subprotocol(stack: LocalStack, token: str) -> None:
    async with socket(stack, None, additional_headers={"Authorization": f"Bearer {token}"}) as connection:
        assert json.loads(await connection.recv())["event"] == "session.ready"


MALFORMED = {
    "not JSON": "hello",
    "cut off": '{"id": 1, "op": "user.me"',
    "an array": "[]",
    "a number": "7",
    "no op": '{"id": 0}',
    "empty": "",
    "deep": "[" * 30_000,
    "deep body": '{"id": 0, "op": "user.me", "body": ' + '{"a":' * 8_000 + "1" + "}" * 8_001,
    "id of zero": '{"id": 0, "op": "user.me"}',
    "id below zero": '{"id": -1, "op": "user.me"}',
    "id a text": '{"id": "1", "op": "user.me"}',
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_frame_gets_an_error_on_an_open_socket(stack: LocalStack, token: str, frame: str) -> None:
    async with socket(stack, token) as connection:
        await connection.send(frame)
        answer = await reply(connection)
        assert answer["error"]["code"] == "INVALID_ARGUMENT"
        assert answer["error"]["reason"]
        await connection.send('{"id": 1, "op": "user.me"}')
        assert (await reply(connection, 1))["ok"]["user"]["userId"] == "ann"


async def test_ten_malformed_frames_in_a_row_end_the_socket(stack: LocalStack, token: str) -> None:
    async with socket(stack, token) as connection:
        for _ in range(9):
            await connection.send("{")
        await connection.send('{"id": 1, "op": "user.me"}')
        await reply(connection, 1)
        for _ in range(10):
            await connection.send("{")
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(TIMEOUT):
                while True:
                    await connection.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4400


@pytest.mark.parametrize(
    ("frame", "text", "reason"),
    [(b"\x00\x01", None, "BINARY_FRAME"), (b"{}", None, "BINARY_FRAME"), (b"\xff\xfe", True, "FRAME_NOT_UTF8")],
    ids=["bytes", "JSON in bytes", "text that is no UTF-8"],
)
async def test_a_frame_that_is_no_text_is_malformed(
    stack: LocalStack, token: str, frame: bytes, text: bool | None, reason: str
) -> None:
    async with socket(stack, token) as connection:
        await connection.send(frame, text=text)
        assert (await reply(connection))["error"]["reason"] == reason
        await connection.send('{"id": 1, "op": "user.me"}')
        assert "ok" in await reply(connection, 1)


@pytest.mark.parametrize("frame", ["x" * 70_000, ["x" * 30_000] * 3], ids=["whole", "in fragments"])
async def test_a_frame_over_the_limit_gets_an_error_and_closes_the_socket(
    stack: LocalStack, token: str, frame: str | list[str]
) -> None:
    async with socket(stack, token) as connection:
        await connection.send(frame)
        assert (await reply(connection))["error"]["reason"] == "FRAME_TOO_LARGE"
        with pytest.raises(ConnectionClosed) as closed:
            await reply(connection)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_a_fragmented_frame_is_reassembled(stack: LocalStack, token: str) -> None:
    async with socket(stack, token) as connection:
        await connection.send(iter(['{"id": 1, ', '"op": ', '"user.me"}']))
        assert (await reply(connection, 1))["ok"]["user"]["userId"] == "ann"


async def test_a_compressed_frame_is_refused(stack: LocalStack, token: str) -> None:
    """permessage-deflate is not offered, so a reserved bit is a violation of the protocol (RFC 6455, 5.2)."""
    async with socket(stack, token) as connection:
        frame = bytearray(Frame(Opcode.TEXT, b'{"id": 1, "op": "user.me"}').serialize(mask=True))
        frame[0] |= 0b0100_0000
        connection.transport.write(bytes(frame))
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(TIMEOUT):
                while True:
                    await connection.recv()


KEY = "A" * 22
BAD_REQUESTS: dict[str, tuple[str, Any, str, str]] = {
    "an unknown op": ("message.teleport", {}, "UNIMPLEMENTED", ""),
    "an empty op": ("", {}, "UNIMPLEMENTED", ""),
    "a body that is a text": ("user.me", "me", "INVALID_ARGUMENT", ""),
    "no conversation": ("message.send", {"clientMessageId": "1", "text": "x"}, "INVALID_ARGUMENT", "conversationId"),
    "no text": ("message.send", {"conversationId": KEY, "clientMessageId": "1"}, "INVALID_ARGUMENT", "text"),
    "a blank text": (
        "message.send",
        {"conversationId": KEY, "clientMessageId": "1", "text": "  "},
        "INVALID_ARGUMENT",
        "text",
    ),
    "a text that is a number": (
        "message.send",
        {"conversationId": KEY, "clientMessageId": "1", "text": 5},
        "INVALID_ARGUMENT",
        "text",
    ),
    "a text over the limit": (
        "message.send",
        {"conversationId": KEY, "clientMessageId": "1", "text": "ü" * 8_193},
        "INVALID_ARGUMENT",
        "text",
    ),
    "an empty clientMessageId": (
        "message.send",
        {"conversationId": KEY, "clientMessageId": "", "text": "x"},
        "INVALID_ARGUMENT",
        "clientMessageId",
    ),
    "a long clientMessageId": (
        "message.send",
        {"conversationId": KEY, "clientMessageId": "x" * 65, "text": "x"},
        "INVALID_ARGUMENT",
        "clientMessageId",
    ),
    "an unknown kind": (
        "message.send",
        {"conversationId": KEY, "clientMessageId": "1", "text": "x", "kind": "song"},
        "INVALID_ARGUMENT",
        "kind",
    ),
    "a reserved kind": (
        "message.send",
        {"conversationId": KEY, "clientMessageId": "1", "text": "x", "kind": "system"},
        "INVALID_ARGUMENT",
        "kind",
    ),
    "beforeSeq of zero": ("message.list", {"conversationId": KEY, "beforeSeq": 0}, "INVALID_ARGUMENT", "beforeSeq"),
    "beforeSeq below zero": ("message.list", {"conversationId": KEY, "beforeSeq": -5}, "INVALID_ARGUMENT", "beforeSeq"),
    "a page size below zero": ("message.list", {"conversationId": KEY, "pageSize": -1}, "INVALID_ARGUMENT", "pageSize"),
    "afterRev below zero": ("message.sync", {"conversationId": KEY, "afterRev": -1}, "INVALID_ARGUMENT", "afterRev"),
    "no afterRev": ("message.sync", {"conversationId": KEY}, "INVALID_ARGUMENT", "afterRev"),
    "a number beyond 64 bits": (
        "message.sync",
        {"conversationId": KEY, "afterRev": 10**30},
        "INVALID_ARGUMENT",
        "afterRev",
    ),
    "a page token of another listing": (
        "conversation.list",
        {"pageToken": "bm90IG9uZSBvZiBvdXJz"},
        "INVALID_ARGUMENT",
        "pageToken",
    ),
    "a direct conversation with oneself": ("conversation.direct", {"userId": "ann"}, "INVALID_ARGUMENT", "userId"),
    "a direct conversation with nobody": ("conversation.direct", {"userId": "nobody"}, "NOT_FOUND", ""),
    "a user id of another form": ("conversation.direct", {"userId": "a b"}, "INVALID_ARGUMENT", "userId"),
    "a group without a name": (
        "conversation.create",
        {"kind": "group", "name": "", "memberIds": ["bob"]},
        "INVALID_ARGUMENT",
        "name",
    ),
    "a group of an unknown kind": (
        "conversation.create",
        {"kind": "party", "name": "x", "memberIds": []},
        "INVALID_ARGUMENT",
        "kind",
    ),
    "an absent conversation": ("conversation.get", {"conversationId": KEY}, "NOT_FOUND", ""),
    "a receipt of seq zero": ("receipt.read", {"conversationId": KEY, "seq": 0}, "INVALID_ARGUMENT", "seq"),
    "an unknown status": ("presence.set", {"status": "sleepy"}, "INVALID_ARGUMENT", "status"),
    "offline as a status": ("presence.set", {"status": "offline"}, "INVALID_ARGUMENT", "status"),
    "an absent notification": ("notification.read", {"notificationId": KEY}, "NOT_FOUND", ""),
    "a refresh with a bad token": ("session.refresh", {"accessToken": "x"}, "UNAUTHENTICATED", ""),
}


async def test_bad_requests_get_errors_that_name_the_field(stack: LocalStack, token: str) -> None:
    """All are sent on one socket, which stays open."""
    async with socket(stack, token) as connection:
        for number, (name, (op, body, code, field)) in enumerate(BAD_REQUESTS.items(), 1):
            await connection.send(json.dumps({"id": number, "op": op, "body": body}))
            error = (await reply(connection, number)).get("error", {})
            assert error.get("code") == code, (name, error)
            assert error["reason"].isupper(), (name, error)
            assert error["message"], (name, error)
            if field:
                assert field in error.get("fields", {}), (name, error)
        await connection.send('{"id": 999, "op": "user.me"}')
        assert "ok" in await reply(connection, 999)
