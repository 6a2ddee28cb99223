"""Envoy with the edge's configuration routes each request to its service."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from deploy.local.stack import LocalStack
from tests.component.local.conftest import FRONT_END

UNARY = {
    "/parley.auth.v1.AuthService/SignIn": "auth",
    "/parley.auth.v1.DirectoryService/GetUser": "auth",
    "/parley.chat.v1.MessageService/SendMessages": "chat",
    "/parley.presence.v1.PresenceService/BatchGetPresence": "presence",
    "/parley.notify.v1.NotificationService/ListNotifications": "notify",
}
STREAMS = [
    "/parley.auth.v1.AuthService/WatchRevocations",
    "/parley.chat.v1.EventService/Subscribe",
    "/parley.presence.v1.PresenceService/Attach",
    "/parley.presence.v1.PresenceService/WatchPresence",
    "/parley.notify.v1.NotificationService/Subscribe",
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def channel(plain_stack: LocalStack) -> AsyncIterator[grpc.aio.Channel]:
    """Yields a gRPC channel to the public port."""
    async with grpc.aio.insecure_channel(plain_stack.grpc_target) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http(plain_stack: LocalStack) -> AsyncIterator[httpx.AsyncClient]:
    """Yields an HTTP client of the public port."""
    async with httpx.AsyncClient(base_url=plain_stack.url, trust_env=False, timeout=20) as client:
        yield client


async def call(
    channel: grpc.aio.Channel, method: str, metadata: Mapping[str, str] | None = None, timeout: float = 30
) -> dict[str, Any]:
    """Calls a stub program's method and returns its description of the request."""
    described: dict[str, Any] = json.loads(await send(channel, method, b"?", metadata or {}, timeout))
    return described


async def send(
    channel: grpc.aio.Channel, method: str, message: bytes, metadata: Mapping[str, str], timeout: float
) -> bytes:
    """Sends a raw message and returns the raw response."""
    multicallable: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        method, request_serializer=bytes, response_deserializer=bytes
    )
    return await multicallable(message, timeout=timeout, metadata=tuple(metadata.items()))


@pytest.mark.parametrize(("method", "service"), UNARY.items())
async def test_a_grpc_call_reaches_the_service_of_its_package(
    channel: grpc.aio.Channel, method: str, service: str
) -> None:
    answer = await call(channel, method)
    assert answer["method"] == method
    assert answer["replica"].startswith(f"{service}-")


@pytest.mark.parametrize("method", STREAMS)
async def test_a_stream_carries_frames_both_ways_while_it_is_open(channel: grpc.aio.Channel, method: str) -> None:
    multicallable: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
        method, request_serializer=bytes, response_deserializer=bytes
    )
    stream = multicallable(timeout=30)
    for frame in (b"one", b"two"):
        await stream.write(frame)
        assert await stream.read() == frame
    await stream.done_writing()
    assert await stream.read() == grpc.aio.EOF


async def test_a_shard_always_reaches_the_same_replica_and_shards_are_spread(channel: grpc.aio.Channel) -> None:
    method = "/parley.chat.v1.MessageService/SendMessages"
    seen: dict[int, set[str]] = {}
    for _ in range(3):
        for shard in range(16):
            answer = await call(channel, method, {"x-parley-shard": str(shard)})
            seen.setdefault(shard, set()).add(answer["replica"])
    assert all(len(replicas) == 1 for replicas in seen.values()), seen
    assert set().union(*seen.values()) == {"chat-1", "chat-2"}


async def test_a_chat_call_without_a_shard_reaches_any_replica(channel: grpc.aio.Channel) -> None:
    answers = [await call(channel, "/parley.chat.v1.ConversationService/GetConversation") for _ in range(40)]
    assert {answer["replica"] for answer in answers} == {"chat-1", "chat-2"}


async def test_the_callers_deadline_holds_and_is_passed_on(channel: grpc.aio.Channel) -> None:
    answer = await call(channel, "/parley.auth.v1.AuthService/SignIn", timeout=7)
    assert answer["replica"] == "auth-1"
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call(channel, "/parley.auth.v1.AuthService/Hang", timeout=0.2)
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_the_only_replica_is_not_ejected_however_often_it_fails(channel: grpc.aio.Channel) -> None:
    for _ in range(30):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(channel, "/parley.notify.v1.NotificationService/Unavailable")
        assert failure.value.details() == "as asked"
    assert (await call(channel, "/parley.notify.v1.NotificationService/GetUnreadCount"))["replica"] == "notify-1"


@pytest.mark.parametrize("service", ["auth", "chat", "presence", "notify"])
@pytest.mark.parametrize(
    "prefix", ["/grpc.reflection.v1.ServerReflection", "/grpc.reflection.v1alpha.ServerReflection"]
)
async def test_reflection_reaches_the_service_that_the_header_names(
    channel: grpc.aio.Channel, service: str, prefix: str
) -> None:
    answer = await call(channel, f"{prefix}/ServerReflectionInfo", {"x-parley-service": service})
    assert answer["replica"].startswith(f"{service}-")


@pytest.mark.parametrize("named", [{}, {"x-parley-service": "gateway_http"}, {"x-parley-service": "admin"}])
async def test_reflection_reaches_auth_when_no_grpc_service_is_named(
    channel: grpc.aio.Channel, named: dict[str, str]
) -> None:
    answer = await call(channel, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", named)
    assert answer["replica"] == "auth-1"


async def test_a_websocket_reaches_a_gateway_with_its_path_and_carries_frames(plain_stack: LocalStack) -> None:
    address = plain_stack.url.replace("http", "ws")
    async with connect(f"{address}/ws?x=1", proxy=None) as socket:
        replica, path = str(await socket.recv()).split()
        assert replica in {"gateway-1", "gateway-2"}
        assert path == "/ws?x=1"
        await socket.send("hello")
        assert await socket.recv() == "hello"


async def test_open_websockets_are_spread_over_the_gateways(plain_stack: LocalStack) -> None:
    address = f"{plain_stack.url.replace('http', 'ws')}/ws"
    sockets = [await connect(address, proxy=None) for _ in range(20)]
    try:
        replicas = Counter([str(await socket.recv()).split()[0] for socket in sockets])
    finally:
        await asyncio.gather(*(socket.close() for socket in sockets))
    assert set(replicas) == {"gateway-1", "gateway-2"}
    assert min(replicas.values()) >= 5


@pytest.mark.parametrize("path", ["/wsx", "/", "/api/chat/conversations"])
async def test_only_ws_is_upgraded(plain_stack: LocalStack, path: str) -> None:
    with pytest.raises(InvalidStatus):
        await connect(plain_stack.url.replace("http", "ws") + path, proxy=None)


@pytest.mark.parametrize(
    "path", ["/", "/readyz", "/api/users", "/openapi.json", "/wsx", "/parley", "/.well-known/jwks.json"]
)
async def test_everything_else_reaches_a_gateway_over_http(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(path)
    assert response.status_code == 200
    assert response.json()["replica"] in {"gateway-1", "gateway-2"}
    assert response.headers["server"] == "parley"
    assert not [name for name in response.headers if name.startswith("x-envoy")]


async def test_grpc_web_is_translated(http: httpx.AsyncClient) -> None:
    response = await http.post(
        "/parley.chat.v1.MessageService/ListMessages",
        content=grpc_web_frame(b"?"),
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
    )
    message, trailers = grpc_web_frames(response.content)
    assert json.loads(message)["replica"].startswith("chat-")
    assert b"grpc-status:0" in trailers


async def test_grpc_web_text_is_translated(http: httpx.AsyncClient) -> None:
    response = await http.post(
        "/parley.auth.v1.DirectoryService/GetUser",
        content=base64.b64encode(grpc_web_frame(b"?")),
        headers={
            "content-type": "application/grpc-web-text",
            "accept": "application/grpc-web-text",
            "x-grpc-web": "1",
        },
    )
    message, *_ = grpc_web_frames(base64.b64decode(response.content))
    assert json.loads(message)["replica"] == "auth-1"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (FRONT_END, True),
        ("http://localhost:5173", False),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("null", False),
    ],
)
async def test_grpc_web_answers_preflights_by_allow_list(http: httpx.AsyncClient, origin: str, allowed: bool) -> None:
    response = await http.options(
        "/parley.chat.v1.MessageService/ListMessages",
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,x-grpc-web",
        },
    )
    assert (response.headers.get("access-control-allow-origin") == origin) is allowed
    if allowed:
        assert "authorization" in response.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in response.headers


async def test_a_body_over_128_kib_is_refused_in_the_shape_of_the_http_interface(http: httpx.AsyncClient) -> None:
    accepted = await http.post("/api/chat/send", content=b"x" * 131_072)
    assert accepted.json()["size"] == 131_072
    refused = await http.post("/api/chat/send", content=b"x" * 131_073)
    assert refused.status_code == 413
    assert refused.json()["error"]["reason"] == "BODY_TOO_LARGE"


async def test_a_large_grpc_message_passes(channel: grpc.aio.Channel) -> None:
    answer = await send(channel, "/parley.chat.v1.MessageService/SendMessages", b"x" * 3_000_000, {}, timeout=20)
    assert json.loads(answer)["size"] == 3_000_000


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api%2Fusers", {}),
        ("/api/users", {"x_forwarded_user": "admin"}),
        ("/api/users", {"x-large": "x" * 40_000}),
        ("/api/users", {f"x-{number}": "1" for number in range(120)}),
    ],
)
async def test_suspicious_requests_are_refused(http: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    response = await http.get(path, headers=headers)
    assert 400 <= response.status_code < 500


async def test_paths_are_normalized_before_routing(plain_stack: LocalStack, http: httpx.AsyncClient) -> None:
    response = await http.get(f"{plain_stack.url}//api//./users")
    assert response.json()["path"] == "/api/users"


async def test_the_last_forwarded_address_is_the_peers_whatever_it_claims(channel: grpc.aio.Channel) -> None:
    answer = await call(channel, "/parley.auth.v1.AuthService/SignIn", {"x-forwarded-for": "203.0.113.9"})
    claimed, seen = answer["metadata"]["x-forwarded-for"].split(",")
    assert claimed == "203.0.113.9"
    assert seen != claimed


async def test_headers_that_steer_envoy_are_not_obeyed_and_do_not_pass(channel: grpc.aio.Channel) -> None:
    headers = {"x-envoy-max-retries": "9", "x-envoy-retry-on": "5xx", "x-envoy-upstream-rq-timeout-ms": "1"}
    answer = await call(channel, "/parley.auth.v1.AuthService/SignIn", headers)
    # Envoy adds only the peer's address.
    assert [name for name in answer["metadata"] if name.startswith("x-envoy")] == ["x-envoy-external-address"]


async def test_metrics_are_seen_and_the_rest_of_the_admin_interface_is_not(plain_stack: LocalStack) -> None:
    async with httpx.AsyncClient(
        trust_env=False, base_url=f"http://{plain_stack.processes['envoy'].address('status')}"
    ) as status:
        metrics = await status.get("/metrics")
        assert "envoy_cluster_upstream_rq" in metrics.text
        assert (await status.get("/ready")).status_code == 200
        for path in ("/config_dump", "/stats", "/clusters", "/metrics/../quitquitquit"):
            assert (await status.get(path)).status_code == 404
        assert (await status.post("/quitquitquit")).status_code == 404


def grpc_web_frame(message: bytes) -> bytes:
    """Frames a message for gRPC-Web."""
    return struct.pack(">BI", 0, len(message)) + message


def grpc_web_frames(body: bytes) -> list[bytes]:
    """Splits a gRPC-Web body into its frames: messages, then trailers."""
    frames = []
    while body:
        _, size = struct.unpack(">BI", body[:5])
        frames.append(body[5 : 5 + size])
        body = body[5 + size :]
    return frames
