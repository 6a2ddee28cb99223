"""The HTTP interface on its socket: uvicorn in the gateway's own event loop, started and stopped with the gateway."""

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
_KEEP_ALIVE_SECONDS: Final = 5  # above the time for which Envoy keeps an idle connection


@asynccontextmanager
async def serving_http(
    settings: Settings,
    upstreams: Upstreams,
    verifier: TokenVerifier,
    people: UserCache,
    *,
    is_stopping: Callable[[], bool] = lambda: False,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    websockets: type[asyncio.Protocol] | None = None,
) -> AsyncIterator[int]:
    """Serves the HTTP interface while the context is open; yields the port.

    On leaving, no more connections are taken, and requests in flight have `settings.drain_seconds`.

    Args:
        settings: the gateway's.
        upstreams: the services.
        verifier: verifies callers' tokens.
        people: what users are called.
        is_stopping: whether the gateway is on its way out, which /readyz then tells the proxy in front.
        around: what is served on the same port, made of the HTTP interface's application.
        websockets: what takes over connections that are upgraded; without one, none is.

    Raises:
        PortTakenError: `settings.http_listen` can't be listened on.
    """
    groups = table(upstreams, people, Readiness(upstreams, is_stopping), settings.trusted_proxies)
    app = application(groups, verifier, settings.allowed_origins)
    tls = server_context(settings.tls) if settings.tls else None
    async with AsyncExitStack() as stack:
        if settings.health_listen:
            health = stack.enter_context(_listening(settings.health_listen))
            await stack.enter_async_context(_serving(health_alone(groups, verifier), health, settings.drain_seconds))
        listener = stack.enter_context(_listening(settings.http_listen))
        await stack.enter_async_context(_serving(around(app), listener, settings.drain_seconds, websockets, tls))
        yield listener.getsockname()[1]


@contextmanager
def _listening(address: str) -> Iterator[socket.socket]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise PortTakenError(f"can't listen on {address}: the port is taken or the address is not ours") from error
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
            proxy_headers=False,  # who sent a request is worked out where it matters, from our own proxies' word
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
    """A server that leaves the signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
