"""The component tracing/edge, which no overlay uses, on top of staging."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.generate import TRACED_EDGE
from tests.k8s.environment import processes, setting
from tests.k8s.manifests import Manifests
from tests.k8s.policies import encryption, policies_of
from tests.k8s.reachability import peers, rules
from tests.k8s.rendering import OVERLAYS, encrypts_inside, envoy_configuration, render
from tests.k8s.validation import problems

_KUSTOMIZATION = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: parley-staging
resources: [{overlay}]
components: [{component}]
"""


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """Staging with the component after all others."""
    folder = tmp_path_factory.mktemp("traced").resolve()
    overlay, component = (os.path.relpath(path, folder) for path in (OVERLAYS / "staging", TRACED_EDGE.parent))
    (folder / "kustomization.yaml").write_text(_KUSTOMIZATION.format(overlay=overlay, component=component))
    return render(folder)


def test_all_other_policies_still_hold(traced: Manifests) -> None:
    others = set(policies_of("staging")) - {encryption.runs_the_generated_file_for_mutual_tls}
    violations = [violation for policy in others for violation in policy(traced)]
    assert [
        violation for violation in violations if "cluster traces" not in violation
    ] == []  # the collector is external
    assert [problem for manifest in traced for problem in problems(manifest)] == []
    assert encrypts_inside(traced)


def test_envoy_sends_its_spans_where_the_processes_do_and_may(traced: Manifests) -> None:
    endpoints = {str(setting(traced, container, cls, "otlp_endpoint")) for _, container, cls in processes(traced)}
    (endpoint,) = map(urlsplit, endpoints)
    clusters = {cluster["name"]: cluster for cluster in envoy_configuration(traced)["static_resources"]["clusters"]}
    (locality,) = clusters["traces"]["load_assignment"]["endpoints"]
    address = locality["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert (address["address"], address["port_value"]) == (endpoint.hostname, endpoint.port)
    (edge,) = traced.workloads("edge")
    reached = [peers(rule, "Egress") for rule in rules(traced, edge, "Egress") if _ports(rule) == {endpoint.port}]
    assert reached == [[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]]


def _ports(rule: dict[str, list[dict[str, object]]]) -> set[object]:
    return {port["port"] for port in rule.get("ports", [])}


def test_it_mounts_the_generated_file(traced: Manifests) -> None:
    (data,) = (m["data"] for m in traced.of("ConfigMap") if "envoy.yaml" in m["data"])
    assert data["envoy.yaml"] == Path(TRACED_EDGE).read_text()
    assert {"certificate.yaml", "authority.yaml"} < data.keys()
