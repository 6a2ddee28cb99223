"""Prometheus metrics of a process, on a port of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, start_http_server

RPC_STARTED = Counter("grpc_server_started_total", "Calls that began.", ["grpc_service", "grpc_method"])
RPC_HANDLED = Counter(
    "grpc_server_handled_total", "Calls that ended, by code.", ["grpc_service", "grpc_method", "grpc_code"]
)
RPC_SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "How long calls took, but for streams.",
    ["grpc_service", "grpc_method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SUBSCRIBERS = Gauge("parley_subscribers", "Streams of events that are open.", ["log"])
SUBSCRIBER_PENDING = Gauge(
    "parley_subscriber_pending_events", "Events that wait for those who read streams of them.", ["log"]
)
SUBSCRIBER_OVERFLOWS = Counter(
    "parley_subscriber_overflows_total", "Streams ended because their reader was too slow.", ["log"]
)
LOG_APPENDED = Counter("parley_log_appended_total", "Batches of events appended to an event log.", ["log"])


@contextmanager
def exposed(address: str) -> Iterator[int]:
    """Serves the metrics over HTTP while the context is open; yields the port."""
    host, _, port = address.rpartition(":")
    server, thread = start_http_server(int(port), host)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
