"""Confines an expression of PromQL to Parley's own series, of the installation that a dashboard shows.

A Prometheus reads others too: `grpc_server_handled_total` is anybody's name, and a cluster may have Parley twice. So
each selector gets the namespace that is chosen, and, where the metric is not named after us, the jobs that are ours.
"""

from __future__ import annotations

import re
from typing import Final

NAMESPACE: Final = 'namespace=~"$namespace"'
_METRIC: Final = re.compile(
    r"by \([^)]*\)"  # labels, some of which are called as metrics are
    r"|\b(?P<name>up|(?:parley|grpc_server|envoy|process)[_:][a-z0-9_:]+)\b(?:\{(?P<matchers>[^}]*)\})?"
)
_JOBS: Final = (
    ("grpc_server_", 'job=~"auth|chat|presence|notify"'),
    ("envoy_", 'job="envoy"'),
    ("process_", 'job=~"auth|chat|presence|notify|gateway"'),
)


def scoped(expression: str) -> str:
    """The expression with every selector confined."""
    return _METRIC.sub(_confined, expression)


def _confined(found: re.Match[str]) -> str:
    name, matchers = found["name"], found["matchers"] or ""
    if name is None:
        return found[0]
    jobs = [matcher for prefix, matcher in _JOBS if name.startswith(prefix) and "job=" not in matchers]
    return f"{name}{{{', '.join([NAMESPACE, *jobs, *([matchers] if matchers else [])])}}}"
