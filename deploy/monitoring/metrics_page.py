"""docs/metrics.md: every metric of every process, from the programs, and every alert, from the rules."""

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

What Prometheus reads at `/metrics` of each process, under the names that it keeps: a counter ends with `_total`, a
histogram has `_bucket`, `_sum` and `_count`. Beside these come the Python client's own (`process_cpu_seconds_total`,
`process_resident_memory_bytes`, ...). Dashboards are in `deploy/monitoring/dashboards`. This page is made from the
programs (`python -m deploy.monitoring write`).
"""
_LABELS: Final = "_labelnames"  # the client keeps them there, and shows them only with values


def metrics_page() -> str:
    """Gives the page."""
    parts, known = [_HEAD], set[str]()
    for title, packages in PROCESSES.items():
        rows = sorted(_metrics(packages, known))
        if rows:
            parts += [f"## {title}\n", "| metric | kind | labels | says |", "| --- | --- | --- | --- |"]
            parts += ["| " + " | ".join(row) + " |" for row in rows]
            parts.append("")
    return "\n".join([*parts, *_alerts()])


def _metrics(packages: Iterable[str], known: set[str]) -> Iterator[tuple[str, str, str, str]]:
    """Name, kind, labels and meaning of what modules of packages define, but for what is known already."""
    for module in (module for package in packages for module in _modules(package)):
        for metric in vars(importlib.import_module(module)).values():
            if isinstance(metric, MetricWrapperBase):
                row = _row(metric)
                if row[0] not in known:
                    known.add(row[0])
                    yield row
    if "gateway" in packages:
        for kind, table in (("counter", gateway.metrics.COUNTED), ("gauge", gateway.metrics.WATCHED)):
            yield from ((f"`{name}`", kind, "", says) for name, says in table.items())


def _modules(package: str) -> Iterator[str]:
    yield package
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not found.name.endswith("__main__"):
            yield found.name


def _row(metric: MetricWrapperBase) -> tuple[str, str, str, str]:
    described = metric.describe()
    family: Any = next(iter(described))
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return f"`{name}`", family.type, ", ".join(getattr(metric, _LABELS)), family.documentation


def _alerts() -> Iterator[str]:
    document = yaml.safe_load(ALERTS.read_text())
    yield "## Alerts\n"
    yield "Rules for Prometheus: `deploy/monitoring/alerts.yaml`. Each has a page that says what to do.\n"
    yield "| alert | severity | after | says |\n| --- | --- | --- | --- |"
    for rule in (rule for group in document["groups"] for rule in group["rules"] if "alert" in rule):
        name, says = rule["alert"], rule["annotations"]["description"]
        yield f"| [{name}](runbooks/{name}.md) | {rule['labels']['severity']} | {rule.get('for', 'at once')} | {says} |"
    yield ""
