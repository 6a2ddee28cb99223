"""Gives the alerts the form in which the Prometheus operator takes them: `python -m deploy.k8s.rules` writes it.

The alerts themselves stand in deploy/monitoring/alerts.yaml, as Prometheus reads them; kustomize can't put one file
into another, so the result is kept beside the manifests, and a test holds the two together.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Final

ALERTS: Final = Path(__file__).parents[1] / "monitoring" / "alerts.yaml"
RULE: Final = Path(__file__).parent / "components" / "monitoring" / "alerts.yaml"

_HEAD: Final = """\
# Written by `python -m deploy.k8s.rules` from deploy/monitoring/alerts.yaml; change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: parley
spec:
"""


def prometheus_rule(alerts: str) -> str:
    """The alerts as a PrometheusRule, to the letter."""
    return _HEAD + indent(alerts, "  ")


if __name__ == "__main__":
    RULE.write_text(prometheus_rule(ALERTS.read_text()))
