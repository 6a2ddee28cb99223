"""Probes that find out what they are for: a pod that hangs, and a pod that can't serve now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.k8s.manifests import Manifests

_KINDS: Final = ("startupProbe", "livenessProbe", "readinessProbe")
_ASKS_NOBODY: Final = {"/healthz", "/ready"}


def is_probed(manifests: Manifests) -> Iterator[str]:
    """While it starts, while it lives, and whether it may be called."""
    for workload in manifests.standing():
        for container in workload.containers:
            for kind in _KINDS:
                if kind not in container:
                    yield f"{workload.name}/{container['name']}: has no {kind}"


def is_asked_for_its_health_by_grpc(manifests: Manifests) -> Iterator[str]:
    """Services are asked natively, for all that they serve; they answer from memory, and wait for no database."""
    for workload in manifests.workloads("service"):
        for container in workload.containers:
            for kind in _KINDS:
                probe = container.get(kind, {}).get("grpc", {})
                own = workload.ports.get("health", workload.ports.get("grpc"))
                if probe.get("port") != own or probe.get("service"):
                    yield f"{workload.name}: {kind} must ask gRPC's health on its own port"


def is_killed_for_its_own_faults_alone(manifests: Manifests) -> Iterator[str]:
    """What a liveness probe asks must not ask anyone else, or one outage would restart everything."""
    for workload in manifests.workloads("gateway", "edge"):
        for container in workload.containers:
            path = container.get("livenessProbe", {}).get("httpGet", {}).get("path")
            if path not in _ASKS_NOBODY:
                yield f"{workload.name}: its livenessProbe asks {path}, which may ask others"


def is_called_when_it_reaches_what_it_needs(manifests: Manifests) -> Iterator[str]:
    """The gateway is ready when auth and chat answer it, and not any more once it stops."""
    for workload in manifests.workloads("gateway"):
        for container in workload.containers:
            if container.get("readinessProbe", {}).get("httpGet", {}).get("path") != "/readyz":
                yield f"{workload.name}: its readinessProbe must ask /readyz"


def is_probed_at_ports_that_it_has(manifests: Manifests) -> Iterator[str]:
    """By name or number."""
    for workload in manifests.workloads():
        for container in workload.containers:
            for kind in _KINDS:
                for how in ("httpGet", "tcpSocket", "grpc"):
                    port = container.get(kind, {}).get(how, {}).get("port")
                    if port is not None and port not in {*workload.ports, *workload.ports.values()}:
                        yield f"{workload.name}: {kind} asks port {port}, which it doesn't have"


def is_given_time_to_recover(manifests: Manifests) -> Iterator[str]:
    """A pause of half a minute is no reason to be killed: its sockets would all go at once."""
    for workload in manifests.workloads("service", "gateway", "edge"):
        for container in workload.containers:
            probe = container.get("livenessProbe", {})
            patience = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
            if patience < 30:
                yield f"{workload.name}: its livenessProbe gives up after {patience} s"


def is_given_time_to_migrate(manifests: Manifests) -> Iterator[str]:
    """A service changes its database before it serves; one that is killed meanwhile begins anew, for ever."""
    for workload in manifests.workloads("service"):
        for container in workload.containers:
            probe = container.get("startupProbe", {})
            patience = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
            if patience < 3_600:
                yield f"{workload.name}: its startupProbe gives up after {patience} s"
