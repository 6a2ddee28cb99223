"""Prometheus metrics that every process has, and their HTTP endpoint."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, start_http_server

QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Histogram buckets for operations that normally take milliseconds, in s."""

RPC_STARTED = Counter("grpc_server_started_total", "RPCs started.", ["grpc_type", "grpc_service", "grpc_method"])
RPC_HANDLED = Counter(
    "grpc_server_handled_total",
    "RPCs completed, by status code; CANCELLED if the caller went away.",
    ["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
)
RPC_SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "Duration of unary RPCs.",
    ["grpc_type", "grpc_service", "grpc_method"],
    buckets=QUICK,
)
SUBSCRIBERS = Gauge("parley_subscribers", "Open event streams.", ["log"])
SUBSCRIBER_PENDING = Gauge("parley_subscriber_pending_events", "Events queued for event streams.", ["log"])
SUBSCRIBER_EVENTS = Counter("parley_subscriber_events_total", "Events sent to event streams.", ["log"])
SUBSCRIBER_OVERFLOWS = Counter(
    "parley_subscriber_overflows_total", "Event streams ended because the subscriber was too slow.", ["log"]
)
LOG_APPENDED = Counter("parley_log_appended_total", "Batches of events appended to an event log.", ["log"])
LOG_APPEND_SECONDS = Histogram(
    "parley_log_append_seconds", "Duration of appends to an event log.", ["log"], buckets=QUICK
)
LOG_FAILURES = Counter("parley_log_failures_total", "Failed reads and appends of an event log.", ["log"])
STORE_SECONDS = Histogram("parley_store_command_seconds", "Duration of MongoDB commands.", ["command"], buckets=QUICK)
STORE_FAILURES = Counter("parley_store_commands_failed_total", "Failed MongoDB commands.", ["command"])
STORE_WRITABLE = Gauge("parley_store_writable", "Whether this process knows a primary of MongoDB, 1 or 0.")
LOOP_DELAY = Gauge("parley_event_loop_delay_seconds", "Event-loop lag, sampled once a second.")
CERTIFICATE_LEFT = Gauge(
    "parley_tls_certificate_left_seconds",
    "Time until this process's certificate on disk expires; 0 if it can't be read, +Inf without mutual TLS.",
)
CERTIFICATE_LEFT.set(math.inf)
_LOOP_SAMPLE_SECONDS: Final = 1.0


async def watch_event_loop() -> None:
    """Measures the event loop's lag until cancelled."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_LOOP_SAMPLE_SECONDS)
        LOOP_DELAY.set(max(0.0, time.perf_counter() - began - _LOOP_SAMPLE_SECONDS))


@contextmanager
def exposed(address: str) -> Iterator[int]:
    """Serves the metrics over HTTP while the context is open; yields the port."""
    # Without this, each counter has another series with its creation time, which Parley doesn't use.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    host, _, port = address.rpartition(":")
    server, thread = start_http_server(int(port), host)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
