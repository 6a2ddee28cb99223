"""Prometheus's scrape configuration for a stack on this machine."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from deploy.local.run_file import RunningStack

ALERTS: Final = Path(__file__).with_name("alerts.yaml")
_LISTENERS: Final = ("metrics", "status")
"""The listeners that serve metrics: `status` for Envoy, `metrics` for the other processes."""


def scrape_configuration(stack: RunningStack, interval: str = "5s") -> dict[str, Any]:
    """Returns Prometheus's configuration, which may be written as JSON, a subset of YAML.

    The label `job` is the process's name without its number and `instance` the name with it, as alerts and dashboards
    expect.
    """
    jobs: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, process in stack.processes.items():
        for port in (process.ports[listener] for listener in _LISTENERS if listener in process.ports):
            target = {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}}
            jobs[name.rpartition("-")[0] or name].append(target)
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval, "scrape_timeout": interval},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": job, "static_configs": targets} for job, targets in jobs.items()],
    }
