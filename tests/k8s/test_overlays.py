"""Every overlay is valid and meets every policy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from deploy.monitoring.scrape import ALERTS
from tests.k8s.__main__ import violations
from tests.k8s.manifests import Manifest
from tests.k8s.rendering import NAMES, overlay
from tests.k8s.validation import problems

_DOCKERFILE: Final = Path(__file__).parents[2] / "deploy" / "docker" / "Dockerfile"
_DASHBOARDS: Final = Path(__file__).parents[2] / "deploy" / "monitoring" / "dashboards"


@pytest.mark.parametrize("name", NAMES)
def test_an_overlay_is_valid_and_meets_every_policy(name: str) -> None:
    assert list(violations(name)) == []


def test_there_are_overlays_for_one_machine_staging_and_two_cells_of_production() -> None:
    assert NAMES == ("dev", "prod", "prod-2", "staging")


def test_the_operator_s_alerts_are_prometheus_s_own() -> None:
    (rule,) = overlay("prod").of("PrometheusRule")
    assert rule["spec"] == yaml.safe_load(ALERTS.read_text())


def test_mongod_on_one_machine_finds_itself_before_its_pod_has_an_address() -> None:
    """Its postStart hook ends only when mongod can resolve its own name in the set, which DNS may not do by then."""
    (mongodb,) = (m for m in overlay("dev").of("StatefulSet") if m["metadata"]["name"] == "mongodb")
    pod = mongodb["spec"]["template"]["spec"]
    script = " ".join(pod["containers"][0]["lifecycle"]["postStart"]["exec"]["command"])
    (host,) = re.findall(r'host: "([^:"]+):', script)
    assert {name: alias["ip"] for alias in pod["hostAliases"] for name in alias["hostnames"]}[host] == "127.0.0.1"


def test_every_dashboard_is_deployed() -> None:
    (config_map,) = (m for m in overlay("prod").of("ConfigMap") if m["metadata"]["name"] == "dashboards")
    assert config_map["data"] == {path.name: path.read_text() for path in _DASHBOARDS.glob("*.json")}


def test_grafana_is_given_each_dashboard_once_by_a_cluster_with_two_cells() -> None:
    assert [m["metadata"]["name"] for m in overlay("prod-2").of("ConfigMap") if "parley-chat.json" in m["data"]] == []


def _first(kind: str) -> Manifest:
    return overlay("staging").copy().of(kind)[0]


@pytest.mark.parametrize(
    "kind",
    ["Deployment", "NetworkPolicy", "Certificate", "Issuer", "Gateway", "HTTPRoute", "GRPCRoute", "ScaledObject"],
)
def test_an_unknown_field_is_found(kind: str) -> None:
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


def _instruction(name: str) -> str:
    """Returns the last value of a Dockerfile instruction."""
    values: list[str] = re.findall(rf"^{name} (.+)$", _DOCKERFILE.read_text(), re.MULTILINE)
    return values[-1]


def test_pods_run_the_image_as_it_is_built() -> None:
    """With the image's user, entry point and ports."""
    for workload in overlay("prod").workloads("service", "gateway"):
        context = workload.pod["securityContext"]
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == _instruction("USER")
        assert all("command" not in container for container in workload.containers)
        served = {port for name, port in workload.ports.items() if name != "health"}  # only for kubelets
        assert served <= set(map(int, _instruction("EXPOSE").split()))
    assert _instruction("ENTRYPOINT") == '["python", "-m"]'
