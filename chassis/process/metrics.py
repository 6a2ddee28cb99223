"""Prometheus metrics of a process, on a port of their own."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, start_http_server

QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Buckets of what takes milliseconds when all is well, in s."""

RPC_STARTED = Counter("grpc_server_started_total", "Calls that began.", ["grpc_type", "grpc_service", "grpc_method"])
RPC_HANDLED = Counter(
    "grpc_server_handled_total",
    "Calls that ended, by code; CANCELLED where the caller went away.",
    ["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
)
RPC_SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "How long calls took, but for streams.",
    ["grpc_type", "grpc_service", "grpc_method"],
    buckets=QUICK,
)
SUBSCRIBERS = Gauge("parley_subscribers", "Streams of events that are open.", ["log"])
SUBSCRIBER_PENDING = Gauge(
    "parley_subscriber_pending_events", "Events that wait for those who read streams of them.", ["log"]
)
SUBSCRIBER_EVENTS = Counter("parley_subscriber_events_total", "Events given to those who read streams.", ["log"])
SUBSCRIBER_OVERFLOWS = Counter(
    "parley_subscriber_overflows_total", "Streams ended because their reader was too slow.", ["log"]
)
LOG_APPENDED = Counter("parley_log_appended_total", "Batches of events appended to an event log.", ["log"])
LOG_APPEND_SECONDS = Histogram(
    "parley_log_append_seconds", "How long appending to an event log took.", ["log"], buckets=QUICK
)
LOG_FAILURES = Counter("parley_log_failures_total", "Attempts to read or append to an event log that failed.", ["log"])
STORE_SECONDS = Histogram(
    "parley_store_command_seconds", "How long MongoDB took for a command.", ["command"], buckets=QUICK
)
STORE_FAILURES = Counter("parley_store_commands_failed_total", "Commands to MongoDB that failed.", ["command"])
STORE_WRITABLE = Gauge("parley_store_writable", "Whether this process knows a primary of MongoDB, 1 or 0.")
LOOP_DELAY = Gauge(
    "parley_event_loop_delay_seconds", "How late the event loop was when it last looked, once a second: its queue."
)
CERTIFICATE_LEFT = Gauge(
    "parley_tls_certificate_left_seconds",
    "How long the certificate that this process shows is still valid, as it is on disk; 0 when it can't be read, "
    "+Inf without mutual TLS.",
)
CERTIFICATE_LEFT.set(math.inf)
_LOOP_LOOK_SECONDS: Final = 1.0


async def watch_event_loop() -> None:
    """Measures for ever how late the event loop is."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_LOOP_LOOK_SECONDS)
        LOOP_DELAY.set(max(0.0, time.perf_counter() - began - _LOOP_LOOK_SECONDS))


@contextmanager
def exposed(address: str) -> Iterator[int]:
    """Serves the metrics over HTTP while the context is open; yields the port."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, of when it was made, for which nobody asks
    host, _, port = address.rpartition(":")
    server, thread = start_http_server(int(port), host)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
