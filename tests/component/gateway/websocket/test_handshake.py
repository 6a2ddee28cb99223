"""The HTTP responses to upgrade requests."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from chassis.identity import jwt_header
from tests.component.auth_service import RunningAuth, SignedIn, running_auth
from tests.component.gateway.websocket.harness import ORIGIN, Databases, Harness, Targets, announced, running_gateway

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
}


async def upgrade(
    port: int, token: str = "", *, target: str = "/ws", subprotocols: str | None = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Requests an upgrade; returns the status, the headers and the body."""
    offered = (
        subprotocols
        if subprotocols is not None
        else ", ".join(["parley.v1.json", *([announced(token)] if token else [])])
    )
    given = UPGRADE | ({"Sec-WebSocket-Protocol": offered} if offered else {}) | headers
    async with (
        httpx.AsyncClient(trust_env=False, timeout=20) as http,
        http.stream("GET", f"http://127.0.0.1:{port}{target}", headers=given) as response,
    ):
        body = b"" if response.status_code == 101 else await response.aread()
        return response.status_code, dict(response.headers), json.loads(body) if body.startswith(b"{") else body


async def test_an_upgrade_is_answered_with_our_subprotocol_alone(stack: Harness, ann: SignedIn) -> None:
    status, headers, _ = await upgrade(stack.gateway.port, ann.access_token)
    assert status == 101
    assert headers["sec-websocket-protocol"] == "parley.v1.json"
    assert "sec-websocket-extensions" not in headers


async def test_a_program_may_send_its_token_in_a_header(stack: Harness, ann: SignedIn) -> None:
    status, headers, _ = await upgrade(stack.gateway.port, Authorization=f"Bearer {ann.access_token}")
    assert (status, headers["sec-websocket-protocol"]) == (101, "parley.v1.json")


async def test_a_browser_that_keeps_connections_alive_is_upgraded(stack: Harness, ann: SignedIn) -> None:
    status, _, _ = await upgrade(stack.gateway.port, ann.access_token, Connection="keep-alive, Upgrade")
    assert status == 101


async def test_compression_is_not_agreed_on(stack: Harness, ann: SignedIn) -> None:
    asked = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    status, headers, _ = await upgrade(stack.gateway.port, ann.access_token, **asked)
    assert status == 101
    assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize("origin", [ORIGIN, "http://127.0.0.1:{port}"])
async def test_our_own_pages_may_connect(stack: Harness, ann: SignedIn, origin: str) -> None:
    origin = origin.format(port=stack.gateway.port)
    assert (await upgrade(stack.gateway.port, ann.access_token, Origin=origin))[0] == 101


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_foreign_page_is_refused_even_with_a_good_token(stack: Harness, ann: SignedIn, origin: str) -> None:
    status, _, body = await upgrade(stack.gateway.port, ann.access_token, Origin=origin)
    assert (status, body["error"]["code"], body["error"]["reason"]) == (403, "PERMISSION_DENIED", "FOREIGN_ORIGIN")


async def test_a_good_token_in_the_address_is_no_token(stack: Harness, ann: SignedIn) -> None:
    target = f"/ws?token={ann.access_token}&access_token={ann.access_token}"
    status, _, body = await upgrade(stack.gateway.port, target=target)
    assert (status, body["error"]["reason"]) == (401, "TOKEN_MISSING")


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def of_another_key(token: str, **header: str) -> str:
    key = ECKey.generate_key("P-256")
    return jwt.encode({"alg": "ES256", **jwt_header(token), **header}, claims_of(token), key)


def unsigned(token: str) -> str:
    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({**jwt_header(token), 'alg': 'none'})}.{part(claims_of(token))}."


def tampered(token: str) -> str:
    head, _, signature = token.split(".")
    claims = json.dumps(claims_of(token) | {"sub": "admin"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{signature}"


@pytest.mark.parametrize(
    "forge",
    [
        of_another_key,
        lambda token: of_another_key(token, kid=secrets.token_hex(8)),
        unsigned,
        tampered,
        lambda token: token[:-8],
        lambda _: "not a token",
        lambda _: base64.urlsafe_b64encode(b'{"a":' * 1_200).decode().rstrip("=") + ".e30.x",
        lambda _: "x" * 9_000,
    ],
)
async def test_a_forged_token_is_refused(stack: Harness, ann: SignedIn, forge: Any) -> None:
    status, headers, body = await upgrade(stack.gateway.port, forge(ann.access_token))
    assert (status, body["error"]["code"], body["error"]["reason"]) == (401, "UNAUTHENTICATED", "TOKEN_INVALID")
    assert headers["www-authenticate"] == "Bearer"


async def test_a_services_token_opens_no_socket(stack: Harness) -> None:
    status, _, body = await upgrade(stack.gateway.port, await stack.auth.service_token())
    assert (status, body["error"]["reason"]) == (401, "TOKEN_INVALID")


async def test_a_token_of_another_installation_is_refused(stack: Harness, stores: Databases) -> None:
    async with running_auth(stores.mongodb_uri, stores.redis_url) as elsewhere:
        await elsewhere.create_organization("acme")
        stranger = await elsewhere.sign_in_new("acme", "admin")
        status, _, body = await upgrade(stack.gateway.port, stranger.access_token)
    assert (status, body["error"]["reason"]) == (401, "TOKEN_INVALID")


async def test_other_paths_are_not_found_and_the_subprotocol_is_required(stack: Harness, ann: SignedIn) -> None:
    assert (await upgrade(stack.gateway.port, ann.access_token, target="/"))[0] == 404
    status, _, body = await upgrade(stack.gateway.port, subprotocols="", Authorization=f"Bearer {ann.access_token}")
    assert (status, body["error"]["reason"]) == (400, "SUBPROTOCOL_REQUIRED")


@pytest.mark.parametrize(
    "headers",
    [{"Upgrade": "h2c"}, {"Sec-WebSocket-Version": "12"}, {"Sec-WebSocket-Key": "short"}, {"Connection": "close"}],
)
async def test_what_is_no_websocket_handshake_is_a_bad_request(
    stack: Harness, ann: SignedIn, headers: dict[str, str]
) -> None:
    assert (await upgrade(stack.gateway.port, ann.access_token, **headers))[0] == 400


async def test_before_the_first_keys_the_answer_is_to_try_again(auth: RunningAuth, ann: SignedIn) -> None:
    async with running_gateway(auth, Targets(), auth_target="127.0.0.1:1") as gateway:
        status, headers, body = await upgrade(gateway.port, ann.access_token)
    assert (status, body["error"]["code"]) == (503, "UNAVAILABLE")
    assert headers["retry-after"] == "1"
