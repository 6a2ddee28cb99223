"""The chat dashboard: calls, commits, event publishing, fan-out to gateways."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.boards.rpc import rpc_panels
from deploy.monitoring.grafana import Dashboard, Panel, Query, Row, by, quantiles

_COMMIT: Final = Row(
    "Commit",
    (
        Panel(
            "Messages committed",
            "ops",
            (Query("rate(parley_chat_messages_total[$__rate_interval])", by("instance")),),
        ),
        Panel(
            "Waiting for the store",
            "short",
            (Query("parley_chat_commit_waiting", by("instance")),),
            "Messages and changes. At PARLEY_COMMIT_QUEUE chat rejects more.",
        ),
        Panel(
            "Queueing time",
            "s",
            (
                Query(
                    "sum by (instance) (avg_over_time(parley_chat_commit_waiting[$__rate_interval]))"
                    " / clamp_min(sum by (instance) (rate(parley_chat_messages_total[$__rate_interval])), 1)",
                    by("instance"),
                ),
            ),
            "By Little's law: queue length over commit rate.",
        ),
        Panel("Insert duration", "s", quantiles("parley_chat_commit_seconds")),
        Panel(
            "Messages per insert",
            "short",
            (
                Query(
                    "sum by (instance) (rate(parley_chat_commit_batch_messages_sum[$__rate_interval]))"
                    " / sum by (instance) (rate(parley_chat_commit_batch_messages_count[$__rate_interval]))",
                    by("instance"),
                ),
            ),
            "Grows with load, which keeps the cost per message down.",
        ),
        Panel(
            "Conflicts, unknown outcomes and takeovers",
            "ops",
            (
                Query("sum(rate(parley_chat_commit_conflicts_total[$__rate_interval]))", "conflicts"),
                Query("sum(rate(parley_chat_commit_unknown_total[$__rate_interval]))", "outcome unknown"),
                Query(
                    "sum(rate(parley_chat_intents_taken_over_total[$__rate_interval]))", "taken over from dead replicas"
                ),
            ),
        ),
    ),
)

_PUBLISH: Final = Row(
    "Publishing",
    (
        Panel(
            "Events published",
            "ops",
            (
                Query("sum(rate(parley_chat_published_total[$__rate_interval]))", "all"),
                Query("sum(rate(parley_chat_published_from_store_total[$__rate_interval]))", "read from the store"),
                Query("sum(rate(parley_chat_publish_dropped_total[$__rate_interval]))", "dropped"),
            ),
            "Dropped: the queue was full. Log entries are republished from the store later; typing events are lost.",
        ),
        Panel("Waiting for Redis", "short", (Query("parley_chat_publish_pending", by("instance")),)),
        Panel("Append duration", "s", quantiles("parley_log_append_seconds", "", '{log="chat"}')),
        Panel(
            "Events per append",
            "short",
            (
                Query(
                    "sum(rate(parley_chat_publish_batch_events_sum[$__rate_interval]))"
                    " / sum(rate(parley_chat_publish_batch_events_count[$__rate_interval]))",
                    "events",
                ),
            ),
        ),
    ),
)

_FAN_OUT: Final = Row(
    "Fan-out to gateways",
    (
        Panel("Streams", "short", (Query('parley_subscribers{log="chat"}', by("instance")),)),
        Panel(
            "Events delivered to gateways",
            "ops",
            (
                Query(
                    'sum by (instance) (rate(parley_subscriber_events_total{log="chat"}[$__rate_interval]))',
                    by("instance"),
                ),
            ),
        ),
        Panel(
            "Gateways per event",
            "short",
            (
                Query(
                    'sum(rate(parley_subscriber_events_total{log="chat"}[$__rate_interval]))'
                    " / sum(rate(parley_chat_published_total[$__rate_interval]))",
                    "gateways",
                ),
            ),
        ),
        Panel(
            "Events waiting for gateways",
            "short",
            (Query('sum by (instance) (parley_subscriber_pending_events{log="chat"})', by("instance")),),
        ),
        Panel(
            "Streams ended: reader too slow",
            "ops",
            (Query('sum(rate(parley_subscriber_overflows_total{log="chat"}[$__rate_interval]))', "overflows"),),
        ),
    ),
)

CHAT: Final = Dashboard("parley-chat", "chat", (Row("Calls", rpc_panels("chat")), _COMMIT, _PUBLISH, _FAN_OUT))
