"""Readiness probes. A probe returns None if its target is ready, otherwise the reason; it does not raise."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc
import grpc.aio
import httpx
from grpc_health.v1 import health_pb2

Probe = Callable[[], Awaitable[str | None]]

_ATTEMPT_SECONDS = 2.0
_INTERVAL_SECONDS = 0.1
_CHANNEL_OPTIONS = (
    # Each attempt opens a new connection: the process-wide pool would back off after failures.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


async def until_ready(probe: Probe, deadline_seconds: float) -> str | None:
    """Repeats a probe until ready. Returns None, or the last reason after the deadline."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        reason = await probe()
        if reason is None or time.monotonic() > deadline:
            return reason
        await asyncio.sleep(_INTERVAL_SECONDS)


def grpc_health(address: str, *, through_edge_to: str | None = None) -> Probe:
    """Returns a probe by grpc.health.v1, direct or through Envoy, which routes by the service header."""
    metadata = (("x-parley-service", through_edge_to),) if through_edge_to else ()

    async def probe() -> str | None:
        async with grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            try:
                reply = await check(health_pb2.HealthCheckRequest(), timeout=_ATTEMPT_SECONDS, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                return f"its health check answers {error.code().name}"
        if reply.status == health_pb2.HealthCheckResponse.SERVING:
            return None
        return f"it reports {health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)}"

    return probe


def http_ok(url: str) -> Probe:
    """Returns a probe by HTTP GET; status 200 means ready."""

    async def probe() -> str | None:
        # The environment's proxies are for other hosts.
        async with httpx.AsyncClient(trust_env=False, timeout=_ATTEMPT_SECONDS) as client:
            try:
                response = await client.get(url)
            except httpx.HTTPError as error:
                return f"{url} does not answer ({type(error).__name__})"
        return None if response.status_code == httpx.codes.OK else f"{url} answers {response.status_code}"

    return probe
