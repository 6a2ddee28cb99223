"""What is measured of the HTTP interface: rate, errors and duration, by route template."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUESTS: Final = Counter("parley_http_requests_total", "HTTP requests answered.", ["method", "route", "status"])
SECONDS: Final = Histogram(
    "parley_http_request_seconds",
    "How long HTTP requests took, up to the last byte of the answer.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IN_FLIGHT: Final = Gauge("parley_http_requests_in_flight", "HTTP requests being served.")
