"""Pods that pass the "restricted" pod security standard, and a little more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tests.k8s.manifests import Manifests

_PINNED: Final = re.compile(r"[^:@]+(:\d+/[^:@]+)?(:(?!latest$)[\w][\w.-]*|@sha256:[0-9a-f]{64})")
_LEVEL: Final = "pod-security.kubernetes.io/enforce"


def runs_as_an_unprivileged_user(manifests: Manifests) -> Iterator[str]:
    """By number, so that the kubelet can tell."""
    for workload in manifests.workloads():
        context = workload.pod.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser") or not context.get("runAsGroup"):
            yield f"{workload.name}: must run as a numeric user and group that are not root"


def has_the_runtime_s_seccomp_profile(manifests: Manifests) -> Iterator[str]:
    """System calls that no program of ours makes are refused."""
    for workload in manifests.workloads():
        if workload.pod.get("securityContext", {}).get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{workload.name}: seccompProfile must be RuntimeDefault"


def has_no_capabilities(manifests: Manifests) -> Iterator[str]:
    """All are dropped, none is added."""
    for workload in manifests.workloads():
        for container in workload.containers:
            if container.get("securityContext", {}).get("capabilities") != {"drop": ["ALL"]}:
                yield f"{workload.name}/{container['name']}: must drop ALL capabilities and add none"


def cannot_gain_privileges(manifests: Manifests) -> Iterator[str]:
    """Nor has any from the start."""
    for workload in manifests.workloads():
        for container in workload.containers:
            context = container.get("securityContext", {})
            if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
                yield f"{workload.name}/{container['name']}: must not be able to gain privileges"


def writes_to_volumes_alone(manifests: Manifests) -> Iterator[str]:
    """The image stays as it was built."""
    for workload in manifests.workloads():
        for container in workload.containers:
            if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
                yield f"{workload.name}/{container['name']}: the root file system must be read-only"


def shares_nothing_with_its_node(manifests: Manifests) -> Iterator[str]:
    """No namespaces, paths or ports of the host."""
    for workload in manifests.workloads():
        shared = [name for name in ("hostNetwork", "hostPID", "hostIPC") if workload.pod.get(name)]
        shared += [volume["name"] for volume in workload.pod.get("volumes", []) if "hostPath" in volume]
        shared += [p["name"] for c in workload.containers for p in c.get("ports", []) if "hostPort" in p]
        if shared:
            yield f"{workload.name}: shares {', '.join(shared)} with its node"


def cannot_ask_the_cluster_s_api(manifests: Manifests) -> Iterator[str]:
    """Each has an account of its own, and neither account nor pod mounts a token."""
    for workload in manifests.workloads():
        name = workload.pod.get("serviceAccountName", "default")
        account = manifests.get("ServiceAccount", name)
        if name != workload.name or account is None:
            yield f"{workload.name}: must have a ServiceAccount of its own"
        elif account.get("automountServiceAccountToken") is not False:
            yield f"{workload.name}: its ServiceAccount must not mount a token"
        if workload.pod.get("automountServiceAccountToken") is not False:
            yield f"{workload.name}: its pods must not mount a token"


def is_told_nothing_that_nobody_wrote(manifests: Manifests) -> Iterator[str]:
    """Variables that Kubernetes makes from Services' names could be taken for settings."""
    for workload in manifests.workloads():
        if workload.pod.get("enableServiceLinks") is not False:
            yield f"{workload.name}: enableServiceLinks must be false"


def has_requests_and_limits(manifests: Manifests) -> Iterator[str]:
    """Of processor and memory, so that no neighbour suffers."""
    for workload in manifests.workloads():
        for container in workload.containers:
            resources = container.get("resources", {})
            for kind in ("requests", "limits"):
                if not {"cpu", "memory"} <= resources.get(kind, {}).keys():
                    yield f"{workload.name}/{container['name']}: {kind} must name cpu and memory"


def runs_a_named_version(manifests: Manifests) -> Iterator[str]:
    """An image without a tag, or with `latest`, is another one tomorrow."""
    for workload in manifests.workloads():
        for container in workload.containers:
            if not _PINNED.fullmatch(container["image"]):
                yield f"{workload.name}/{container['name']}: {container['image']} names no version"


def lives_in_a_restricted_namespace(manifests: Manifests) -> Iterator[str]:
    """The cluster itself refuses pods that break the rules above."""
    namespaces = {item["metadata"]["name"]: item for item in manifests.of("Namespace")}
    for item in manifests:
        if item["kind"] == "Namespace":
            continue
        namespace = namespaces.get(item["metadata"].get("namespace", ""))
        if namespace is None:
            yield f"{item['kind']} {item['metadata']['name']}: is in no namespace of this overlay"
        elif namespace["metadata"].get("labels", {}).get(_LEVEL) != "restricted":
            yield f"{item['kind']} {item['metadata']['name']}: its namespace does not enforce `restricted`"
