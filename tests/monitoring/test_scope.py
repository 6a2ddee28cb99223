"""Dashboards and alerts use only Parley's own series, of one installation at a time."""

from __future__ import annotations

import re

import pytest

from deploy.monitoring.boards import DASHBOARDS
from deploy.monitoring.scope import scoped
from tests.monitoring.rules import Alert, alerts

SELECTOR = re.compile(r"\b(?:up|(?:parley|grpc_server|envoy|process)[_:][a-z0-9_:]+)(?:\{([^}]*)\})?")
SHARED_METRIC = re.compile(r"\b(?:up|(?:grpc_server|envoy|process)_[a-z0-9_]+)(?:\{([^}]*)\})?")
AGGREGATION = re.compile(r"\b(?:sum|min|max|avg|count)\b(?: by \(([^)]*)\))?")
LABELS = re.compile(r"by \([^)]*\)")
QUERIES = [query for board in DASHBOARDS for row in board.rows for panel in row.panels for query in panel.queries]


@pytest.mark.parametrize(
    ("expression", "scoped_expression"),
    [
        ("parley_gateway_connections", 'parley_gateway_connections{namespace=~"$namespace"}'),
        ('up{job="chat"}', 'up{namespace=~"$namespace", job="chat"}'),
        (
            'sum by (grpc_service) (rate(grpc_server_handled_total{grpc_code="OK"}[5m]))',
            "sum by (grpc_service) (rate(grpc_server_handled_total"
            '{namespace=~"$namespace", job=~"auth|chat|presence|notify", grpc_code="OK"}[5m]))',
        ),
        (
            "min by (envoy_cluster_name) (envoy_cluster_membership_healthy)",
            'min by (envoy_cluster_name) (envoy_cluster_membership_healthy{namespace=~"$namespace", job="envoy"})',
        ),
        ('process_open_fds{job="chat"} / 2', 'process_open_fds{namespace=~"$namespace", job="chat"} / 2'),
    ],
)
def test_every_selector_is_confined(expression: str, scoped_expression: str) -> None:
    assert scoped(expression) == scoped_expression


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.expression)
def test_a_panel_shows_the_chosen_namespace_alone(query: object) -> None:
    expression = LABELS.sub("", getattr(query, "scoped_expression", ""))
    assert SELECTOR.search(expression)
    assert all('namespace=~"$namespace"' in matchers for matchers in SELECTOR.findall(expression))
    assert all("job=" in matchers for matchers in SHARED_METRIC.findall(expression))


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_is_of_our_own_jobs_and_says_in_which_namespace(alert: Alert) -> None:
    expression = LABELS.sub("", alert.expression).replace(
        "/ process_max_fds", ""
    )  # it has the labels of the other operand
    assert all("job=" in matchers for matchers in SHARED_METRIC.findall(expression))
    assert all("namespace" in labels for labels in AGGREGATION.findall(alert.expression))
