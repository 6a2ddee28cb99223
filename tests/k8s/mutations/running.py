"""Mutations of how processes start, serve and stop."""

from __future__ import annotations

from typing import Any, Final

from tests.k8s.edits import CONTAINER, POD, configure_envoy, drop, put, remove, set_variable
from tests.k8s.mutations.mutation import Mutation, in_container, in_deployment
from tests.k8s.policies import availability, ports, probes


def _service(configuration: dict[str, Any], name: str) -> dict[str, Any]:
    clusters = configuration["static_resources"]["clusters"]
    return next(cluster for cluster in clusters if cluster["name"] == name)


def _retry_nothing(configuration: dict[str, Any]) -> None:
    connection_manager = configuration["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    (host,) = connection_manager["typed_config"]["route_config"]["virtual_hosts"]
    host["retry_policy"]["retry_on"] = "5xx"


def _eject(configuration: dict[str, Any]) -> None:
    _service(configuration, "auth")["outlier_detection"] = {"consecutive_gateway_failure": 5}


def _check_rarely(configuration: dict[str, Any]) -> None:
    _service(configuration, "chat")["health_checks"][0]["interval"] = "10s"


def _call_another_port(configuration: dict[str, Any]) -> None:
    (group,) = _service(configuration, "presence")["load_assignment"]["endpoints"]
    group["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] = 50052


def _listen_elsewhere(configuration: dict[str, Any]) -> None:
    configuration["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] = 8000


def _remove_notify(configuration: dict[str, Any]) -> None:
    clusters = configuration["static_resources"]["clusters"]
    clusters.remove(_service(configuration, "notify"))


MUTATIONS: Final = {
    "old pods first": Mutation(
        availability.rolls_out_without_a_gap,
        in_deployment("chat", ("spec", "strategy", "rollingUpdate"), {"maxUnavailable": 1, "maxSurge": 0}),
    ),
    "all pods at once": Mutation(
        availability.rolls_out_without_a_gap, in_deployment("chat", ("spec", "strategy"), {"type": "Recreate"})
    ),
    "available before Envoy finds it": Mutation(
        availability.becomes_available_once_envoy_uses_it, in_deployment("gateway", ("spec", "minReadySeconds"), 12)
    ),
    "five minutes on a lost node": Mutation(
        availability.leaves_lost_nodes_soon,
        in_deployment("gateway", (*POD, "tolerations", 1, "tolerationSeconds"), 300),
    ),
    "ejected for answers": Mutation(availability.ejects_no_pod_for_its_answers, configure_envoy(_eject)),
    "killed while it drains": Mutation(
        availability.has_time_to_shut_down, set_variable("process-settings", "PARLEY_DRAIN_SECONDS", "30")
    ),
    "Envoy killed in its preStop": Mutation(
        availability.has_time_to_shut_down, in_deployment("envoy", (*POD, "terminationGracePeriodSeconds"), 20)
    ),
    "no shutdown delay": Mutation(
        availability.serves_until_envoy_notices_its_shutdown,
        set_variable("service-settings", "PARLEY_SHUTDOWN_DELAY_SECONDS", "0"),
    ),
    "rare health checks": Mutation(
        availability.serves_until_envoy_notices_its_shutdown, configure_envoy(_check_rarely)
    ),
    "no retries": Mutation(
        availability.retries_what_a_stopping_gateway_did_not_accept, configure_envoy(_retry_nothing)
    ),
    "no drain of Envoy": Mutation(
        availability.drains_envoy_before_it_stops, drop("Deployment", "envoy", (*CONTAINER, "lifecycle"))
    ),
    "a drain that Envoy does not notice": Mutation(
        availability.drains_envoy_before_it_stops,
        in_container("envoy", ("lifecycle", "preStop"), {"sleep": {"seconds": 30}}),
    ),
    "all on one machine": Mutation(
        availability.is_spread_over_machines_and_zones,
        drop("Deployment", "chat", (*POD, "topologySpreadConstraints", 0)),
    ),
    "spread with another": Mutation(
        availability.is_spread_over_machines_and_zones,
        in_deployment(
            "chat", (*POD, "topologySpreadConstraints", 1, "labelSelector"), {"matchLabels": {"app": "another"}}
        ),
    ),
    "spread with the previous version": Mutation(
        availability.is_spread_over_machines_and_zones,
        drop("Deployment", "chat", (*POD, "topologySpreadConstraints", 1, "matchLabelKeys")),
    ),
    "spread over unschedulable nodes": Mutation(
        availability.is_spread_over_schedulable_nodes,
        drop("Deployment", "chat", (*POD, "topologySpreadConstraints", 1, "nodeTaintsPolicy")),
    ),
    "no budget": Mutation(availability.is_evicted_one_at_a_time, remove("PodDisruptionBudget", "envoy")),
    "a budget that blocks": Mutation(
        availability.is_evicted_one_at_a_time, put("PodDisruptionBudget", "envoy", ("spec", "maxUnavailable"), 0)
    ),
    "a selector for two": Mutation(
        availability.selects_its_own_pods,
        in_deployment("chat", ("spec", "selector"), {"matchLabels": {"app.kubernetes.io/component": "service"}}),
    ),
    "no startup probe": Mutation(probes.has_a_startup_probe, drop("Deployment", "envoy", (*CONTAINER, "startupProbe"))),
    "a probe by TCP": Mutation(
        probes.is_probed_by_grpc_health,
        in_container("chat", ("readinessProbe",), {"tcpSocket": {"port": 50051}}),
    ),
    "a probe of one service": Mutation(
        probes.is_probed_by_grpc_health,
        in_container("chat", ("livenessProbe", "grpc", "service"), "parley.chat.v1.MessageService"),
    ),
    "restarted for others' faults": Mutation(
        probes.is_restarted_only_for_its_own_faults,
        in_container("gateway", ("livenessProbe", "httpGet", "path"), "/readyz"),
    ),
    "ready without upstreams": Mutation(
        probes.is_ready_only_with_its_upstreams,
        in_container("gateway", ("readinessProbe", "httpGet", "path"), "/healthz"),
    ),
    "a probe of an unknown port": Mutation(
        probes.is_probed_at_existing_ports, in_container("envoy", ("livenessProbe", "httpGet", "port"), 9901)
    ),
    "killed while it migrates": Mutation(
        probes.is_given_time_to_migrate, in_container("chat", ("startupProbe", "failureThreshold"), 60)
    ),
    "killed for a pause": Mutation(
        probes.is_given_time_to_recover, in_container("gateway", ("livenessProbe", "failureThreshold"), 1)
    ),
    "listens elsewhere": Mutation(
        ports.listens_on_its_declared_ports, set_variable("gateway-settings", "PARLEY_HTTP_LISTEN", "0.0.0.0:8080")
    ),
    "listens on loopback": Mutation(
        ports.listens_on_its_declared_ports, set_variable("process-settings", "PARLEY_METRICS_LISTEN", "127.0.0.1:9090")
    ),
    "no listen address": Mutation(
        ports.listens_on_its_declared_ports, set_variable("service-settings", "PARLEY_LISTEN", None)
    ),
    "a Service without pods": Mutation(
        ports.targets_existing_ports,
        put("Service", "chat", ("spec", "selector"), {"app.kubernetes.io/name": "chats"}),
    ),
    "a Service to an unknown port": Mutation(
        ports.targets_existing_ports,
        put("Service", "chat", ("spec", "ports", 0, "targetPort"), "rpc"),
    ),
    "a virtual address": Mutation(ports.has_headless_services, drop("Service", "presence", ("spec", "clusterIP"))),
    "Envoy calls another port": Mutation(ports.matches_envoy_s_clusters, configure_envoy(_call_another_port)),
    "a Service of another name": Mutation(
        ports.matches_envoy_s_clusters, put("Service", "notify", ("metadata", "name"), "notifications")
    ),
    "pods on another port": Mutation(
        ports.matches_envoy_s_clusters, in_container("gateway", ("ports", 1, "containerPort"), 8083)
    ),
    "a service without a cluster": Mutation(ports.routes_to_every_service, configure_envoy(_remove_notify)),
    "an edited Envoy configuration": Mutation(ports.runs_envoy_s_file_unchanged, configure_envoy(_check_rarely), "dev"),
    "an Envoy without its file": Mutation(
        ports.runs_envoy_s_file_unchanged, in_deployment("envoy", (*POD, "volumes"), [])
    ),
    "another Envoy": Mutation(
        ports.runs_the_tested_envoy, in_container("envoy", ("image",), "docker.io/envoyproxy/envoy:v1.28.0")
    ),
    "Envoy listens elsewhere": Mutation(ports.declares_envoy_s_ports, configure_envoy(_listen_elsewhere)),
    "Envoy's admin is open": Mutation(
        ports.declares_envoy_s_ports, in_container("envoy", ("ports", 1), {"name": "admin", "containerPort": 9901})
    ),
    "calls another directly": Mutation(
        ports.calls_services_through_envoy, set_variable("gateway-settings", "PARLEY_CHAT_TARGET", "chat:50051")
    ),
    "calls a closed port": Mutation(
        ports.calls_services_through_envoy, set_variable("process-settings", "PARLEY_AUTH_TARGET", "envoy:80")
    ),
}
