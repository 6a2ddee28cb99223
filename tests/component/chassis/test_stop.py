"""A stopping process reports NOT_SERVING, and serves calls during the shutdown delay."""

from __future__ import annotations

import asyncio

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from chassis.identity import TokenVerifier
from chassis.process.settings import ServiceSettings
from chassis.rpc.server import Service, serving

SHUTDOWN_DELAY_SECONDS = 0.5


async def no_keys() -> str:
    return '{"keys": []}'


async def test_calls_are_served_while_health_is_not_serving_and_before_the_drain() -> None:
    settings = ServiceSettings(
        auth_target="127.0.0.1:1",
        service_name="test",
        service_secret=SecretStr("secret"),
        redis_url="redis://127.0.0.1:1",
        mongodb_uri="mongodb://127.0.0.1:1",
        shutdown_delay_seconds=SHUTDOWN_DELAY_SECONDS,
    )
    events: list[str] = []

    async def drain() -> None:
        events.append("draining")

    stop = asyncio.Event()

    async def serve(port: asyncio.Future[int]) -> None:
        async with serving(Service([], TokenVerifier(no_keys), drain=drain), settings) as listening:
            port.set_result(listening)
            await stop.wait()

    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(port))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await port}") as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        while not events:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=30)
            status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
            stop.set()
            if status == "NOT_SERVING":
                events.append(status)
        assert events == ["NOT_SERVING"]
        await server
    assert events == ["NOT_SERVING", "draining"]
