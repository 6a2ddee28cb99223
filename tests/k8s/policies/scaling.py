"""As many replicas as are needed, and no fewer than a loss leaves standing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from tests.k8s.environment import processes, setting
from tests.k8s.manifests import Manifest, Manifests
from tests.k8s.rendering import envoy_configuration

_ROOT: Final = Path(__file__).parents[3]
_CODE: Final = ("chassis", "gateway", "services")
_METRIC: Final = re.compile(r"parley_[a-z_]+")
_NAMESPACE: Final = re.compile(r'namespace="([^"]*)"')
_ENVOY_MIB: Final = 70
_SOCKET_KIB: Final = 55
"""What a socket at rest takes in Envoy, as measured with 4,000 of them."""

_FOR_BUFFERS: Final = 1.1


class Autoscaler(NamedTuple):
    """What sets a Deployment's replicas, whichever kind it is of."""

    name: str
    target: str
    least: int
    most: int
    cpu: bool
    queries: list[str]


def autoscalers(manifests: Manifests) -> list[Autoscaler]:
    """All of them, Kubernetes' own and KEDA's."""
    found = [_of_kubernetes(item) for item in manifests.of("HorizontalPodAutoscaler")]
    return found + [_of_keda(item) for item in manifests.of("ScaledObject")]


def is_scaled_by_one_autoscaler(manifests: Manifests) -> Iterator[str]:
    """None, and it stays as it is; two, and they undo each other's work."""
    targets = [autoscaler.target for autoscaler in autoscalers(manifests)]
    for workload in manifests.deployments():
        if targets.count(workload.name) != 1:
            yield f"{workload.name}: has {targets.count(workload.name)} autoscalers"
    for target in sorted(set(targets) - {workload.name for workload in manifests.deployments()}):
        yield f"an autoscaler scales {target}, which is not there"


def leaves_its_replicas_to_the_autoscaler(manifests: Manifests) -> Iterator[str]:
    """A number in the manifest would undo the autoscaler's at each upgrade."""
    for workload in manifests.deployments():
        if "replicas" in workload.spec:
            yield f"{workload.name}: must not say how many replicas there are"


def can_grow(manifests: Manifests) -> Iterator[str]:
    """By processor at least."""
    for autoscaler in autoscalers(manifests):
        if not 1 <= autoscaler.least < autoscaler.most or not autoscaler.cpu:
            yield f"{autoscaler.name}: must grow with CPU, from {autoscaler.least} to more than {autoscaler.most}"


def has_shards_for_every_replica_of_chat(manifests: Manifests) -> Iterator[str]:
    """A replica that no shard is hashed to would write nothing: there are a few for each."""
    most = next((autoscaler.most for autoscaler in autoscalers(manifests) if autoscaler.target == "chat"), 0)
    for workload, container, settings in processes(manifests):
        if workload.component == "gateway":
            shards = int(setting(manifests, container, settings, "chat_shards"))
            if shards < 4 * most:
                yield f"PARLEY_CHAT_SHARDS is {shards}, and chat may have {most} replicas: at least {4 * most}"


def outlives_the_loss_of_a_pod(manifests: Manifests) -> Iterator[str]:
    """Two of everything, always."""
    for autoscaler in autoscalers(manifests):
        if autoscaler.least < 2:
            yield f"{autoscaler.name}: must not have fewer than 2 replicas"


def scales_the_gateway_on_its_connections(manifests: Manifests) -> Iterator[str]:
    """Open sockets cost memory, not processor time."""
    queries = [query for a in autoscalers(manifests) if a.target == "gateway" for query in a.queries]
    if not any("parley_gateway_connections" in query for query in queries):
        yield "gateway: is not scaled on its connections"


def scales_chat_on_the_time_in_its_queue(manifests: Manifests) -> Iterator[str]:
    """Messages wait when the store is slow, too, whatever the processor does."""
    queries = [query for a in autoscalers(manifests) if a.target == "chat" for query in a.queries]
    if not any({"parley_chat_commit_waiting", "parley_chat_messages_total"} <= _metrics(query) for query in queries):
        yield "chat: is not scaled on the time that messages wait"


def gives_envoy_memory_for_its_connections(manifests: Manifests) -> Iterator[str]:
    """One that is killed for want of memory sends all its sockets to the next, which is killed too."""
    limits = envoy_configuration(manifests)["overload_manager"]["resource_monitors"]
    most = next(
        monitor["typed_config"]["max_active_downstream_connections"]
        for monitor in limits
        if monitor["name"].endswith("global_downstream_max_connections")
    )
    for workload in manifests.workloads("edge"):
        (container,) = workload.containers
        needed = _ENVOY_MIB + most * _SOCKET_KIB / 1024
        if _mebibytes(container["resources"]["limits"]["memory"]) < needed * _FOR_BUFFERS:
            yield f"{workload.name}: lets {most} connections in, for which it needs {needed:.0f} MiB and some to spare"
        (autoscaler,) = [item for item in manifests.of("HorizontalPodAutoscaler") if _scales(item, workload.name)]
        shares = [metric["resource"]["target"]["averageUtilization"] for metric in _of_memory(autoscaler)]
        full = [_mebibytes(container["resources"]["requests"]["memory"]) * share / 100 for share in shares]
        if not full or 2 * min(full) > needed:
            yield f"{workload.name}: must grow with its memory, before a pod could not take the sockets of another"


def asks_for_metrics_that_there_are(manifests: Manifests) -> Iterator[str]:
    """Of this namespace, under the names that the code gives them."""
    for item in manifests.of("ScaledObject"):
        name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
        for query in _of_keda(item).queries:
            for metric in sorted(_metrics(query) - _known_metrics()):
                yield f"{name}: no process has a metric {metric}"
            if set(_NAMESPACE.findall(query)) != {namespace}:
                yield f"{name}: its query must ask for namespace {namespace}"


def _scales(autoscaler: Manifest, name: str) -> bool:
    return bool(autoscaler["spec"]["scaleTargetRef"]["name"] == name)


def _of_memory(autoscaler: Manifest) -> list[Manifest]:
    metrics: list[Manifest] = autoscaler["spec"]["metrics"]
    return [metric for metric in metrics if metric.get("resource", {}).get("name") == "memory"]


def _mebibytes(quantity: str) -> float:
    number, unit = quantity[:-2], quantity[-2:]
    return float(number) * {"Mi": 1, "Gi": 1024}[unit]


def _of_kubernetes(item: Manifest) -> Autoscaler:
    spec = item["spec"]
    cpu = any(metric.get("resource", {}).get("name") == "cpu" for metric in spec["metrics"])
    name = item["metadata"]["name"]
    return Autoscaler(name, spec["scaleTargetRef"]["name"], spec["minReplicas"], spec["maxReplicas"], cpu, [])


def _of_keda(item: Manifest) -> Autoscaler:
    spec = item["spec"]
    triggers = spec["triggers"]
    queries = [trigger["metadata"]["query"] for trigger in triggers if trigger["type"] == "prometheus"]
    cpu = any(trigger["type"] == "cpu" for trigger in triggers)
    name, target = item["metadata"]["name"], spec["scaleTargetRef"]["name"]
    return Autoscaler(name, target, spec["minReplicaCount"], spec["maxReplicaCount"], cpu, queries)


def _metrics(query: str) -> set[str]:
    return set(_METRIC.findall(query))


@cache
def _known_metrics() -> frozenset[str]:
    files = [path for folder in _CODE for path in (_ROOT / folder).rglob("*.py")]
    return frozenset(name for path in files for name in re.findall(r'"(parley_[a-z_]+)"', path.read_text()))
