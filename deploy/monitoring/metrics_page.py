"""Generates docs/metrics.md: every metric of every process, from the code, and every alert, from the rules."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any, Final

import yaml
from prometheus_client.metrics import MetricWrapperBase

import gateway.metrics
from deploy.monitoring.scrape import ALERTS

PROCESSES: Final = {
    "Every process": ("chassis",),
    "Auth": ("services.auth",),
    "Chat": ("services.chat",),
    "Presence": ("services.presence",),
    "Notify": ("services.notify",),
    "Gateway": ("gateway",),
}
_HEAD: Final = """# Metrics and alerts

The metrics that each process serves at `/metrics`, by their names in Prometheus: counters end in `_total`, histograms
have `_bucket`, `_sum` and `_count`. The Python client adds its own (`process_cpu_seconds_total`,
`process_resident_memory_bytes`, ...). The dashboards are in `deploy/monitoring/dashboards`. This page is generated from
the code (`make reference`).
"""
_LABELS: Final = "_labelnames"  # private in the client library, which shows labels only with values


def metrics_page() -> str:
    """Returns the page."""
    parts, known = [_HEAD], set[str]()
    for title, packages in PROCESSES.items():
        rows = sorted(_metrics(packages, known))
        if rows:
            parts += [f"## {title}\n", "| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
            parts += ["| " + " | ".join(row) + " |" for row in rows]
            parts.append("")
    return "\n".join([*parts, *_alerts()])


def _metrics(packages: Iterable[str], known: set[str]) -> Iterator[tuple[str, str, str, str]]:
    """Yields name, type, labels and help of the metrics that the packages define, except known ones."""
    for module in (module for package in packages for module in _modules(package)):
        for metric in vars(importlib.import_module(module)).values():
            if isinstance(metric, MetricWrapperBase):
                row = _row(metric)
                if row[0] not in known:
                    known.add(row[0])
                    yield row
    if "gateway" in packages:
        for kind, table in (("counter", gateway.metrics.COUNTERS), ("gauge", gateway.metrics.GAUGES)):
            yield from ((f"`{name}`", kind, "", text) for name, text in table.items())


def _modules(package: str) -> Iterator[str]:
    yield package
    for info in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not info.name.endswith("__main__"):
            yield info.name


def _row(metric: MetricWrapperBase) -> tuple[str, str, str, str]:
    family: Any = next(iter(metric.describe()))
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return f"`{name}`", family.type, ", ".join(getattr(metric, _LABELS)), family.documentation


def _alerts() -> Iterator[str]:
    document = yaml.safe_load(ALERTS.read_text())
    yield "## Alerts\n"
    yield "The rules are in `deploy/monitoring/alerts.yaml`. Each alert has a runbook.\n"
    yield "| alert | severity | after | meaning |\n| --- | --- | --- | --- |"
    for rule in (rule for group in document["groups"] for rule in group["rules"] if "alert" in rule):
        name, after, text = rule["alert"], rule.get("for", "immediately"), rule["annotations"]["description"]
        yield f"| [{name}](runbooks/{name}.md) | {rule['labels']['severity']} | {after} | {text} |"
    yield ""
