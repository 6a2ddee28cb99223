"""Every alert has a severity, a description and a runbook with steps."""

from __future__ import annotations

import re

import pytest

from tests.monitoring.rules import MONITORING, ROOT, RUNBOOKS, Alert, alerts

ALERTS = alerts()
SECTIONS = ["Meaning", "Diagnosis", "Actions", "Follow-up"]
SOURCES = "\n".join(
    path.read_text() for folder in ("chassis", "services", "gateway") for path in (ROOT / folder).rglob("*.py")
)
PARLEY_METRIC = re.compile(r"\b((?:parley|grpc_server)_[a-z_]+)\b")
FOREIGN_PREFIXES = (
    "envoy_",
    "membership_",
    "gateway_",
    "process_open",
    "process_max",
    "kube_",
    "container_",
    "certmanager_",
    "blocked_",
)
METRIC = re.compile(
    r"\b((?:parley|grpc_server|process|kube_cronjob|envoy_(?:cluster|http_downstream|listener))_[a-z_0-9]+)\b"
)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_how_bad_it_is_what_happened_and_what_to_do(alert: Alert) -> None:
    assert alert.rule["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description", "runbook_url"} == alert.rule["annotations"].keys()
    assert all(text.strip() for text in alert.rule["annotations"].values())
    runbook = ROOT / alert.rule["annotations"]["runbook_url"]
    assert runbook == RUNBOOKS / f"{alert.name}.md"
    assert runbook.is_file()
    assert alert.series


def test_every_runbook_has_its_alert() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {alert.name for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_runbook_is_one_page_with_steps(alert: Alert) -> None:
    text = (RUNBOOKS / f"{alert.name}.md").read_text()
    assert text.startswith(f"# {alert.name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    parts = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
    assert all(part.strip() for part in parts)
    assert re.search(r"^1\. ", parts[2], re.MULTILINE)
    assert len(text.splitlines()) < 50


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_runbook_shows_what_the_alert_looks_at(alert: Alert) -> None:
    """At least one metric of the expression is on the page; for `up` its name suffices."""
    text = (RUNBOOKS / f"{alert.name}.md").read_text()
    metrics = {re.sub(r"_(bucket|count|sum)$", "", name) for name in METRIC.findall(alert.expression)} or {"up{"}
    assert any(name in text for name in metrics)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_runbook_names_existing_metrics_and_events(alert: Alert) -> None:
    """Parley's metrics and log events, in backticks, exist in the code."""
    text = (RUNBOOKS / f"{alert.name}.md").read_text()
    metrics = {re.sub(r"_(bucket|count|sum)$", "", name) for name in PARLEY_METRIC.findall(text)}
    events = set(re.findall(r"`([a-z]+_[a-z_]+)`", text)) - metrics
    events -= {name for name in events if name.startswith(FOREIGN_PREFIXES)}
    assert not {name for name in metrics | events if f'"{name}"' not in SOURCES}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_is_seen_firing_in_the_tests_of_the_rules(alert: Alert) -> None:
    assert f'alertname="{alert.name}"' in (MONITORING / "alerts_test.yaml").read_text()
