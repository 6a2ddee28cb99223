"""The overview dashboard: availability, use, errors, latency, saturation."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.grafana import Dashboard, Panel, Query, Row, by

_PARLEY_JOBS: Final = 'job=~"auth|chat|presence|notify|gateway"'
_FAULTS: Final = 'grpc_code=~"UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|UNKNOWN|DATA_LOSS"'
_EDGE: Final = 'envoy_http_conn_manager_prefix="public"'

_USE: Final = Row(
    "Usage",
    (
        Panel(
            "Messages committed",
            "ops",
            (Query("sum(rate(parley_chat_messages_total[$__rate_interval]))", "messages"),),
            "The main indicator. A drop to zero in working hours is an outage.",
        ),
        Panel(
            "Connections",
            "short",
            (
                Query("sum(parley_gateway_connections)", "all"),
                Query("parley_gateway_connections", by("instance")),
            ),
            "Open client sockets.",
        ),
        Panel(
            "Frames",
            "ops",
            (
                Query("sum(rate(parley_gateway_frames_in_total[$__rate_interval]))", "in"),
                Query("sum(rate(parley_gateway_frames_out_total[$__rate_interval]))", "out"),
            ),
        ),
    ),
)

_HEALTH: Final = Row(
    "Health",
    (
        Panel(
            "Processes up",
            "short",
            (Query('sum by (job) (up{job=~"auth|chat|presence|notify|gateway|envoy"})', by("job")),),
        ),
        Panel(
            "Failed calls",
            "percentunit",
            (
                Query(
                    f"sum by (grpc_service) (rate(grpc_server_handled_total{{{_FAULTS}}}[$__rate_interval]))"
                    " / sum by (grpc_service) (rate(grpc_server_handled_total[$__rate_interval]))",
                    by("grpc_service"),
                ),
            ),
            "Calls that failed through a fault of the service or its dependencies; rejected requests are not counted.",
        ),
        Panel(
            "Slowest methods",
            "s",
            (
                Query(
                    "topk(8, histogram_quantile(0.99, sum by (le, grpc_service, grpc_method)"
                    ' (rate(grpc_server_handling_seconds_bucket{grpc_type="unary"}[$__rate_interval]))))',
                    by("grpc_method"),
                ),
            ),
            "99th percentile. SignIn and CreateUser hash passwords, so they are slow by design.",
        ),
    ),
)

_EDGE_ROW: Final = Row(
    "Edge",
    (
        Panel(
            "Requests at Envoy",
            "reqps",
            (
                Query(
                    "sum by (envoy_response_code_class)"
                    f" (rate(envoy_http_downstream_rq_xx{{{_EDGE}}}[$__rate_interval]))",
                    "{{envoy_response_code_class}}xx",
                ),
            ),
            "gRPC calls have status 200 whatever their outcome; 1xx are WebSocket upgrades.",
        ),
        Panel(
            "Healthy replicas",
            "short",
            (
                Query(
                    'min by (envoy_cluster_name) (envoy_cluster_membership_healthy{envoy_cluster_name!="admin"})',
                    by("envoy_cluster_name"),
                ),
            ),
            "As seen by the Envoy that sees the fewest.",
        ),
        Panel(
            "Connections at Envoy",
            "short",
            (Query(f"sum(envoy_http_downstream_cx_active{{{_EDGE}}})", "active"),),
        ),
    ),
)

_SATURATION: Final = Row(
    "Saturation",
    (
        Panel(
            "CPU per process",
            "percentunit",
            (Query(f"rate(process_cpu_seconds_total{{{_PARLEY_JOBS}}}[$__rate_interval])", by("job", "instance")),),
            "A process uses one core; near 100 % add a replica.",
        ),
        Panel(
            "Memory per process",
            "bytes",
            (
                Query(f"process_resident_memory_bytes{{{_PARLEY_JOBS}}}", by("job", "instance")),
                Query("envoy_server_memory_physical_size", by("job", "instance")),
            ),
        ),
        Panel(
            "Event loop lag",
            "s",
            (Query("parley_event_loop_delay_seconds", by("job", "instance")),),
            "Delay of every task: from load, a blocking call, or a node short of CPU.",
        ),
        Panel(
            "File descriptors",
            "percentunit",
            (Query(f"process_open_fds{{{_PARLEY_JOBS}}} / process_max_fds", by("job", "instance")),),
            "Each connection uses one.",
        ),
    ),
)

OVERVIEW: Final = Dashboard("parley-overview", "overview", (_USE, _HEALTH, _EDGE_ROW, _SATURATION))
