"""Autoscaling, and enough replicas to survive the loss of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from tests.k8s.environment import processes, setting
from tests.k8s.manifests import Manifest, Manifests
from tests.k8s.policies.edge_parameters import max_connections
from tests.k8s.rendering import envoy_configuration

_ROOT: Final = Path(__file__).parents[3]
_CODE: Final = ("chassis", "gateway", "services")
_METRIC: Final = re.compile(r"parley_[a-z_]+")
_NAMESPACE: Final = re.compile(r'namespace="([^"]*)"')
_ENVOY_MIB: Final = 70
_SOCKET_KIB: Final = 55
"""Memory of an idle socket in Envoy, measured with 4,000 of them."""

_BUFFER_FACTOR: Final = 1.1


class Autoscaler(NamedTuple):
    """An autoscaler of a Deployment: a HorizontalPodAutoscaler or a ScaledObject."""

    name: str
    target: str
    min_replicas: int
    max_replicas: int
    cpu: bool
    queries: list[str]


def autoscalers(manifests: Manifests) -> list[Autoscaler]:
    """Returns all autoscalers, Kubernetes's and KEDA's."""
    own = [_of_kubernetes(item) for item in manifests.of("HorizontalPodAutoscaler")]
    return own + [_of_keda(item) for item in manifests.of("ScaledObject")]


def is_scaled_by_one_autoscaler(manifests: Manifests) -> Iterator[str]:
    """Each Deployment has exactly one autoscaler; two would undo each other's work."""
    targets = [autoscaler.target for autoscaler in autoscalers(manifests)]
    for workload in manifests.deployments():
        if targets.count(workload.name) != 1:
            yield f"{workload.name}: has {targets.count(workload.name)} autoscalers"
    for target in sorted(set(targets) - {workload.name for workload in manifests.deployments()}):
        yield f"an autoscaler targets {target}, which does not exist"


def leaves_replicas_to_the_autoscaler(manifests: Manifests) -> Iterator[str]:
    """Deployments set no replicas: that would override the autoscaler at each upgrade."""
    for workload in manifests.deployments():
        if "replicas" in workload.spec:
            yield f"{workload.name}: must not set replicas"


def can_grow(manifests: Manifests) -> Iterator[str]:
    """Every autoscaler scales by CPU, and has room to grow."""
    for autoscaler in autoscalers(manifests):
        if not 1 <= autoscaler.min_replicas < autoscaler.max_replicas or not autoscaler.cpu:
            replicas = f"{autoscaler.min_replicas} to {autoscaler.max_replicas}"
            yield f"{autoscaler.name}: must scale by CPU, with room to grow; it has {replicas} replicas"


def has_shards_for_every_replica(manifests: Manifests) -> Iterator[str]:
    """There are at least four shards per replica of chat: one without shards would write nothing."""
    most = next((autoscaler.max_replicas for autoscaler in autoscalers(manifests) if autoscaler.target == "chat"), 0)
    for workload, container, settings in processes(manifests):
        if workload.component == "gateway":
            shards = int(setting(manifests, container, settings, "chat_shards"))
            if shards < 4 * most:
                yield f"PARLEY_CHAT_SHARDS is {shards}, but {most} replicas of chat need at least {4 * most}"


def survives_the_loss_of_a_pod(manifests: Manifests) -> Iterator[str]:
    """Every workload has at least two replicas."""
    for autoscaler in autoscalers(manifests):
        if autoscaler.min_replicas < 2:
            yield f"{autoscaler.name}: must have at least 2 replicas"


def scales_the_gateway_by_connections(manifests: Manifests) -> Iterator[str]:
    """The gateway scales by open connections, which use memory rather than CPU."""
    queries = [query for a in autoscalers(manifests) if a.target == "gateway" for query in a.queries]
    if not any("parley_gateway_connections" in query for query in queries):
        yield "gateway: does not scale by connections"


def scales_chat_by_queueing_time(manifests: Manifests) -> Iterator[str]:
    """Chat scales by queueing time, which also grows when the store is slow."""
    queries = [query for a in autoscalers(manifests) if a.target == "chat" for query in a.queries]
    if not any({"parley_chat_commit_waiting", "parley_chat_messages_total"} <= _metrics(query) for query in queries):
        yield "chat: does not scale by queueing time"


def has_memory_for_envoy_s_connections(manifests: Manifests) -> Iterator[str]:
    """Envoy has memory for its connection limit: out-of-memory kills would cascade from one Envoy to the next."""
    most = max_connections(manifests)
    for workload in manifests.workloads("edge"):
        (container,) = workload.containers
        needed = _ENVOY_MIB + most * _SOCKET_KIB / 1024
        if _mebibytes(container["resources"]["limits"]["memory"]) < needed * _BUFFER_FACTOR:
            yield f"{workload.name}: accepts {most} connections, which need {needed:.0f} MiB and a reserve"
        (autoscaler,) = [item for item in manifests.of("HorizontalPodAutoscaler") if _scales(item, workload.name)]
        shares = [metric["resource"]["target"]["averageUtilization"] for metric in _of_memory(autoscaler)]
        full = [_mebibytes(container["resources"]["requests"]["memory"]) * share / 100 for share in shares]
        if not full or 2 * min(full) > needed:
            yield f"{workload.name}: must scale by memory early enough to take over another pod's sockets"


def sheds_load_before_envoy_s_memory_ends(manifests: Manifests) -> Iterator[str]:
    """Envoy resets streams and refuses requests before it runs out of memory, which clients that do not read use."""
    overload = envoy_configuration(manifests)["overload_manager"]
    heaps = [
        monitor["typed_config"]["max_heap_size_bytes"] / 2**20
        for monitor in overload["resource_monitors"]
        if monitor["name"].endswith("fixed_heap")
    ]
    actions = {action["name"].rpartition(".")[2] for action in overload.get("actions", [])}
    for workload in manifests.workloads("edge"):
        (container,) = workload.containers
        if not heaps or max(heaps) >= _mebibytes(container["resources"]["limits"]["memory"]):
            yield f"{workload.name}: must limit Envoy's heap below the container's memory"
        if not actions >= {"reset_high_memory_stream", "stop_accepting_requests"}:
            yield f"{workload.name}: must reset streams and refuse requests when the heap is nearly full"


def queries_existing_metrics(manifests: Manifests) -> Iterator[str]:
    """Autoscaling queries use existing metrics of their own namespace."""
    for item in manifests.of("ScaledObject"):
        name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
        for query in _of_keda(item).queries:
            for metric in sorted(_metrics(query) - _known_metrics()):
                yield f"{name}: no process has a metric {metric}"
            if set(_NAMESPACE.findall(query)) != {namespace}:
                yield f"{name}: its query must select namespace {namespace}"


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
