"""Runs a process: loads settings, starts logs and metrics, and serves until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final, TypeVar

import uvloop

from chassis.process import logs, metrics
from chassis.process.logs import logger
from chassis.process.settings import ProcessSettings, ServiceSettings, load
from chassis.process.startup_errors import outage
from chassis.process.supervise import supervised
from chassis.process.tracing import exporting
from chassis.rpc.server import Service, serving
from chassis.rpc.tls import seconds_left

P = TypeVar("P", bound=ProcessSettings)
S = TypeVar("S", bound=ServiceSettings)

_ALLOCATIONS_BETWEEN_COLLECTIONS: Final = 50_000

_log = logger("process")


def run_process(name: str, settings_class: type[P], serve: Callable[[P], AbstractAsyncContextManager[object]]) -> None:
    """Runs a process until SIGTERM or SIGINT.

    Args:
        name: the process's name in logs.
        settings_class: its settings; see `chassis.process.settings.load`.
        serve: entered when the process starts; left when it stops, to drain.
    """
    settings = load(settings_class)
    logs.configure(name, settings.replica, settings.log_level, settings.log_format)
    _raise_open_file_limit()
    _tune_garbage_collector()
    try:
        uvloop.run(_run(name, settings, serve))
    except Exception as error:
        if cause := outage(error):
            _log.error("process_failed", store=cause.store, reason=cause.reason)
        else:
            _log.error("process_failed", exc_info=error)
        raise SystemExit(1) from None


def _raise_open_file_limit() -> None:
    """Raises the soft limit on open files to the hard limit.

    Each connection takes a file, and container runtimes leave the soft limit at systemd's 1,024.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _tune_garbage_collector() -> None:
    """Excludes the objects loaded so far from the cycle collector, and lets it run less often.

    By default it runs after about a thousand allocations. A batch allocates thousands of objects without any cycle.
    """
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)


async def _run(name: str, settings: P, serve: Callable[[P], AbstractAsyncContextManager[object]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.tls:
        metrics.CERTIFICATE_LEFT.set_function(partial(seconds_left, settings.tls))
    watching = {"event_loop": metrics.watch_event_loop}
    with metrics.exposed(settings.metrics_listen) as port, exporting(name, settings):
        async with serve(settings), supervised(watching):
            _log.info("process_ready", metrics_port=port)
            await stop.wait()
            _log.info("process_stopping")
    _log.info("process_stopped")


def run_service(name: str, settings_class: type[S], wire: Callable[[S], AbstractAsyncContextManager[Service]]) -> None:
    """Runs a gRPC service until SIGTERM or SIGINT; `wire` is its composition root."""

    @asynccontextmanager
    async def serve(settings: S) -> AsyncIterator[None]:
        async with wire(settings) as service, serving(service, settings) as port:
            _log.info("service_listening", port=port)
            yield

    run_process(name, settings_class, serve)
