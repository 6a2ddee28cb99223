"""MongoDB and Redis as our processes meet them; their own exporters show what goes on inside."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.grafana import Dashboard, Panel, Query, Row, by, quantiles

_MONGODB: Final = Row(
    "MongoDB",
    (
        Panel(
            "Processes that know a primary",
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
            "Commands that failed",
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
            "Time spent in MongoDB",
            "percentunit",
            (Query("sum by (job) (rate(parley_store_command_seconds_sum[$__rate_interval]))", by("job")),),
            "How many commands are under way at once, on average.",
        ),
        Panel("Inserts of chat", "s", quantiles("parley_chat_commit_seconds")),
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
        Panel("Appending takes", "s", quantiles("parley_log_append_seconds", "log")),
        Panel(
            "Failures",
            "ops",
            (Query("sum by (job, log) (rate(parley_log_failures_total[$__rate_interval]))", by("job", "log")),),
        ),
    ),
)

STORES: Final = Dashboard("parley-stores", "stores", (_MONGODB, _REDIS))
