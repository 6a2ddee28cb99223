"""The gRPC server of a service, with the interceptor, health, reflection, and a graceful stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from chassis.identity import TokenVerifier
from chassis.process.logs import logger
from chassis.process.settings import ServiceSettings
from chassis.process.supervise import supervised
from chassis.rpc.access import access_of
from chassis.rpc.channel import MAX_MESSAGE_BYTES
from chassis.rpc.interceptor import AuthInterceptor
from chassis.rpc.tls import TlsFiles, grpc_server_credentials

_OPTIONS: Final = (
    # No compression: gRPC unpacks requests before the interceptor sees the token, so a few bytes from anyone would take
    # megabytes. A compressed request fails with UNIMPLEMENTED.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_permit_without_calls", 1),
    # Above the longest token: between a soft and a hard limit gRPC refuses by chance.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),  # makes a port in use an error, instead of sharing it with another server
)


class Registration(NamedTuple):
    """A servicer, its descriptor, and the generated function that adds it to a server."""

    descriptor: ServiceDescriptor
    add_to_server: Callable[[Any, grpc.aio.Server], None]
    servicer: Any


_log = logger("server")


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Service:
    """A wired service, ready to serve.

    Attributes:
        registrations: the servicers.
        verifier: verifies callers' tokens.
        tasks: background tasks by name; if one ends, the process ends.
        outages: the exceptions that mean that a store is unreachable; callers get UNAVAILABLE, and may retry.
        prepare: awaited once before the server accepts calls, while the tasks run.
        drain: called once on stopping, before the server waits for calls in progress; ends the streams.
    """

    registrations: Sequence[Registration]
    verifier: TokenVerifier
    tasks: Mapping[str, Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=dict)
    outages: tuple[type[Exception], ...] = ()
    prepare: Callable[[], Awaitable[None]] = _nothing
    drain: Callable[[], Awaitable[None]] = _nothing


class PortTakenError(Exception):
    """The address to listen on is in use, or not an address of this host."""


@asynccontextmanager
async def serving(service: Service, settings: ServiceSettings) -> AsyncIterator[int]:
    """Serves while the context is open; yields the port.

    On leaving, health turns NOT_SERVING, and the server still serves calls for `settings.shutdown_delay_seconds`, until
    load balancers have noticed. Then it drains the service and waits for calls in progress, together for at most
    `settings.drain_seconds`. Finally it cancels the service's tasks.
    """
    server = grpc.aio.server(
        interceptors=[
            AuthInterceptor(access_of(r.descriptor for r in service.registrations), service.verifier, service.outages)
        ],
        options=_OPTIONS,
        maximum_concurrent_rpcs=settings.concurrent_calls,
    )
    checks = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    for registration in service.registrations:
        registration.add_to_server(registration.servicer, server)
    names = [registration.descriptor.full_name for registration in service.registrations]
    if settings.reflection:
        reflection.enable_server_reflection([*names, HEALTH_NAME, reflection.SERVICE_NAME], server)
    port = _listen(server, settings.listen, settings.tls)
    async with _serving_health(checks, settings.health_listen), supervised(service.tasks):
        await service.prepare()
        await server.start()
        for name in ("", *names):
            await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
        try:
            yield port
        finally:
            await asyncio.shield(_stop(server, checks, service, settings))


def _listen(server: grpc.aio.Server, address: str, tls: TlsFiles | None) -> int:
    credentials = grpc_server_credentials(tls) if tls else None
    try:
        return server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError as error:
        raise PortTakenError(
            f"can't listen on {address}: the port is in use, or the address is not one of this host"
        ) from error


@asynccontextmanager
async def _serving_health(checks: health.HealthServicer, address: str | None) -> AsyncIterator[None]:
    """Serves health without TLS in the same event loop, so that it hangs if the loop does."""
    if address is None:
        yield
        return
    server = grpc.aio.server(options=_OPTIONS)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    _listen(server, address, None)
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


async def _stop(
    server: grpc.aio.Server, checks: health.HealthServicer, service: Service, settings: ServiceSettings
) -> None:
    """Drains, then stops the server. A drain that fails or takes too long doesn't prevent the stop."""
    seconds = settings.drain_seconds
    await checks.enter_graceful_shutdown()
    await asyncio.sleep(settings.shutdown_delay_seconds)
    began = asyncio.get_running_loop().time()
    failures: tuple[type[Exception], ...] = (TimeoutError, *service.outages)
    try:
        async with asyncio.timeout(seconds):
            await service.drain()
    except failures as error:
        _log.warning("drain_incomplete", error=type(error).__name__)
    finally:
        taken = asyncio.get_running_loop().time() - began
        await server.stop(max(0.0, seconds - taken))
