"""Callers without a token send what no replica can answer well; each of them must stay in use."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import struct
from collections.abc import AsyncIterator

import httpx
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from parley.auth.v1 import directory_pb2, user_pb2

from deploy.local.stack import LocalStack
from tests.attacks.victims import TIMEOUT, Organization

SIGN_IN = "/parley.auth.v1.AuthService/SignIn"
REPETITIONS = 40
"""Outlier detection used to eject a replica after 5 failures in a row."""

GRPC = {"content-type": "application/grpc+proto", "te": "trailers"}
METHODS = [
    SIGN_IN,
    "/parley.chat.v1.MessageService/SendMessages",
    "/parley.presence.v1.PresenceService/WatchPresence",
    "/parley.notify.v1.NotificationService/ListNotifications",
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
]


@pytest.fixture
async def http(stack: LocalStack) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the public port, without a token."""
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False, timeout=60) as client:
        yield client


async def assert_all_replicas_in_use(stack: LocalStack) -> None:
    """Fails if Envoy has ejected a replica, or finds one unhealthy."""
    address = stack.processes["envoy"].address("admin")
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=60) as admin:
        clusters = (await admin.get("/clusters", params={"format": "json"})).json()["cluster_statuses"]
        ejections = (await admin.get("/stats", params={"filter": r"ejections_(enforced_)?total$"})).text
    hosts = [host for cluster in clusters for host in cluster.get("host_statuses", [])]
    assert len(hosts) > len(clusters)  # some have two
    assert all(host["health_status"] == {"eds_health_status": "HEALTHY"} for host in hosts), hosts
    assert not [line for line in ejections.splitlines() if not line.endswith(": 0")]


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize(
    ("method", "content_type", "problem"),
    [
        ("GET", "", (405, "METHOD_NOT_ALLOWED")),
        ("PUT", "application/json", (405, "METHOD_NOT_ALLOWED")),
        ("POST", "", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST", "application/json", (415, "UNSUPPORTED_MEDIA_TYPE")),
    ],
)
async def test_what_is_no_grpc_reaches_no_service(
    http: httpx.AsyncClient, path: str, method: str, content_type: str, problem: tuple[int, str]
) -> None:
    response = await http.request(method, path, headers={"content-type": content_type} if content_type else {})
    assert (response.status_code, response.json()["error"]["reason"]) == problem


@pytest.mark.parametrize("path", METHODS)
async def test_a_preflight_of_a_foreign_origin_reaches_no_service(http: httpx.AsyncClient, path: str) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    response = await http.options(path, headers=headers)
    assert response.status_code == 400
    assert "access-control-allow-origin" not in response.headers


async def test_a_call_without_te_is_answered(http: httpx.AsyncClient) -> None:
    response = await http.post(SIGN_IN, headers={"content-type": "application/grpc"}, content=struct.pack(">BI", 0, 0))
    assert response.status_code == 200
    assert response.headers["grpc-status"] == "3"  # INVALID_ARGUMENT: the request is empty


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_requests_that_are_no_grpc_eject_no_replica(
    stack: LocalStack, http: httpx.AsyncClient, method: str
) -> None:
    for _ in range(REPETITIONS):
        await http.request(method, SIGN_IN, headers={"content-type": "application/json"})
    await assert_all_replicas_in_use(stack)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\x05\x00\x00\x00\x01x", id="a flag that does not exist"),
        pytest.param(b"\x01\x00\x00\x00\x01x", id="compressed, with no algorithm"),
        pytest.param(struct.pack(">BI", 0, 2**32 - 1), id="4 GiB"),
        pytest.param(struct.pack(">BI", 0, 100) + b"short", id="shorter than announced"),
    ],
)
async def test_malformed_frames_eject_no_replica(stack: LocalStack, http: httpx.AsyncClient, frame: bytes) -> None:
    posts = (http.post(SIGN_IN, headers=GRPC, content=frame) for _ in range(REPETITIONS))
    await asyncio.gather(*posts, return_exceptions=True)  # some are cut off
    await assert_all_replicas_in_use(stack)


async def test_an_issuer_without_keys_ejects_no_replica(
    stack: LocalStack, http: httpx.AsyncClient, organization: Organization
) -> None:
    issuer = f"https://{secrets.token_hex(8)}.example"
    trusted = user_pb2.TrustedIssuer(
        issuer=issuer, audience="parley", algorithm="ES256", jwks_url="http://127.0.0.1:1/keys"
    )
    await organization.directory.UpdateOrganization(
        directory_pb2.UpdateOrganizationRequest(
            organization=user_pb2.Organization(organization_id=organization.organization_id, trusted_issuers=[trusted]),
            update_mask=FieldMask(paths=["trusted_issuers"]),
        ),
        metadata=await organization.tokens.metadata(organization.organization_id),
        timeout=TIMEOUT,
    )
    token = f"{encoded({'alg': 'ES256', 'kid': 'k'})}.{encoded({'iss': issuer})}.AAAA"
    for _ in range(REPETITIONS):
        response = await http.post("/api/auth/exchange", json={"token": token})
        assert (response.status_code, response.json()["error"]["reason"]) == (503, "ISSUER_UNAVAILABLE")
    await assert_all_replicas_in_use(stack)


def encoded(part: dict[str, str]) -> str:
    """Encodes a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
