"""Serves the HTTP interface: uvicorn in the gateway's own event loop, started and stopped with the gateway."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from chassis.identity import TokenVerifier
from chassis.process.supervise import TaskEndedError
from chassis.rpc.server import PortTakenError
from chassis.rpc.tls import server_context
from gateway.rest.app import application, health_alone, table
from gateway.rest.readiness import Readiness
from gateway.settings import Settings
from gateway.upstream.clients import Upstreams
from gateway.upstream.user_cache import UserCache

_BACKLOG: Final = 2_048
_KEEP_ALIVE_SECONDS: Final = 5  # longer than Envoy keeps an idle connection


@asynccontextmanager
async def serving_http(
    settings: Settings,
    upstreams: Upstreams,
    verifier: TokenVerifier,
    user_cache: UserCache,
    *,
    is_stopping: Callable[[], bool] = lambda: False,
    wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    websockets: type[asyncio.Protocol] | None = None,
) -> AsyncIterator[int]:
    """Serves the HTTP interface while the context is open; yields the port.

    On leaving, no new connections are accepted, and requests in flight have `settings.drain_seconds`.

    Args:
        settings: the gateway's settings.
        upstreams: the services' stubs.
        verifier: verifies callers' tokens.
        user_cache: users' names and avatars.
        is_stopping: returns whether the gateway is stopping, so that /readyz fails.
        wrap: returns an application that serves more on the same port, and passes all else to the HTTP interface's.
        websockets: the protocol of upgraded connections; None for no upgrades.

    Raises:
        PortTakenError: `settings.http_listen` or `settings.health_listen` cannot be listened on.
    """
    readiness = Readiness(upstreams, is_stopping, lambda: verifier.has_keys)
    groups = table(upstreams, user_cache, readiness, settings.trusted_proxies)
    app = application(groups, verifier, settings.allowed_origins)
    tls = server_context(settings.tls) if settings.tls else None
    async with AsyncExitStack() as stack:
        if settings.health_listen:
            health = stack.enter_context(_listening(settings.health_listen))
            await stack.enter_async_context(_serving(health_alone(groups, verifier), health, settings.drain_seconds))
        listener = stack.enter_context(_listening(settings.http_listen))
        await stack.enter_async_context(_serving(wrap(app), listener, settings.drain_seconds, websockets, tls))
        yield listener.getsockname()[1]


@contextmanager
def _listening(address: str) -> Iterator[socket.socket]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise PortTakenError(
            f"can't listen on {address}: the port is in use, or the address is not one of this host"
        ) from error
    with listener:
        yield listener


@asynccontextmanager
async def _serving(
    app: ASGIApp,
    listener: socket.socket,
    drain_seconds: float,
    websockets: type[asyncio.Protocol] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    server = _Server(
        uvicorn.Config(
            app,
            http="h11",
            ws=websockets or "none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,  # gateway.rest evaluates X-Forwarded-For, and trusts only our own proxies
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=math.ceil(drain_seconds),
            ssl_context_factory=(lambda _config, _default: tls) if tls else None,
        )
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(_serve(server, listener), name="http")
        try:
            yield
        finally:
            server.should_exit = True


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    await server.serve(sockets=[listener])
    if not server.should_exit:
        raise TaskEndedError("the HTTP server ended")


class _Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
