"""The stores dashboard: MongoDB and Redis as Parley's processes see them; their own exporters show the servers."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.grafana import Dashboard, Panel, Query, Row, by, quantiles

_MONGODB: Final = Row(
    "MongoDB",
    (
        Panel(
            "Processes with a primary",
            "short",
            (
                Query("sum by (job) (parley_store_writable)", by("job")),
                Query("sum(parley_store_writable)", "all"),
            ),
        ),
        Panel(
            "Commands",
            "ops",
            (
                Query(
                    "sum by (job, command) (rate(parley_store_command_seconds_count[$__rate_interval]))",
                    by("job", "command"),
                ),
            ),
        ),
        Panel(
            "Failed commands",
            "ops",
            (Query("sum by (job) (rate(parley_store_commands_failed_total[$__rate_interval]))", by("job")),),
        ),
        Panel(
            "Duration by command, 99 %",
            "s",
            (
                Query(
                    "histogram_quantile(0.99, sum by (le, command)"
                    " (rate(parley_store_command_seconds_bucket[$__rate_interval])))",
                    by("command"),
                ),
            ),
        ),
        Panel(
            "Commands in flight",
            "percentunit",
            (Query("sum by (job) (rate(parley_store_command_seconds_sum[$__rate_interval]))", by("job")),),
            "Average number of concurrent commands.",
        ),
        Panel("Chat insert duration", "s", quantiles("parley_chat_commit_seconds")),
    ),
)

_REDIS: Final = Row(
    "Redis or Valkey",
    (
        Panel(
            "Entries appended to event logs",
            "ops",
            (Query("sum by (log) (rate(parley_log_appended_total[$__rate_interval]))", by("log")),),
        ),
        Panel("Append duration", "s", quantiles("parley_log_append_seconds", "log")),
        Panel(
            "Failures",
            "ops",
            (Query("sum by (job, log) (rate(parley_log_failures_total[$__rate_interval]))", by("job", "log")),),
        ),
    ),
)

STORES: Final = Dashboard("parley-stores", "stores", (_MONGODB, _REDIS))
