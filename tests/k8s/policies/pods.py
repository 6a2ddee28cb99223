"""Pods and their namespaces, beyond what checkov checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.k8s.manifests import Manifests

_LEVEL: Final = "pod-security.kubernetes.io/enforce"


def declares_an_unprivileged_user_and_group(manifests: Manifests) -> Iterator[str]:
    """Pods set runAsNonRoot, which the kubelet enforces, and a group that is not root. checkov checks the user only."""
    for workload in manifests.workloads():
        context = workload.pod.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsGroup"):
            yield f"{workload.name}: must set runAsNonRoot and a runAsGroup that is not root"


def mounts_no_host_path(manifests: Manifests) -> Iterator[str]:
    """Pods mount no files of their node; checkov checks the engine's socket only."""
    for workload in manifests.workloads():
        for volume in workload.pod.get("volumes", []):
            if "hostPath" in volume:
                yield f"{workload.name}: volume {volume['name']} is a path of the node"


def has_its_own_service_account(manifests: Manifests) -> Iterator[str]:
    """Each workload has its own ServiceAccount, which mounts no token."""
    for workload in manifests.workloads():
        name = workload.pod.get("serviceAccountName", "default")
        account = manifests.get("ServiceAccount", name)
        if name != workload.name or account is None:
            yield f"{workload.name}: must have its own ServiceAccount"
        elif account.get("automountServiceAccountToken") is not False:
            yield f"{workload.name}: its ServiceAccount must not mount a token"


def has_no_service_links(manifests: Manifests) -> Iterator[str]:
    """Kubernetes adds no variables for Services, which could be mistaken for settings."""
    for workload in manifests.workloads():
        if workload.pod.get("enableServiceLinks") is not False:
            yield f"{workload.name}: enableServiceLinks must be false"


def lives_in_a_restricted_namespace(manifests: Manifests) -> Iterator[str]:
    """Every manifest is in a namespace of the overlay that enforces the restricted pod security standard."""
    namespaces = {item["metadata"]["name"]: item for item in manifests.of("Namespace")}
    for item in manifests:
        if item["kind"] == "Namespace":
            continue
        namespace = namespaces.get(item["metadata"].get("namespace", ""))
        if namespace is None:
            yield f"{item['kind']} {item['metadata']['name']}: is in no namespace of this overlay"
        elif namespace["metadata"].get("labels", {}).get(_LEVEL) != "restricted":
            yield f"{item['kind']} {item['metadata']['name']}: its namespace does not enforce `restricted`"
