"""What the gateway measures. On the way of a message only plain integers are counted: `Tally` shows them on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

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
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CLOSED = Counter("parley_gateway_closed_total", "Connections that the gateway closed, by code.", ["code"])
REFUSED = Counter("parley_gateway_upgrades_refused_total", "Upgrades that were refused, by HTTP status.", ["status"])
PROTOCOL_VIOLATIONS = Counter(
    "parley_gateway_protocol_violations_total", "Connections that broke WebSocket's own rules."
)
FAILED = Counter("parley_gateway_requests_failed_total", "Requests answered with an error.", ["op", "reason"])


class Tally(Collector):
    """Counts of the hot path: incremented as plain integers, read when Prometheus asks."""

    def __init__(self) -> None:
        self.frames_in = 0
        self.frames_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._gauges: list[tuple[str, str, Callable[[], int]]] = []

    def watch(self, name: str, description: str, value: Callable[[], int]) -> None:
        """Shows a gauge whose value is asked for when Prometheus asks."""
        self._gauges.append((name, description, value))

    def describe(self) -> tuple[Metric, ...]:
        """Nothing beforehand: what is watched comes later."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told."""
        for name, description, count in (
            ("parley_gateway_frames_in", "Frames that came.", self.frames_in),
            ("parley_gateway_frames_out", "Frames that were written.", self.frames_out),
            ("parley_gateway_bytes_in", "Bytes of payload that came.", self.bytes_in),
            ("parley_gateway_bytes_out", "Bytes that were written.", self.bytes_out),
        ):
            yield CounterMetricFamily(name, description, value=count)
        for name, description, value in self._gauges:
            yield GaugeMetricFamily(name, description, value=value())


def count_failure(operation: str, reason: str) -> None:
    """Counts a request that was answered with an error; both names are of fixed sets."""
    FAILED.labels(operation, reason).inc()
