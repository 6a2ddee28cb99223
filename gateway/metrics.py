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

STREAMS_UP = Gauge("parley_gateway_stream_up", "Whether the stream to a service is open.", ["stream"])
STREAM_FAILURES = Counter("parley_gateway_stream_failures_total", "Streams to services that ended.", ["stream"])
BATCH_ITEMS = Histogram(
    "parley_gateway_batch_items",
    "How many items went to chat in one call.",
    ["batches"],
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000),
)
BATCH_SECONDS = Histogram(
    "parley_gateway_batch_seconds",
    "How long those calls took.",
    ["batches"],
    buckets=QUICK,
)
EVENTS = Counter("parley_gateway_events_total", "Events that came for users who are connected here.", ["stream"])
DELIVERY_SECONDS = Histogram(
    "parley_gateway_delivery_seconds",
    "From the publication of events until they were written to sockets, by the clocks of Redis and the gateway.",
    ["stream"],
    buckets=QUICK,
)
CLOSED = Counter("parley_gateway_closed_total", "Connections that the gateway closed, by code.", ["code"])
REFUSED = Counter("parley_gateway_upgrades_refused_total", "Upgrades that were refused, by HTTP status.", ["status"])
PROTOCOL_VIOLATIONS = Counter(
    "parley_gateway_protocol_violations_total", "Connections that broke WebSocket's own rules."
)
CONFIRMATIONS_DROPPED = Counter(
    "parley_gateway_confirmations_dropped_total", "Deliveries that were not noted, as too many signals waited."
)
FAILED = Counter("parley_gateway_requests_failed_total", "Requests answered with an error.", ["op", "reason"])


# What alerts look at begins at 0, so that its first time is seen as a change.
for _code in (close_codes.TOO_SLOW, close_codes.INTERNAL_ERROR):
    CLOSED.labels(str(_code))
REFUSED.labels(str(HTTPStatus.SERVICE_UNAVAILABLE.value))

COUNTED: Final = {
    "parley_gateway_frames_in_total": "Frames that came.",
    "parley_gateway_frames_out_total": "Frames that were written.",
    "parley_gateway_bytes_in_total": "Bytes of payload that came.",
    "parley_gateway_bytes_out_total": "Bytes that were written.",
}
WATCHED: Final = {
    "parley_gateway_connections": "Connections that are open.",
    "parley_gateway_messages_waiting": "Messages that wait for chat.",
    "parley_gateway_signals_waiting": "Receipts and typing that wait for chat.",
    "parley_gateway_errands": "Requests under way that take calls of their own.",
}


class HotPathCounters(Collector):
    """Counts of the hot path: incremented as plain integers, read when Prometheus asks."""

    def __init__(self) -> None:
        self.frames_in = 0
        self.frames_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._gauges: dict[str, Callable[[], int]] = {}

    def watch(self, name: str, value: Callable[[], int]) -> None:
        """Shows a gauge of those named above; its value is asked for when Prometheus asks."""
        self._gauges[name] = value

    def describe(self) -> tuple[Metric, ...]:
        """Nothing beforehand: one process may hold several gateways, one after the other or at once."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told."""
        counts = (self.frames_in, self.frames_out, self.bytes_in, self.bytes_out)
        for (name, description), count in zip(COUNTED.items(), counts, strict=True):
            yield CounterMetricFamily(name, description, value=count)
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(name, WATCHED[name], value=value())


def count_failure(operation: str, reason: str) -> None:
    """Counts a request that was answered with an error; both names are of fixed sets."""
    FAILED.labels(operation, reason).inc()
