"""Rendered manifests as policies look at them: by kind, by name, and each workload with its pod."""

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
        """Its name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def spec(self) -> Manifest:
        """Its own specification; of a CronJob, that of its jobs."""
        spec = self.manifest["spec"]
        return dict(spec["jobTemplate"]["spec"] if self.manifest["kind"] == "CronJob" else spec)

    @property
    def labels(self) -> dict[str, str]:
        """Its pods' labels."""
        return dict(self.spec["template"]["metadata"].get("labels", {}))

    @property
    def component(self) -> str:
        """What it is: a service, the gateway, the edge, a store, or for operations."""
        return self.labels.get(COMPONENT, "")

    @property
    def pod(self) -> Manifest:
        """Its pods' specification."""
        return dict(self.spec["template"]["spec"])

    @property
    def containers(self) -> list[Manifest]:
        """All containers of its pods."""
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """Its containers' ports, by name."""
        return {port["name"]: port["containerPort"] for c in self.containers for port in c.get("ports", [])}


class Manifests:
    """All manifests of an overlay."""

    def __init__(self, items: Iterable[Manifest]) -> None:
        self.items = list(items)

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.items)

    def copy(self) -> Manifests:
        """A copy that may be changed."""
        return Manifests(deepcopy(self.items))

    def of(self, *kinds: str) -> list[Manifest]:
        """Those of some kinds."""
        return [item for item in self.items if item["kind"] in kinds]

    def get(self, kind: str, name: str) -> Manifest | None:
        """The one of a kind that has a name."""
        return next((item for item in self.of(kind) if item["metadata"]["name"] == name), None)

    def workloads(self, *components: str) -> list[Workload]:
        """What runs pods; with components, only what is one of these."""
        found = [Workload(item) for item in self.of("Deployment", "StatefulSet", "CronJob")]
        return [workload for workload in found if not components or workload.component in components]

    def standing(self) -> list[Workload]:
        """What runs pods that are to stay."""
        return [workload for workload in self.workloads() if workload.manifest["kind"] != "CronJob"]

    def deployments(self) -> list[Workload]:
        """What runs pods that are all alike."""
        return [workload for workload in self.workloads() if workload.manifest["kind"] == "Deployment"]

    def selected(self, labels: Mapping[str, str] | None) -> list[Workload]:
        """The workloads whose pods have labels, as Services select them: without any, none."""
        return [w for w in self.workloads() if labels and labels.items() <= w.labels.items()]


def selects(selector: Manifest | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything, none at all nothing."""
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
