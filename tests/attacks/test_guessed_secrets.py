"""A caller guesses the secrets of services."""

from __future__ import annotations

import struct

import grpc
import httpx
from parley.auth.v1 import auth_pb2

from chassis.rpc.channel import ServiceTokens
from deploy.local.stack import LocalStack

ATTACKER = "127.0.0.9"
LIMIT = 100


async def guess(client: httpx.AsyncClient, secret: str, forwarded_for: str) -> str:
    """Asks for the operator's token by gRPC-Web; returns the status."""
    message = auth_pb2.IssueServiceTokenRequest(service="operator", secret=secret).SerializeToString()
    response = await client.post(
        "/parley.auth.v1.AuthService/IssueServiceToken",
        content=struct.pack(">BI", 0, len(message)) + message,
        headers={"content-type": "application/grpc-web+proto", "x-forwarded-for": forwarded_for},
    )
    status = response.headers.get("grpc-status")
    return status if status is not None else response.content.rpartition(b"grpc-status:")[2].split(b"\r\n")[0].decode()


async def test_guesses_from_an_address_end_at_the_limit(stack: LocalStack, channel: grpc.aio.Channel) -> None:
    transport = httpx.AsyncHTTPTransport(local_address=ATTACKER)
    async with httpx.AsyncClient(base_url=stack.url, transport=transport, timeout=60) as client:
        statuses = [await guess(client, f"guess-{n}", f"203.0.113.{n % 250}") for n in range(LIMIT + 20)]
        assert statuses[:LIMIT] == [code(grpc.StatusCode.UNAUTHENTICATED)] * LIMIT
        limited = statuses[LIMIT:].count(code(grpc.StatusCode.RESOURCE_EXHAUSTED))
        assert limited >= 15  # a few come back meanwhile
        right = await guess(client, stack.credentials.service_secrets["operator"], "203.0.113.1")
        assert right == code(grpc.StatusCode.RESOURCE_EXHAUSTED)  # the attacker learns nothing any more
    assert await ServiceTokens(channel, "operator", stack.credentials.service_secrets["operator"]).metadata()


def code(status: grpc.StatusCode) -> str:
    """Returns a status as it is on the wire."""
    number: int = status.value[0]
    return str(number)
