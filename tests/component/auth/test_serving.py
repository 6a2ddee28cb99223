"""Tests of the service as a process: health checks without a token, and a shutdown on request."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from parley.auth.v1 import auth_pb2, auth_pb2_grpc

from chassis.rpc.channel import open_channel
from chassis.rpc.server import Service
from services.auth.wiring import wire
from tests.component.auth_service import auth_settings, drop_database


@pytest.fixture
async def grpc_service(mongodb_uri: str, redis_url: str) -> AsyncIterator[Service]:
    settings = auth_settings(mongodb_uri, redis_url)
    async with wire(settings) as service:
        yield service
    await drop_database(settings)


@pytest.fixture
def grpc_stub_cls() -> Callable[[grpc.aio.Channel], auth_pb2_grpc.AuthServiceStub]:
    return auth_pb2_grpc.AuthServiceStub


async def test_each_service_says_that_it_serves(grpc_channel: grpc.aio.Channel) -> None:
    health: Any = health_pb2_grpc.HealthStub(grpc_channel)  # the stubs are untyped
    for name in ("", "parley.auth.v1.AuthService", "parley.auth.v1.DirectoryService"):
        response = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=20)
        assert response.status == health_pb2.HealthCheckResponse.SERVING


async def test_keys_are_public(grpc_stub: auth_pb2_grpc.AuthServiceStub) -> None:
    response = await grpc_stub.ListKeys(auth_pb2.ListKeysRequest(), timeout=20)
    assert len(json.loads(response.jwks)["keys"]) == 1


async def test_a_process_of_its_own_serves_and_stops_when_told_to(
    mongodb_uri: str, redis_url: str, unused_port: int
) -> None:
    settings = auth_settings(mongodb_uri, redis_url)
    secret = "a-secret-of-the-gateway"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")},
        "PARLEY_LISTEN": f"127.0.0.1:{unused_port}",
        "PARLEY_MONGODB_URI": mongodb_uri,
        "PARLEY_MONGODB_DATABASE": settings.mongodb_database,
        "PARLEY_REDIS_URL": redis_url,
        "PARLEY_KEY_ENCRYPTION_KEY": base64.urlsafe_b64encode(bytes(32)).decode().rstrip("="),
        "PARLEY_SERVICE_CREDENTIALS": json.dumps(
            {"gateway": {"secret": secret, "scopes": ["users.act"], "organizations": ["*"]}}
        ),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.auth", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with open_channel(f"127.0.0.1:{unused_port}") as channel:
            response = await auth_pb2_grpc.AuthServiceStub(channel).IssueServiceToken(
                auth_pb2.IssueServiceTokenRequest(service="gateway", secret=secret), timeout=60, wait_for_ready=True
            )
        process.send_signal(signal.SIGTERM)
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await drop_database(settings)
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in output.decode().splitlines()]
    assert events == [
        *("migration_begun", "migration_made") * 2,
        "key_made",
        "service_listening",
        "process_ready",
        "process_stopping",
        "process_stopped",
    ]
    assert secret not in output.decode()
    assert response.access_token not in output.decode()
