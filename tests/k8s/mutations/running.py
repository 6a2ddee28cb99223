"""What would be wrong with how processes start, serve and end, one thing at a time."""

from __future__ import annotations

from typing import Any, Final

from tests.k8s.edits import CONTAINER, POD, configure_envoy, drop, forget, put, tell
from tests.k8s.mutations.mutation import Mutation, in_container, in_deployment
from tests.k8s.policies import availability, ports, probes


def _service(configuration: dict[str, Any], name: str) -> dict[str, Any]:
    clusters = configuration["static_resources"]["clusters"]
    return next(cluster for cluster in clusters if cluster["name"] == name)


def _retry_nothing(configuration: dict[str, Any]) -> None:
    connection_manager = configuration["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    (host,) = connection_manager["typed_config"]["route_config"]["virtual_hosts"]
    host["retry_policy"]["retry_on"] = "5xx"


def _look_seldom(configuration: dict[str, Any]) -> None:
    _service(configuration, "chat")["health_checks"][0]["interval"] = "10s"


def _look_elsewhere(configuration: dict[str, Any]) -> None:
    (group,) = _service(configuration, "presence")["load_assignment"]["endpoints"]
    group["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] = 50052


def _listen_elsewhere(configuration: dict[str, Any]) -> None:
    configuration["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] = 8000


def _forget_notify(configuration: dict[str, Any]) -> None:
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
    "ready before Envoy knows": Mutation(
        availability.counts_once_envoy_uses_it, in_deployment("gateway", ("spec", "minReadySeconds"), 5)
    ),
    "killed while it drains": Mutation(
        availability.has_time_to_end, tell("process-settings", "PARLEY_DRAIN_SECONDS", "30")
    ),
    "Envoy killed in its preStop": Mutation(
        availability.has_time_to_end, in_deployment("envoy", (*POD, "terminationGracePeriodSeconds"), 20)
    ),
    "no notice": Mutation(
        availability.serves_until_envoy_knows_that_it_goes,
        tell("service-settings", "PARLEY_SHUTDOWN_DELAY_SECONDS", "0"),
    ),
    "Envoy looks seldom": Mutation(availability.serves_until_envoy_knows_that_it_goes, configure_envoy(_look_seldom)),
    "no retries": Mutation(
        availability.sends_again_what_a_gateway_that_goes_did_not_take, configure_envoy(_retry_nothing)
    ),
    "Envoy ends at once": Mutation(
        availability.lets_envoy_finish_what_is_in_flight, drop("Deployment", "envoy", (*CONTAINER, "lifecycle"))
    ),
    "Envoy ends without a word": Mutation(
        availability.lets_envoy_finish_what_is_in_flight,
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
    "spread with the version before": Mutation(
        availability.is_spread_over_machines_and_zones,
        drop("Deployment", "chat", (*POD, "topologySpreadConstraints", 1, "matchLabelKeys")),
    ),
    "spread over nodes that are gone": Mutation(
        availability.is_spread_over_what_is_left,
        drop("Deployment", "chat", (*POD, "topologySpreadConstraints", 1, "nodeTaintsPolicy")),
    ),
    "no budget": Mutation(availability.is_evicted_one_at_a_time, forget("PodDisruptionBudget", "envoy")),
    "a budget that blocks": Mutation(
        availability.is_evicted_one_at_a_time, put("PodDisruptionBudget", "envoy", ("spec", "maxUnavailable"), 0)
    ),
    "a selector for two": Mutation(
        availability.selects_its_own_pods,
        in_deployment("chat", ("spec", "selector"), {"matchLabels": {"app.kubernetes.io/component": "service"}}),
    ),
    "no liveness probe": Mutation(probes.is_probed, drop("Deployment", "auth", (*CONTAINER, "livenessProbe"))),
    "no startup probe": Mutation(probes.is_probed, drop("Deployment", "envoy", (*CONTAINER, "startupProbe"))),
    "a probe by TCP": Mutation(
        probes.is_asked_for_its_health_by_grpc,
        in_container("chat", ("readinessProbe",), {"tcpSocket": {"port": 50051}}),
    ),
    "a probe of one service": Mutation(
        probes.is_asked_for_its_health_by_grpc,
        in_container("chat", ("livenessProbe", "grpc", "service"), "parley.chat.v1.MessageService"),
    ),
    "killed for others' faults": Mutation(
        probes.is_killed_for_its_own_faults_alone,
        in_container("gateway", ("livenessProbe", "httpGet", "path"), "/readyz"),
    ),
    "called though it reaches nobody": Mutation(
        probes.is_called_when_it_reaches_what_it_needs,
        in_container("gateway", ("readinessProbe", "httpGet", "path"), "/healthz"),
    ),
    "a probe of no port": Mutation(
        probes.is_probed_at_ports_that_it_has, in_container("envoy", ("livenessProbe", "httpGet", "port"), 9901)
    ),
    "killed while it migrates": Mutation(
        probes.is_given_time_to_migrate, in_container("chat", ("startupProbe", "failureThreshold"), 60)
    ),
    "killed for a pause": Mutation(
        probes.is_given_time_to_recover, in_container("gateway", ("livenessProbe", "failureThreshold"), 1)
    ),
    "listens elsewhere": Mutation(
        ports.listens_where_it_says, tell("gateway-settings", "PARLEY_HTTP_LISTEN", "0.0.0.0:8080")
    ),
    "listens on loopback": Mutation(
        ports.listens_where_it_says, tell("process-settings", "PARLEY_METRICS_LISTEN", "127.0.0.1:9090")
    ),
    "says nothing of where it listens": Mutation(
        ports.listens_where_it_says, tell("service-settings", "PARLEY_LISTEN", None)
    ),
    "a Service of nobody": Mutation(
        ports.leads_services_to_ports_that_are_there,
        put("Service", "chat", ("spec", "selector"), {"app.kubernetes.io/name": "chats"}),
    ),
    "a Service to no port": Mutation(
        ports.leads_services_to_ports_that_are_there,
        put("Service", "chat", ("spec", "ports", 0, "targetPort"), "rpc"),
    ),
    "a virtual address": Mutation(ports.lets_envoy_see_every_pod, drop("Service", "presence", ("spec", "clusterIP"))),
    "Envoy asks another port": Mutation(ports.is_where_envoy_looks_for_it, configure_envoy(_look_elsewhere)),
    "a Service of another name": Mutation(
        ports.is_where_envoy_looks_for_it, put("Service", "notify", ("metadata", "name"), "notifications")
    ),
    "pods on another port": Mutation(
        ports.is_where_envoy_looks_for_it, in_container("gateway", ("ports", 1, "containerPort"), 8083)
    ),
    "a service without a cluster": Mutation(ports.routes_to_every_service, configure_envoy(_forget_notify)),
    "an Envoy of its own": Mutation(ports.runs_envoy_s_file_as_it_is, configure_envoy(_look_seldom), "dev"),
    "an Envoy without its file": Mutation(
        ports.runs_envoy_s_file_as_it_is, in_deployment("envoy", (*POD, "volumes"), [])
    ),
    "another Envoy": Mutation(
        ports.runs_the_envoy_that_is_tested, in_container("envoy", ("image",), "docker.io/envoyproxy/envoy:v1.28.0")
    ),
    "Envoy listens elsewhere": Mutation(ports.opens_envoy_s_ports, configure_envoy(_listen_elsewhere)),
    "Envoy's admin is open": Mutation(
        ports.opens_envoy_s_ports, in_container("envoy", ("ports", 1), {"name": "admin", "containerPort": 9901})
    ),
    "calls another directly": Mutation(
        ports.calls_others_through_envoy, tell("gateway-settings", "PARLEY_CHAT_TARGET", "chat:50051")
    ),
    "calls a closed port": Mutation(
        ports.calls_others_through_envoy, tell("process-settings", "PARLEY_AUTH_TARGET", "envoy:80")
    ),
}
