"""The gateways: who is connected, what goes in and out, what waits, what is refused."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.grafana import Dashboard, Panel, Query, Row, by, quantiles

_CONNECTIONS: Final = Row(
    "Connections",
    (
        Panel("Open", "short", (Query("parley_gateway_connections", by("instance")),)),
        Panel(
            "Closed by the gateway",
            "ops",
            (Query("sum by (code) (rate(parley_gateway_closed_total[$__rate_interval]))", by("code")),),
            "4401: the token ended. 4408: read too slowly. 1011: an error of ours. 1012: the gateway stops.",
        ),
        Panel(
            "Refused upgrades",
            "ops",
            (Query("sum by (status) (rate(parley_gateway_upgrades_refused_total[$__rate_interval]))", by("status")),),
            "503: more come at once than are let in. 401: no valid token.",
        ),
        Panel(
            "Streams to services",
            "short",
            (Query("min by (stream) (parley_gateway_stream_up)", by("stream")),),
            "1 when every gateway has its stream.",
        ),
        Panel(
            "Streams that ended",
            "ops",
            (Query("sum by (stream) (rate(parley_gateway_stream_failures_total[$__rate_interval]))", by("stream")),),
        ),
        Panel(
            "Broken rules of WebSocket",
            "ops",
            (Query("sum(rate(parley_gateway_protocol_violations_total[$__rate_interval]))", "violations"),),
        ),
    ),
)

_TRAFFIC: Final = Row(
    "In and out",
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
                    "frames for each event",
                ),
            ),
            "Frames written, answers included, for each event that came in.",
        ),
        Panel(
            "Events that came",
            "ops",
            (Query("sum by (stream) (rate(parley_gateway_events_total[$__rate_interval]))", by("stream")),),
        ),
        Panel(
            "From publication to the sockets",
            "s",
            quantiles("parley_gateway_delivery_seconds", "stream"),
            "By the clocks of Redis and the gateway. What people feel as instant.",
        ),
    ),
)

_TO_CHAT: Final = Row(
    "On the way to chat",
    (
        Panel(
            "Waiting",
            "short",
            (
                Query("sum by (instance) (parley_gateway_messages_waiting)", "messages {{instance}}"),
                Query("sum by (instance) (parley_gateway_signals_waiting)", "signals {{instance}}"),
                Query("sum by (instance) (parley_gateway_errands)", "calls {{instance}}"),
            ),
        ),
        Panel(
            "Items in one call",
            "short",
            (
                Query(
                    "sum by (batches) (rate(parley_gateway_batch_items_sum[$__rate_interval]))"
                    " / sum by (batches) (rate(parley_gateway_batch_items_count[$__rate_interval]))",
                    by("batches"),
                ),
            ),
            "Grows with load, as it should: the more there is to do, the less each message costs.",
        ),
        Panel("How long a call takes", "s", quantiles("parley_gateway_batch_seconds", "batches")),
        Panel(
            "Requests answered with an error",
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
        Panel("In flight", "short", (Query("sum by (instance) (parley_http_requests_in_flight)", by("instance")),)),
    ),
)

GATEWAY: Final = Dashboard("parley-gateway", "gateway", (_CONNECTIONS, _TRAFFIC, _TO_CHAT, _HTTP))
