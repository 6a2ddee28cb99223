"""Gateway metrics. The hot path counts plain integers; `HotPathCounters` exports them on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chassis.process.metrics import QUICK
from gateway.wire import close_codes

STREAMS_UP = Gauge("parley_gateway_stream_up", "1 while the stream to the service is open, else 0.", ["stream"])
STREAM_FAILURES = Counter(
    "parley_gateway_stream_failures_total",
    "Streams to services that ended, also after a failed attempt to open one.",
    ["stream"],
)
BATCH_ITEMS = Histogram(
    "parley_gateway_batch_items",
    "Items in one SendMessages, SendSignals or BatchListMessages call to chat.",
    ["batches"],
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000),
)
BATCH_SECONDS = Histogram(
    "parley_gateway_batch_seconds",
    "Duration of SendMessages, SendSignals and BatchListMessages calls to chat.",
    ["batches"],
    buckets=QUICK,
)
EVENTS = Counter("parley_gateway_events_total", "Events received for users connected to this gateway.", ["stream"])
DELIVERY_SECONDS = Histogram(
    "parley_gateway_delivery_seconds",
    "Time from publishing an event to writing it to sockets, by the clocks of Redis and the gateway.",
    ["stream"],
    buckets=QUICK,
)
CLOSED = Counter("parley_gateway_closed_total", "Connections closed by the gateway, by close code.", ["code"])
REFUSED = Counter(
    "parley_gateway_upgrades_refused_total",
    "Refused WebSocket upgrades and Socket.IO sessions, by HTTP status.",
    ["status"],
)
PROTOCOL_VIOLATIONS = Counter(
    "parley_gateway_protocol_violations_total",
    "Violations of the WebSocket, Engine.IO or Socket.IO protocol by clients.",
)
CONFIRMATIONS_DROPPED = Counter(
    "parley_gateway_confirmations_dropped_total", "Delivery receipts dropped: the signal queue was full."
)
FAILED = Counter(
    "parley_gateway_requests_failed_total",
    "Requests answered with an error, by operation and reason.",
    ["op", "reason"],
)


# Alerts use these series. They start at 0, so that the first occurrence is an increase.
for _code in (close_codes.TOO_SLOW, close_codes.INTERNAL_ERROR):
    CLOSED.labels(str(_code))
REFUSED.labels(str(HTTPStatus.SERVICE_UNAVAILABLE.value))

COUNTERS: Final = {
    "parley_gateway_frames_in_total": "WebSocket frames received.",
    "parley_gateway_frames_out_total": "WebSocket frames sent.",
    "parley_gateway_bytes_in_total": "Payload bytes received in WebSocket frames.",
    "parley_gateway_bytes_out_total": "Bytes written to WebSockets.",
}
GAUGES: Final = {
    "parley_gateway_connections": "Open connections.",
    "parley_gateway_messages_waiting": "Messages queued for chat.",
    "parley_gateway_signals_waiting": "Receipts and typing signals queued for chat.",
    "parley_gateway_requests_in_flight": "Requests and event lookups in progress that make calls of their own.",
}


class HotPathCounters(Collector):
    """Counters of the hot path: the gateway increments plain integers, and Prometheus reads them at each scrape."""

    def __init__(self) -> None:
        self.frames_in = 0
        self.frames_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._gauges: dict[str, Callable[[], int]] = {}

    def add_gauge(self, name: str, value: Callable[[], int]) -> None:
        """Exports a gauge of `GAUGES`; `value` is called at each scrape."""
        self._gauges[name] = value

    def describe(self) -> tuple[Metric, ...]:
        """Returns nothing, so that several gateways can register in one process."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Returns the counters and gauges."""
        counts = (self.frames_in, self.frames_out, self.bytes_in, self.bytes_out)
        for (name, description), count in zip(COUNTERS.items(), counts, strict=True):
            yield CounterMetricFamily(name, description, value=count)
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(name, GAUGES[name], value=value())


def count_failure(operation: str, reason: str) -> None:
    """Counts a request answered with an error; `operation` and `reason` come from fixed sets."""
    FAILED.labels(operation, reason).inc()
