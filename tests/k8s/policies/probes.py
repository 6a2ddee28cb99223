"""Probes that detect a hung pod and a pod that cannot serve, and nothing else. Their existence is checkov's check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.k8s.manifests import Manifests

_KINDS: Final = ("startupProbe", "livenessProbe", "readinessProbe")
_LOCAL_PATHS: Final = {"/healthz", "/ready"}


def has_a_startup_probe(manifests: Manifests) -> Iterator[str]:
    """Containers have a startup probe, so that a slow start does not count as a failure."""
    for workload in manifests.permanent():
        for container in workload.containers:
            if "startupProbe" not in container:
                yield f"{workload.name}/{container['name']}: has no startupProbe"


def is_probed_by_grpc_health(manifests: Manifests) -> Iterator[str]:
    """Services are probed by gRPC health for the whole server, which answers without waiting for a database."""
    for workload in manifests.workloads("service"):
        for container in workload.containers:
            for kind in _KINDS:
                probe = container.get(kind, {}).get("grpc", {})
                own = workload.ports.get("health", workload.ports.get("grpc"))
                if probe.get("port") != own or probe.get("service"):
                    yield f"{workload.name}: {kind} must use gRPC health on the service's port"


def is_restarted_only_for_its_own_faults(manifests: Manifests) -> Iterator[str]:
    """Liveness probes check the process only; otherwise one outage would restart every pod."""
    for workload in manifests.workloads("gateway", "edge"):
        for container in workload.containers:
            path = container.get("livenessProbe", {}).get("httpGet", {}).get("path")
            if path not in _LOCAL_PATHS:
                yield f"{workload.name}: its livenessProbe uses {path}, which may depend on other processes"


def is_ready_only_with_its_upstreams(manifests: Manifests) -> Iterator[str]:
    """The gateway is ready only while chat answers and it is not shutting down."""
    for workload in manifests.workloads("gateway"):
        for container in workload.containers:
            if container.get("readinessProbe", {}).get("httpGet", {}).get("path") != "/readyz":
                yield f"{workload.name}: its readinessProbe must use /readyz"


def is_probed_at_existing_ports(manifests: Manifests) -> Iterator[str]:
    """Probes use declared ports, by name or number."""
    for workload in manifests.workloads():
        for container in workload.containers:
            for kind in _KINDS:
                for how in ("httpGet", "tcpSocket", "grpc"):
                    port = container.get(kind, {}).get(how, {}).get("port")
                    if port is not None and port not in {*workload.ports, *workload.ports.values()}:
                        yield f"{workload.name}: {kind} uses port {port}, which the container does not declare"


def is_given_time_to_recover(manifests: Manifests) -> Iterator[str]:
    """A pause of up to 30 s does not kill a pod, which would drop all its sockets at once."""
    for workload in manifests.workloads("service", "gateway", "edge"):
        for container in workload.containers:
            probe = container.get("livenessProbe", {})
            allowed_seconds = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
            if allowed_seconds < 30:
                yield f"{workload.name}: its livenessProbe gives up after {allowed_seconds} s"


def is_given_time_to_migrate(manifests: Manifests) -> Iterator[str]:
    """Migrations at start-up have an hour; a service killed meanwhile would restart them endlessly."""
    for workload in manifests.workloads("service"):
        for container in workload.containers:
            probe = container.get("startupProbe", {})
            allowed_seconds = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
            if allowed_seconds < 3_600:
                yield f"{workload.name}: its startupProbe gives up after {allowed_seconds} s"
