"""The gateway dashboard: connections, traffic, queues, rejections."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.grafana import Dashboard, Panel, Query, Row, by, quantiles

_CONNECTIONS: Final = Row(
    "Connections",
    (
        Panel("Open connections", "short", (Query("parley_gateway_connections", by("instance")),)),
        Panel(
            "Closed by the gateway",
            "ops",
            (Query("sum by (code) (rate(parley_gateway_closed_total[$__rate_interval]))", by("code")),),
            "4401: token expired. 4408: client reads too slowly. 1011: internal error. 1012: gateway shutting down.",
        ),
        Panel(
            "Rejected upgrades",
            "ops",
            (Query("sum by (status) (rate(parley_gateway_upgrades_refused_total[$__rate_interval]))", by("status")),),
            "503: too many at once, or gateway not ready. 401: no valid token.",
        ),
        Panel(
            "Streams to services",
            "short",
            (Query("min by (stream) (parley_gateway_stream_up)", by("stream")),),
            "1: every gateway has its stream.",
        ),
        Panel(
            "Stream failures",
            "ops",
            (Query("sum by (stream) (rate(parley_gateway_stream_failures_total[$__rate_interval]))", by("stream")),),
        ),
        Panel(
            "WebSocket protocol violations",
            "ops",
            (Query("sum(rate(parley_gateway_protocol_violations_total[$__rate_interval]))", "violations"),),
        ),
    ),
)

_TRAFFIC: Final = Row(
    "Traffic",
    (
        Panel(
            "Frames",
            "ops",
            (
                Query("sum by (instance) (rate(parley_gateway_frames_in_total[$__rate_interval]))", "in {{instance}}"),
                Query(
                    "sum by (instance) (rate(parley_gateway_frames_out_total[$__rate_interval]))", "out {{instance}}"
                ),
            ),
        ),
        Panel(
            "Bytes",
            "Bps",
            (
                Query("sum by (instance) (rate(parley_gateway_bytes_in_total[$__rate_interval]))", "in {{instance}}"),
                Query("sum by (instance) (rate(parley_gateway_bytes_out_total[$__rate_interval]))", "out {{instance}}"),
            ),
        ),
        Panel(
            "Fan-out",
            "short",
            (
                Query(
                    "sum(rate(parley_gateway_frames_out_total[$__rate_interval]))"
                    " / sum(rate(parley_gateway_events_total[$__rate_interval]))",
                    "frames per event",
                ),
            ),
            "Frames sent, including replies, per event received.",
        ),
        Panel(
            "Events received",
            "ops",
            (Query("sum by (stream) (rate(parley_gateway_events_total[$__rate_interval]))", by("stream")),),
        ),
        Panel(
            "Delivery latency",
            "s",
            quantiles("parley_gateway_delivery_seconds", "stream"),
            "From publication in Redis to the write to the socket, by the clocks of Redis and the gateway.",
        ),
    ),
)

_TO_CHAT: Final = Row(
    "Calls to chat",
    (
        Panel(
            "Waiting",
            "short",
            (
                Query("sum by (instance) (parley_gateway_messages_waiting)", "messages {{instance}}"),
                Query("sum by (instance) (parley_gateway_signals_waiting)", "signals {{instance}}"),
                Query("sum by (instance) (parley_gateway_requests_in_flight)", "calls {{instance}}"),
            ),
        ),
        Panel(
            "Items per call",
            "short",
            (
                Query(
                    "sum by (batches) (rate(parley_gateway_batch_items_sum[$__rate_interval]))"
                    " / sum by (batches) (rate(parley_gateway_batch_items_count[$__rate_interval]))",
                    by("batches"),
                ),
            ),
            "Grows with load, which keeps the cost per message down.",
        ),
        Panel("Call duration", "s", quantiles("parley_gateway_batch_seconds", "batches")),
        Panel(
            "Failed requests",
            "ops",
            (
                Query(
                    "sum by (op, reason) (rate(parley_gateway_requests_failed_total[$__rate_interval]))",
                    by("op", "reason"),
                ),
            ),
        ),
    ),
)

_HTTP: Final = Row(
    "HTTP interface",
    (
        Panel(
            "Requests",
            "reqps",
            (Query("sum by (status) (rate(parley_http_requests_total[$__rate_interval]))", by("status")),),
        ),
        Panel(
            "Duration by route, 99 %",
            "s",
            (
                Query(
                    "histogram_quantile(0.99, sum by (le, method, route)"
                    " (rate(parley_http_request_seconds_bucket[$__rate_interval])))",
                    by("method", "route"),
                ),
            ),
        ),
        Panel(
            "Requests in flight",
            "short",
            (Query("sum by (instance) (parley_http_requests_in_flight)", by("instance")),),
        ),
    ),
)

GATEWAY: Final = Dashboard("parley-gateway", "gateway", (_CONNECTIONS, _TRAFFIC, _TO_CHAT, _HTTP))
