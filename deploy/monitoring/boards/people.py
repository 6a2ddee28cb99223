"""The dashboard of notify, presence and auth: notifications, presence, sign-ins."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.boards.rpc import rpc_panels
from deploy.monitoring.grafana import Dashboard, Panel, Query, Row, by


def _streams(log: str) -> tuple[Panel, ...]:
    """Returns panels of a service's streams to gateways."""
    return (
        Panel(
            "Gateways attached",
            "short",
            (Query(f'sum by (instance) (parley_subscribers{{log="{log}"}})', by("instance")),),
        ),
        Panel(
            "Events delivered to gateways",
            "ops",
            (Query(f'sum(rate(parley_subscriber_events_total{{log="{log}"}}[$__rate_interval]))', "events"),),
        ),
        Panel(
            "Events waiting for gateways",
            "short",
            (
                Query(f'sum(parley_subscriber_pending_events{{log="{log}"}})', "events"),
                Query(
                    f'sum(increase(parley_subscriber_overflows_total{{log="{log}"}}[$__rate_interval]))', "overflows"
                ),
            ),
        ),
    )


_NOTIFY: Final = Row(
    "Notify",
    (
        Panel(
            "Backlog",
            "short",
            (Query("max(parley_notify_backlog_entries)", "entries"),),
            "Entries of chat's event log that no replica has processed yet.",
        ),
        Panel(
            "Lag",
            "s",
            (Query("parley_notify_lag_seconds", by("instance")),),
            "Age of the last entry when it was processed. Does not change while idle: check the backlog first.",
        ),
        Panel(
            "Entries",
            "ops",
            (
                Query("sum(rate(parley_notify_entries_processed_total[$__rate_interval]))", "processed"),
                Query(
                    "sum(rate(parley_notify_entries_claimed_total[$__rate_interval]))",
                    "claimed from silent replicas",
                ),
                Query("sum(rate(parley_notify_entries_malformed_total[$__rate_interval]))", "malformed"),
            ),
        ),
        *_streams("notify"),
        *rpc_panels("notify"),
    ),
)

_PRESENCE: Final = Row(
    "Presence",
    (
        *_streams("presence"),
        Panel(
            "Presence changes published",
            "ops",
            (Query('sum(rate(parley_log_appended_total{log="presence"}[$__rate_interval]))', "changes"),),
        ),
        *rpc_panels("presence"),
    ),
)

_AUTH: Final = Row(
    "Auth",
    (
        Panel(
            "Sign-ins",
            "ops",
            (Query("sum by (outcome) (rate(parley_auth_sign_ins_total[$__rate_interval]))", by("outcome")),),
        ),
        Panel(
            "Sign-ins rate-limited locally",
            "ops",
            (Query("sum(rate(parley_auth_local_limits_total[$__rate_interval]))", "attempts"),),
        ),
        Panel(
            "Revocation streams",
            "short",
            (
                Query("sum(parley_auth_revocation_watchers)", "streams"),
                Query("sum(parley_auth_revocations_pending)", "waiting"),
                Query("sum(increase(parley_auth_revocation_overflows_total[$__rate_interval]))", "overflows"),
            ),
        ),
        *rpc_panels("auth"),
    ),
)

PEOPLE: Final = Dashboard("parley-people", "notify, presence and auth", (_NOTIFY, _PRESENCE, _AUTH))
