"""Panels of gRPC calls that several dashboards show."""

from __future__ import annotations

from deploy.monitoring.grafana import Panel, Query, by


def rpc_panels(service: str) -> tuple[Panel, ...]:
    """Returns panels of the rate, errors and duration of a service's calls."""
    rpcs = f'grpc_service=~"parley[.]{service}[.].+"'
    return (
        Panel(
            "Calls",
            "reqps",
            (
                Query(
                    f"sum by (grpc_method) (rate(grpc_server_started_total{{{rpcs}}}[$__rate_interval]))",
                    by("grpc_method"),
                ),
            ),
        ),
        Panel(
            "Errors",
            "reqps",
            (
                Query(
                    f'sum by (grpc_code) (rate(grpc_server_handled_total{{{rpcs},grpc_code!="OK"}}[$__rate_interval]))',
                    by("grpc_code"),
                ),
            ),
            "Includes errors caused by callers.",
        ),
        Panel(
            "Duration, 99 %",
            "s",
            (
                Query(
                    "histogram_quantile(0.99, sum by (le, grpc_method)"
                    f' (rate(grpc_server_handling_seconds_bucket{{{rpcs},grpc_type="unary"}}[$__rate_interval])))',
                    by("grpc_method"),
                ),
            ),
        ),
    )
