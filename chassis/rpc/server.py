"""The gRPC server of a service: the edge round every method, health, reflection, and a stop that loses nothing."""

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
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_permit_without_calls", 1),
    # Above the longest token: between a soft and a hard limit gRPC refuses by chance.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server behind it
)


class Registration(NamedTuple):
    """A servicer, and what the generated code needs to serve it."""

    descriptor: ServiceDescriptor
    add_to_server: Callable[[Any, grpc.aio.Server], None]
    servicer: Any


_log = logger("server")


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Service:
    """What a service's wiring hands to the server.

    Attributes:
        registrations: the servicers.
        verifier: verifies callers' tokens.
        tasks: what runs beside the calls for as long as the process does, by name; one that ends, ends the process.
        outages: what it raises while a store that it needs can't be reached: callers get UNAVAILABLE, and may repeat.
        drain: called once when the server is to stop, before calls in flight are waited for: ends the streams.
    """

    registrations: Sequence[Registration]
    verifier: TokenVerifier
    tasks: Mapping[str, Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=dict)
    outages: tuple[type[Exception], ...] = ()
    drain: Callable[[], Awaitable[None]] = _nothing


class PortTakenError(Exception):
    """The address to listen on is in use or not ours."""


@asynccontextmanager
async def serving(service: Service, settings: ServiceSettings) -> AsyncIterator[int]:
    """Serves while the context is open; yields the port.

    On leaving: health says NOT_SERVING, and calls are still served for `settings.shutdown_delay_seconds`, so that none
    is sent here in vain. Then the service drains, and calls in flight end; `settings.drain_seconds` for both. Then the
    service's tasks are cancelled.
    """
    server = grpc.aio.server(
        interceptors=[
            AuthInterceptor(access_of(r.descriptor for r in service.registrations), service.verifier, service.outages)
        ],
        options=_OPTIONS,
    )
    checks = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    for registration in service.registrations:
        registration.add_to_server(registration.servicer, server)
    names = [registration.descriptor.full_name for registration in service.registrations]
    if settings.reflection:
        reflection.enable_server_reflection([*names, HEALTH_NAME, reflection.SERVICE_NAME], server)
    port = _listen(server, settings.listen, settings.tls)
    async with _telling_health(checks, settings.health_listen), supervised(service.tasks):
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
        raise PortTakenError(f"can't listen on {address}: the port is taken or the address is not ours") from error


@asynccontextmanager
async def _telling_health(checks: health.HealthServicer, address: str | None) -> AsyncIterator[None]:
    """Tells health without TLS, in the same event loop: when that hangs, so does this."""
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
    """Drains, then stops; whatever keeps the service from draining doesn't keep the process from ending."""
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
