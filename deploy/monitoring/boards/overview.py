"""The first page to look at: is it up, is it used, does it fail, is it slow, is it full."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.grafana import Dashboard, Panel, Query, Row, by

_OURS: Final = 'job=~"auth|chat|presence|notify|gateway"'
_FAULTS: Final = 'grpc_code=~"UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|UNKNOWN|DATA_LOSS"'
_EDGE: Final = 'envoy_http_conn_manager_prefix="public"'

_USE: Final = Row(
    "Use",
    (
        Panel(
            "Messages committed",
            "ops",
            (Query("sum(rate(parley_chat_messages_total[$__rate_interval]))", "messages"),),
            "What everything else is there for. A drop to nothing in working hours is an outage.",
        ),
        Panel(
            "Connections",
            "short",
            (
                Query("sum(parley_gateway_connections)", "all"),
                Query("parley_gateway_connections", by("instance")),
            ),
            "Open sockets of users.",
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
            "Calls that fail",
            "percentunit",
            (
                Query(
                    f"sum by (grpc_service) (rate(grpc_server_handled_total{{{_FAULTS}}}[$__rate_interval]))"
                    " / sum by (grpc_service) (rate(grpc_server_handled_total[$__rate_interval]))",
                    by("grpc_service"),
                ),
            ),
            "Through faults of the service or of what it stands on; refusals of callers are not counted.",
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
            "99 % of the calls are faster. SignIn and CreateUser hash passwords, and take long on purpose.",
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
            "gRPC has status 200 whatever becomes of the call; 1xx are upgrades to WebSocket.",
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
            "As that Envoy sees them which sees the fewest.",
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
            "CPU of each process",
            "percentunit",
            (Query(f"rate(process_cpu_seconds_total{{{_OURS}}}[$__rate_interval])", by("job", "instance")),),
            "A process uses one core: at 100 % it needs another replica.",
        ),
        Panel(
            "Memory of each process",
            "bytes",
            (
                Query(f"process_resident_memory_bytes{{{_OURS}}}", by("job", "instance")),
                Query("envoy_server_memory_physical_size", by("job", "instance")),
            ),
        ),
        Panel(
            "Lateness of event loops",
            "s",
            (Query("parley_event_loop_delay_seconds", by("job", "instance")),),
            "How long everything waits for its turn: by load, by a call that blocks, by a node that gives no CPU.",
        ),
        Panel(
            "File descriptors",
            "percentunit",
            (Query(f"process_open_fds{{{_OURS}}} / process_max_fds", by("job", "instance")),),
            "Each connection takes one.",
        ),
    ),
)

OVERVIEW: Final = Dashboard("parley-overview", "overview", (_USE, _HEALTH, _EDGE_ROW, _SATURATION))
