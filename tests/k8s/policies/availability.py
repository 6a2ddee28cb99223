"""Availability during upgrades, evictions and the loss of machines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from tests.k8s.environment import processes, setting
from tests.k8s.manifests import COMPONENT, NAME, Manifests, Workload, selects
from tests.k8s.rendering import envoy_configuration

_SPREAD_OVER: Final = {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
_EACH_VERSION: Final = {NAME, "pod-template-hash"}
_DNS_REFRESH_SECONDS: Final = 35.0  # DNS servers keep an answer for 30 s, and Envoy asks every 5 s
_LOST_NODE: Final = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
_MAX_LOST_NODE_SECONDS: Final = 60
_CLOSING_SECONDS: Final = 5.0
"""The time a process may take besides its shutdown delay and drains, to close clients and end tasks."""

_DRAINS: Final = 2
"""The number of drains in sequence: the gateway drains its sockets, then its HTTP requests."""


def rolls_out_without_a_gap(manifests: Manifests) -> Iterator[str]:
    """A rollout starts a new pod before it stops an old one."""
    for workload in manifests.deployments():
        strategy = workload.spec.get("strategy", {})
        rolling = strategy.get("rollingUpdate", {})
        if strategy.get("type") != "RollingUpdate" or rolling.get("maxUnavailable") != 0 or not rolling.get("maxSurge"):
            yield f"{workload.name}: must be a RollingUpdate with maxUnavailable 0 and a surge"


def becomes_available_once_envoy_uses_it(manifests: Manifests) -> Iterator[str]:
    """A rollout continues once Envoy has found the new pod."""
    for workload in manifests.deployments():
        if workload.spec.get("minReadySeconds", 0) <= _DNS_REFRESH_SECONDS:
            yield f"{workload.name}: minReadySeconds must be above the {_DNS_REFRESH_SECONDS:g} s of a DNS refresh"


def ejects_no_pod_for_its_answers(manifests: Manifests) -> Iterator[str]:
    """Envoy takes pods out by their health checks alone: callers without a token can provoke failures."""
    for cluster in _clusters(manifests):
        if "outlier_detection" in cluster:
            yield f"envoy: {cluster['name']} must have no outlier_detection"


def leaves_lost_nodes_soon(manifests: Manifests) -> Iterator[str]:
    """Pods without data are replaced within a minute when their node is lost."""
    for workload in manifests.deployments():
        tolerations = {item.get("key"): item for item in workload.pod.get("tolerations", [])}
        for taint in sorted(_LOST_NODE):
            if tolerations.get(taint, {}).get("tolerationSeconds", 300) > _MAX_LOST_NODE_SECONDS:
                yield f"{workload.name}: must tolerate {taint} for at most {_MAX_LOST_NODE_SECONDS} s"


def has_time_to_shut_down(manifests: Manifests) -> Iterator[str]:
    """The termination grace period covers shutdown delay, drains and closing."""
    for workload, container, settings in processes(manifests):
        drain = float(setting(manifests, container, settings, "drain_seconds"))
        delay = _shutdown_delay(manifests, workload)
        needed = _pre_stop_seconds(container) + delay + _DRAINS * drain + _CLOSING_SECONDS
        if workload.pod.get("terminationGracePeriodSeconds", 30) < needed:
            yield f"{workload.name}: terminationGracePeriodSeconds must be at least {needed:g}"
    for workload in manifests.workloads("edge"):
        needed = max(map(_pre_stop_seconds, workload.containers)) + _CLOSING_SECONDS
        if workload.pod.get("terminationGracePeriodSeconds", 30) < needed:
            yield f"{workload.name}: terminationGracePeriodSeconds must be at least {needed:g}"


def serves_until_envoy_notices_its_shutdown(manifests: Manifests) -> Iterator[str]:
    """A stopping service still answers until Envoy's next health check has seen NOT_SERVING."""
    intervals = {
        cluster["name"]: _health_check_seconds(cluster)
        for cluster in _clusters(manifests)
        if "health_checks" in cluster
    }
    for workload in manifests.workloads("service"):
        if (delay := _shutdown_delay(manifests, workload)) < max(2.0, intervals[workload.name]):
            interval = intervals[workload.name]
            yield f"{workload.name}: PARLEY_SHUTDOWN_DELAY_SECONDS is {delay:g}; Envoy checks every {interval:g} s"


def retries_what_a_stopping_gateway_did_not_accept(manifests: Manifests) -> Iterator[str]:
    """The gateway has no shutdown delay: Envoy retries refused connections on another replica."""
    (host,) = _public(manifests)["route_config"]["virtual_hosts"]
    missing = {"connect-failure", "refused-stream"} - set(host["retry_policy"]["retry_on"].split(","))
    if missing:
        yield f"envoy: must retry on {', '.join(sorted(missing))}"


def drains_envoy_before_it_stops(manifests: Manifests) -> Iterator[str]:
    """The preStop hook starts Envoy's drain and lasts longer than the longest unary call."""
    admin = envoy_configuration(manifests)["admin"]["address"]["socket_address"]["port_value"]
    (host,) = _public(manifests)["route_config"]["virtual_hosts"]
    routes = [route.get("route", {}) for route in host["routes"]]
    limits = [route["max_stream_duration"] for route in routes if "max_stream_duration" in route]
    longest = max(_seconds(limit["max_stream_duration"]) for limit in limits if "grpc_timeout_header_max" in limit)
    for workload in manifests.workloads("edge"):
        script = " ".join(map(_pre_stop_script, workload.containers))
        if f"/dev/tcp/127.0.0.1/{admin}" not in script or "POST /healthcheck/fail" not in script:
            yield f"{workload.name}: preStop must POST /healthcheck/fail to Envoy's admin port"
        if max(map(_pre_stop_seconds, workload.containers)) <= longest:
            yield f"{workload.name}: preStop must last longer than a call, {longest:g} s"


def is_spread_over_machines_and_zones(manifests: Manifests) -> Iterator[str]:
    """Each workload and version is spread separately."""
    for workload in manifests.deployments():
        spread = {
            constraint["topologyKey"]
            for constraint in workload.pod.get("topologySpreadConstraints", [])
            if selects(constraint.get("labelSelector"), workload.labels)
            and set(constraint.get("matchLabelKeys", [])) >= _EACH_VERSION
            and constraint["maxSkew"] == 1
        }
        for key in sorted(_SPREAD_OVER - spread):
            yield f"{workload.name}: is not spread over {key}"


def is_spread_over_schedulable_nodes(manifests: Manifests) -> Iterator[str]:
    """Zones with unschedulable nodes only do not count for the spread."""
    for workload in manifests.deployments():
        for constraint in workload.pod.get("topologySpreadConstraints", []):
            if constraint.get("nodeTaintsPolicy") != "Honor":
                yield f"{workload.name}: counts unschedulable nodes over {constraint['topologyKey']}"


def is_evicted_one_at_a_time(manifests: Manifests) -> Iterator[str]:
    """Each Deployment has one disruption budget, which still lets nodes be drained."""
    for workload in manifests.deployments():
        budgets = [
            item["spec"]
            for item in manifests.of("PodDisruptionBudget")
            if selects(item["spec"].get("selector"), workload.labels)
        ]
        if [budget.get("maxUnavailable") for budget in budgets] != [1]:
            yield f"{workload.name}: must have one PodDisruptionBudget, with maxUnavailable 1"


def selects_its_own_pods(manifests: Manifests) -> Iterator[str]:
    """A workload's selector selects only its own pods."""
    for workload in manifests.permanent():
        selector = workload.spec["selector"]
        selected = [other.name for other in manifests.workloads() if selects(selector, other.labels)]
        if selected != [workload.name]:
            yield f"{workload.name}: its selector selects {', '.join(selected) or 'nothing'}"
        if COMPONENT not in workload.labels:
            yield f"{workload.name}: its pods have no component label"


def _shutdown_delay(manifests: Manifests, workload: Workload) -> float:
    for other, container, settings in processes(manifests):
        if other.name == workload.name and "shutdown_delay_seconds" in settings.model_fields:
            return float(setting(manifests, container, settings, "shutdown_delay_seconds"))
    return 0.0


def _pre_stop_script(container: dict[str, Any]) -> str:
    return " ".join(container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", []))


def _pre_stop_seconds(container: dict[str, Any]) -> float:
    pre_stop = container.get("lifecycle", {}).get("preStop", {})
    if "sleep" in pre_stop:
        return float(pre_stop["sleep"]["seconds"])
    return float(sum(map(int, re.findall(r"\bsleep (\d+)", _pre_stop_script(container)))))


def _clusters(manifests: Manifests) -> list[dict[str, Any]]:
    clusters: list[dict[str, Any]] = envoy_configuration(manifests)["static_resources"]["clusters"]
    return clusters


def _public(manifests: Manifests) -> dict[str, Any]:
    listeners = envoy_configuration(manifests)["static_resources"]["listeners"]
    (chain,) = next(listener for listener in listeners if listener["name"] == "public")["filter_chains"]
    connection_manager: dict[str, Any] = chain["filters"][0]["typed_config"]
    return connection_manager


def _health_check_seconds(cluster: dict[str, Any]) -> float:
    (check,) = cluster["health_checks"]
    jitter_percent: float = check.get("interval_jitter_percent", 0)
    return _seconds(check["interval"]) * (1 + jitter_percent / 100)


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))
