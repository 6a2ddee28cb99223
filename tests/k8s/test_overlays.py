"""Every overlay is valid, and every property holds for it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import yaml

from deploy.k8s import rules
from tests.k8s.__main__ import violations
from tests.k8s.manifests import Manifest
from tests.k8s.rendering import NAMES, overlay
from tests.k8s.validation import problems

_DASHBOARDS: Final = Path(__file__).parents[2] / "deploy" / "monitoring" / "dashboards"


@pytest.mark.parametrize("name", NAMES)
def test_an_overlay_is_valid_and_keeps_every_policy(name: str) -> None:
    assert list(violations(name)) == []


def test_there_are_overlays_for_one_machine_staging_and_two_cells_of_production() -> None:
    assert NAMES == ("dev", "prod", "prod-2", "staging")


def test_the_operator_s_alerts_are_prometheus_s_own() -> None:
    assert rules.RULE.read_text() == rules.prometheus_rule(rules.ALERTS.read_text()), "run python -m deploy.k8s.rules"
    (rule,) = overlay("prod").of("PrometheusRule")
    assert rule["spec"] == yaml.safe_load(rules.ALERTS.read_text())


def test_every_dashboard_is_there() -> None:
    (found,) = (m for m in overlay("prod").of("ConfigMap") if m["metadata"]["name"] == "dashboards")
    assert found["data"] == {path.name: path.read_text() for path in _DASHBOARDS.glob("*.json")}


def _first(kind: str) -> Manifest:
    return overlay("staging").copy().of(kind)[0]


@pytest.mark.parametrize(
    "kind",
    ["Deployment", "NetworkPolicy", "Certificate", "Issuer", "Gateway", "HTTPRoute", "GRPCRoute", "ScaledObject"],
)
def test_a_field_that_there_is_not_is_found(kind: str) -> None:
    manifest = _first(kind)
    manifest["spec"]["replicsa"] = 3

    assert list(problems(manifest))


def test_a_value_of_another_type_is_found() -> None:
    manifest = _first("Deployment")
    manifest["spec"]["minReadySeconds"] = "soon"

    assert list(problems(manifest))


def test_a_kind_without_a_schema_is_refused() -> None:
    manifest = {"apiVersion": "example.com/v1", "kind": "Surprise", "metadata": {"name": "x"}, "spec": {}}

    assert list(problems(manifest))
