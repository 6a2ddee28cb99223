"""Rendered manifests for policies: by kind, by name, and each workload with its pod."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

Manifest = dict[str, Any]
NAME: Final = "app.kubernetes.io/name"
COMPONENT: Final = "app.kubernetes.io/component"


@dataclass(frozen=True)
class Workload:
    """A Deployment, a StatefulSet or a CronJob."""

    manifest: Manifest

    @property
    def name(self) -> str:
        """The workload's name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def spec(self) -> Manifest:
        """The workload's specification; for a CronJob, that of its jobs."""
        spec = self.manifest["spec"]
        return dict(spec["jobTemplate"]["spec"] if self.manifest["kind"] == "CronJob" else spec)

    @property
    def labels(self) -> dict[str, str]:
        """The pods' labels."""
        return dict(self.spec["template"]["metadata"].get("labels", {}))

    @property
    def component(self) -> str:
        """The component label: service, gateway, edge, store or operations."""
        return self.labels.get(COMPONENT, "")

    @property
    def pod(self) -> Manifest:
        """The pods' specification."""
        return dict(self.spec["template"]["spec"])

    @property
    def containers(self) -> list[Manifest]:
        """All containers of a pod, init containers first."""
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """The containers' ports by name."""
        return {port["name"]: port["containerPort"] for c in self.containers for port in c.get("ports", [])}


class Manifests:
    """All manifests of an overlay."""

    def __init__(self, items: Iterable[Manifest]) -> None:
        self.items = list(items)

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.items)

    def copy(self) -> Manifests:
        """Returns a deep copy."""
        return Manifests(deepcopy(self.items))

    def of(self, *kinds: str) -> list[Manifest]:
        """Returns the manifests of some kinds."""
        return [item for item in self.items if item["kind"] in kinds]

    def get(self, kind: str, name: str) -> Manifest | None:
        """Returns the manifest of a kind and name, or None."""
        return next((item for item in self.of(kind) if item["metadata"]["name"] == name), None)

    def workloads(self, *components: str) -> list[Workload]:
        """Returns the workloads, optionally only those of some components."""
        workloads = [Workload(item) for item in self.of("Deployment", "StatefulSet", "CronJob")]
        return [workload for workload in workloads if not components or workload.component in components]

    def permanent(self) -> list[Workload]:
        """Returns the workloads whose pods run permanently."""
        return [workload for workload in self.workloads() if workload.manifest["kind"] != "CronJob"]

    def deployments(self) -> list[Workload]:
        """Returns the Deployments."""
        return [workload for workload in self.workloads() if workload.manifest["kind"] == "Deployment"]

    def selected(self, labels: Mapping[str, str] | None) -> list[Workload]:
        """Returns the workloads that a Service with this selector selects; an empty selector selects none."""
        return [w for w in self.workloads() if labels and labels.items() <= w.labels.items()]


def selects(selector: Manifest | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty selector matches everything, a missing one nothing."""
    if selector is None:
        return False
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    return all(_satisfies(expression, labels) for expression in selector.get("matchExpressions", []))


def _satisfies(expression: Manifest, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(f"unknown operator {expression['operator']}")
