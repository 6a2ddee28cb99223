"""The alerts as a PrometheusRule, the Prometheus operator's form.

Kustomize cannot embed one file in another, so `deploy.generate` writes the result beside the manifests.
"""

from __future__ import annotations

from textwrap import indent
from typing import Final

_HEAD: Final = """\
# Generated from deploy/monitoring/alerts.yaml by `make reference`; do not edit.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: parley
spec:
"""


def prometheus_rule(alerts: str) -> str:
    """Returns Prometheus's rules file, unchanged, as a PrometheusRule."""
    return _HEAD + indent(alerts, "  ")
