"""Limits a PromQL expression to the series of the Parley installation that a dashboard shows.

A Prometheus scrapes other programs too: `grpc_server_handled_total` is a common name, and a cluster may run Parley
twice. So each selector gets the selected namespace and, for metrics without Parley's prefix, Parley's jobs.
"""

from __future__ import annotations

import re
from typing import Final

NAMESPACE: Final = 'namespace=~"$namespace"'
_METRIC: Final = re.compile(
    r"by \([^)]*\)"  # skipped: some labels are named like metrics
    r"|\b(?P<name>up|(?:parley|grpc_server|envoy|process)[_:][a-z0-9_:]+)\b(?:\{(?P<matchers>[^}]*)\})?"
)
_JOBS: Final = (
    ("grpc_server_", 'job=~"auth|chat|presence|notify"'),
    ("envoy_", 'job="envoy"'),
    ("process_", 'job=~"auth|chat|presence|notify|gateway"'),
)


def scoped(expression: str) -> str:
    """Returns the expression with every selector limited."""
    return _METRIC.sub(_scoped_selector, expression)


def _scoped_selector(match: re.Match[str]) -> str:
    name, matchers = match["name"], match["matchers"] or ""
    if name is None:
        return match[0]
    jobs = [matcher for prefix, matcher in _JOBS if name.startswith(prefix) and "job=" not in matchers]
    return f"{name}{{{', '.join([NAMESPACE, *jobs, *([matchers] if matchers else [])])}}}"
