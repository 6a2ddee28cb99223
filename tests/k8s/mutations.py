"""What would be wrong, one thing at a time, and the policy that has to notice it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tests.k8s.edits import CONTAINER, POD, Edit, add, configure_envoy, drop, forget, put, tell
from tests.k8s.policies import Policy, availability, edge, network, pods, ports, probes, scaling, settings


class Mutation(NamedTuple):
    """A change, and who notices it."""

    policy: Policy
    edit: Edit
    overlay: str = "staging"


def _deployment(name: str, path: tuple[str | int, ...], value: Any) -> Edit:
    return put("Deployment", name, path, value)


def _container(name: str, path: tuple[str | int, ...], value: Any) -> Edit:
    return put("Deployment", name, (*CONTAINER, *path), value)


def _network(name: str, path: tuple[str | int, ...], value: Any) -> Edit:
    return put("NetworkPolicy", name, ("spec", *path), value)


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


_SECRET: Final = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chat-credentials"}, "stringData": {}}
_SECOND_AUTOSCALER: Final = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "again"},
    "spec": {"scaleTargetRef": {"name": "chat"}, "minReplicas": 2, "maxReplicas": 3, "metrics": []},
}
_EVERYBODY: Final = {"ports": [{"protocol": "TCP", "port": "grpc"}]}
_READS_METRICS: Final = {
    "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "chat"}}}],
    "ports": [{"protocol": "TCP", "port": "metrics"}],
}
_STORES: Final = {"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP", "port": 27017}]}
_TO_ENVOY: Final = {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "envoy"}}}]}
_OUTSIDE: Final = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]}

MUTATIONS: Final = {
    "as root": Mutation(
        pods.runs_as_an_unprivileged_user, _deployment("chat", (*POD, "securityContext", "runAsUser"), 0)
    ),
    "maybe root": Mutation(
        pods.runs_as_an_unprivileged_user, drop("Deployment", "envoy", (*POD, "securityContext", "runAsNonRoot"))
    ),
    "any system call": Mutation(
        pods.has_the_runtime_s_seccomp_profile,
        _deployment("auth", (*POD, "securityContext", "seccompProfile"), {"type": "Unconfined"}),
    ),
    "a capability": Mutation(
        pods.has_no_capabilities,
        _container("envoy", ("securityContext", "capabilities"), {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    ),
    "capabilities kept": Mutation(
        pods.has_no_capabilities, _container("envoy", ("securityContext", "capabilities"), {})
    ),
    "escalation": Mutation(
        pods.cannot_gain_privileges,
        drop("Deployment", "chat", (*CONTAINER, "securityContext", "allowPrivilegeEscalation")),
    ),
    "privileged": Mutation(pods.cannot_gain_privileges, _container("chat", ("securityContext", "privileged"), True)),
    "a writable root": Mutation(
        pods.writes_to_volumes_alone, _container("gateway", ("securityContext", "readOnlyRootFilesystem"), False)
    ),
    "the host's network": Mutation(
        pods.shares_nothing_with_its_node, _deployment("envoy", (*POD, "hostNetwork"), True)
    ),
    "the host's files": Mutation(
        pods.shares_nothing_with_its_node,
        _deployment("chat", (*POD, "volumes"), [{"name": "docker", "hostPath": {"path": "/var/run"}}]),
    ),
    "the host's port": Mutation(pods.shares_nothing_with_its_node, _container("envoy", ("ports", 0, "hostPort"), 80)),
    "an API token in the pod": Mutation(
        pods.cannot_ask_the_cluster_s_api, _deployment("chat", (*POD, "automountServiceAccountToken"), True)
    ),
    "an API token in the account": Mutation(
        pods.cannot_ask_the_cluster_s_api, drop("ServiceAccount", "chat", ("automountServiceAccountToken",))
    ),
    "another's account": Mutation(
        pods.cannot_ask_the_cluster_s_api, _deployment("chat", (*POD, "serviceAccountName"), "auth")
    ),
    "no account": Mutation(pods.cannot_ask_the_cluster_s_api, forget("ServiceAccount", "chat")),
    "service links": Mutation(
        pods.is_told_nothing_that_nobody_wrote, drop("Deployment", "chat", (*POD, "enableServiceLinks"))
    ),
    "no memory limit": Mutation(
        pods.has_requests_and_limits, drop("Deployment", "notify", (*CONTAINER, "resources", "limits", "memory"))
    ),
    "no requests": Mutation(
        pods.has_requests_and_limits, drop("Deployment", "notify", (*CONTAINER, "resources", "requests"))
    ),
    "an image without a tag": Mutation(
        pods.runs_a_named_version, _container("chat", ("image",), "registry.example.com:5000/parley")
    ),
    "the latest image": Mutation(pods.runs_a_named_version, _container("chat", ("image",), "parley:latest")),
    "an open namespace": Mutation(
        pods.lives_in_a_restricted_namespace,
        put("Namespace", "parley-staging", ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "baseline"),
    ),
    "another namespace": Mutation(
        pods.lives_in_a_restricted_namespace, put("Service", "chat", ("metadata", "namespace"), "default")
    ),
    "another program": Mutation(
        settings.runs_the_program_of_its_name, _container("presence", ("args",), ["services.chat"])
    ),
    "no program": Mutation(settings.runs_the_program_of_its_name, drop("Deployment", "presence", (*CONTAINER, "args"))),
    "a Secret that nobody makes": Mutation(
        settings.refers_to_what_is_there,
        _container("chat", ("env", 1, "valueFrom", "secretKeyRef", "name"), "mongodb"),
    ),
    "a key that a Secret has not": Mutation(
        settings.refers_to_what_is_there, _container("chat", ("env", 1, "valueFrom", "secretKeyRef", "key"), "uri")
    ),
    "a ConfigMap that there is not": Mutation(
        settings.refers_to_what_is_there, _container("chat", ("envFrom", 0, "configMapRef", "name"), "settings")
    ),
    "a ConfigMap without a digest": Mutation(
        settings.is_rolled_out_when_its_configuration_changes,
        _deployment("envoy", (*POD, "volumes", 0, "configMap", "name"), "envoy"),
    ),
    "a misspelt variable": Mutation(settings.is_told_what_it_knows, tell("chat-settings", "PARLEY_COMMIT_WRITER", "4")),
    "another's variable": Mutation(settings.is_told_what_it_knows, tell("auth-settings", "PARLEY_COALESCE_MS", "1")),
    "a missing variable": Mutation(
        settings.is_told_what_it_needs, tell("gateway-settings", "PARLEY_CHAT_TARGET", None)
    ),
    "a missing secret": Mutation(
        settings.is_told_what_it_needs, _container("auth", ("envFrom", 3, "secretRef", "name"), "chat-credentials")
    ),
    "a bad value": Mutation(settings.is_told_valid_values, tell("process-settings", "PARLEY_LOG_LEVEL", "verbose")),
    "a notice too long": Mutation(
        settings.is_told_valid_values, tell("service-settings", "PARLEY_NOTICE_SECONDS", "600")
    ),
    "one name for all replicas": Mutation(
        settings.is_named_after_its_pod, _container("chat", ("env", 0), {"name": "PARLEY_REPLICA", "value": "chat"})
    ),
    "no name": Mutation(settings.is_named_after_its_pod, drop("Deployment", "chat", (*CONTAINER, "env", 0))),
    "another's service name": Mutation(
        settings.shows_the_name_that_auth_knows, tell("notify-settings", "PARLEY_SERVICE_NAME", "chat")
    ),
    "a Secret among the manifests": Mutation(settings.has_secrets_by_reference, add(_SECRET)),
    "a secret in a ConfigMap": Mutation(
        settings.has_secrets_by_reference, tell("chat-settings", "PARLEY_SERVICE_SECRET", "c2VjcmV0")
    ),
    "a password in a Deployment": Mutation(
        settings.has_secrets_by_reference,
        _container("chat", ("env", 1), {"name": "PARLEY_MONGODB_URI", "value": "mongodb://chat:secret@mongodb"}),
    ),
    "shards that differ": Mutation(
        settings.agrees_on_the_shards_of_chat_s_log, tell("notify-settings", "PARLEY_EVENT_SHARDS", "8")
    ),
    "old pods first": Mutation(
        availability.rolls_out_without_a_gap,
        _deployment("chat", ("spec", "strategy", "rollingUpdate"), {"maxUnavailable": 1, "maxSurge": 0}),
    ),
    "all pods at once": Mutation(
        availability.rolls_out_without_a_gap, _deployment("chat", ("spec", "strategy"), {"type": "Recreate"})
    ),
    "ready before Envoy knows": Mutation(
        availability.counts_once_envoy_uses_it, _deployment("gateway", ("spec", "minReadySeconds"), 5)
    ),
    "killed while it drains": Mutation(
        availability.has_time_to_end, tell("process-settings", "PARLEY_DRAIN_SECONDS", "30")
    ),
    "Envoy killed in its preStop": Mutation(
        availability.has_time_to_end, _deployment("envoy", (*POD, "terminationGracePeriodSeconds"), 20)
    ),
    "no notice": Mutation(
        availability.serves_until_envoy_knows_that_it_goes, tell("service-settings", "PARLEY_NOTICE_SECONDS", "0")
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
        _container("envoy", ("lifecycle", "preStop"), {"sleep": {"seconds": 30}}),
    ),
    "all on one machine": Mutation(
        availability.is_spread_over_machines_and_zones,
        drop("Deployment", "chat", (*POD, "topologySpreadConstraints", 0)),
    ),
    "spread with another": Mutation(
        availability.is_spread_over_machines_and_zones,
        _deployment(
            "chat", (*POD, "topologySpreadConstraints", 1, "labelSelector"), {"matchLabels": {"app": "another"}}
        ),
    ),
    "spread with the version before": Mutation(
        availability.is_spread_over_machines_and_zones,
        drop("Deployment", "chat", (*POD, "topologySpreadConstraints", 1, "matchLabelKeys")),
    ),
    "no budget": Mutation(availability.is_evicted_one_at_a_time, forget("PodDisruptionBudget", "envoy")),
    "a budget that blocks": Mutation(
        availability.is_evicted_one_at_a_time, put("PodDisruptionBudget", "envoy", ("spec", "maxUnavailable"), 0)
    ),
    "a selector for two": Mutation(
        availability.selects_its_own_pods,
        _deployment("chat", ("spec", "selector"), {"matchLabels": {"app.kubernetes.io/component": "service"}}),
    ),
    "no liveness probe": Mutation(probes.is_probed, drop("Deployment", "auth", (*CONTAINER, "livenessProbe"))),
    "no startup probe": Mutation(probes.is_probed, drop("Deployment", "envoy", (*CONTAINER, "startupProbe"))),
    "a probe by TCP": Mutation(
        probes.is_asked_for_its_health_by_grpc,
        _container("chat", ("readinessProbe",), {"tcpSocket": {"port": 50051}}),
    ),
    "a probe of one service": Mutation(
        probes.is_asked_for_its_health_by_grpc,
        _container("chat", ("livenessProbe", "grpc", "service"), "parley.chat.v1.MessageService"),
    ),
    "killed for others' faults": Mutation(
        probes.is_killed_for_its_own_faults_alone,
        _container("gateway", ("livenessProbe", "httpGet", "path"), "/readyz"),
    ),
    "called though it reaches nobody": Mutation(
        probes.is_called_when_it_reaches_what_it_needs,
        _container("gateway", ("readinessProbe", "httpGet", "path"), "/healthz"),
    ),
    "a probe of no port": Mutation(
        probes.is_probed_at_ports_that_it_has, _container("envoy", ("livenessProbe", "httpGet", "port"), 9901)
    ),
    "killed for a pause": Mutation(
        probes.is_given_time_to_recover, _container("gateway", ("livenessProbe", "failureThreshold"), 1)
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
        ports.is_where_envoy_looks_for_it, _container("gateway", ("ports", 1, "containerPort"), 8083)
    ),
    "a service without a cluster": Mutation(ports.routes_to_every_service, configure_envoy(_forget_notify)),
    "an Envoy of its own": Mutation(ports.runs_envoy_s_file_as_it_is, configure_envoy(_look_seldom)),
    "an Envoy without its file": Mutation(
        ports.runs_envoy_s_file_as_it_is, _deployment("envoy", (*POD, "volumes"), [])
    ),
    "another Envoy": Mutation(
        ports.runs_the_envoy_that_is_tested, _container("envoy", ("image",), "docker.io/envoyproxy/envoy:v1.28.0")
    ),
    "Envoy listens elsewhere": Mutation(ports.opens_envoy_s_ports, configure_envoy(_listen_elsewhere)),
    "Envoy's admin is open": Mutation(
        ports.opens_envoy_s_ports, _container("envoy", ("ports", 1), {"name": "admin", "containerPort": 9901})
    ),
    "calls another directly": Mutation(
        ports.calls_others_through_envoy, tell("gateway-settings", "PARLEY_CHAT_TARGET", "chat:50051")
    ),
    "calls a closed port": Mutation(
        ports.calls_others_through_envoy, tell("process-settings", "PARLEY_AUTH_TARGET", "envoy:80")
    ),
    "nothing is denied": Mutation(network.denies_what_nobody_allows, forget("NetworkPolicy", "default-deny")),
    "only what comes in is denied": Mutation(
        network.denies_what_nobody_allows, _network("default-deny", ("policyTypes",), ["Ingress"])
    ),
    "no DNS": Mutation(network.finds_names, forget("NetworkPolicy", "dns")),
    "DNS for another's pods": Mutation(
        network.finds_names,
        _network("dns", ("egress", 0, "to", 0, "podSelector", "matchLabels", "app.kubernetes.io/part-of"), "parley"),
    ),
    "DNS anywhere": Mutation(network.finds_names, _network("dns", ("egress", 0, "to"), [])),
    "an arrow too few": Mutation(network.talks_to_whom_it_has_to, forget("NetworkPolicy", "presence")),
    "an arrow too many": Mutation(network.talks_to_whom_it_has_to, _network("auth", ("egress", 0), _TO_ENVOY)),
    "a store for one service": Mutation(
        network.talks_to_whom_it_has_to,
        _network("mongodb-clients", ("podSelector",), {"matchLabels": {"app.kubernetes.io/name": "chat"}}),
        "dev",
    ),
    "everybody may call chat": Mutation(
        network.opens_one_door_to_everybody, _network("chat", ("ingress", 0), _EVERYBODY)
    ),
    "everybody may see Envoy's status": Mutation(
        network.opens_one_door_to_everybody,
        _network("envoy", ("ingress", 0, "ports"), [{"port": "public"}, {"port": "status"}]),
    ),
    "chat reads metrics": Mutation(
        network.shows_metrics_to_the_monitoring_alone, _network("metrics-of-processes", ("ingress", 0), _READS_METRICS)
    ),
    "no way to the stores": Mutation(network.reaches_its_stores, forget("NetworkPolicy", "redis-clients")),
    "the gateway reads the store": Mutation(network.reaches_its_stores, _network("gateway", ("egress", 0), _STORES)),
    "no way to the store here": Mutation(network.reaches_its_stores, forget("NetworkPolicy", "redis-clients"), "dev"),
    "issuers inside": Mutation(
        network.asks_issuers_on_the_internet_alone,
        drop("NetworkPolicy", "auth", ("spec", "egress", 0, "to", 0, "ipBlock", "except", 1)),
    ),
    "chat on the Internet": Mutation(
        network.asks_issuers_on_the_internet_alone, _network("chat", ("egress", 0), _OUTSIDE)
    ),
    "no autoscaler": Mutation(scaling.is_scaled_by_one_autoscaler, forget("ScaledObject", "gateway")),
    "two autoscalers": Mutation(scaling.is_scaled_by_one_autoscaler, add(_SECOND_AUTOSCALER)),
    "a number of replicas": Mutation(
        scaling.leaves_its_replicas_to_the_autoscaler, _deployment("auth", ("spec", "replicas"), 2)
    ),
    "no room to grow": Mutation(scaling.can_grow, put("HorizontalPodAutoscaler", "auth", ("spec", "maxReplicas"), 2)),
    "growth without the processor": Mutation(scaling.can_grow, drop("ScaledObject", "chat", ("spec", "triggers", 0))),
    "fewer shards than replicas": Mutation(
        scaling.has_shards_for_every_replica_of_chat, tell("gateway-settings", "PARLEY_CHAT_SHARDS", "8")
    ),
    "one replica": Mutation(
        scaling.outlives_the_loss_of_a_pod, put("HorizontalPodAutoscaler", "auth", ("spec", "minReplicas"), 1)
    ),
    "a gateway scaled by the processor": Mutation(
        scaling.scales_the_gateway_on_its_connections, drop("ScaledObject", "gateway", ("spec", "triggers", 0))
    ),
    "chat scaled by the processor": Mutation(
        scaling.scales_chat_on_the_time_in_its_queue, drop("ScaledObject", "chat", ("spec", "triggers", 1))
    ),
    "a metric of nobody": Mutation(
        scaling.asks_for_metrics_that_there_are,
        put(
            "ScaledObject",
            "gateway",
            ("spec", "triggers", 0, "metadata", "query"),
            'sum(parley_gateway_sockets{namespace="parley-staging"})',
        ),
    ),
    "another namespace's metric": Mutation(
        scaling.asks_for_metrics_that_there_are,
        put(
            "ScaledObject",
            "gateway",
            ("spec", "triggers", 0, "metadata", "query"),
            'sum(parley_gateway_connections{namespace="parley"})',
        ),
    ),
    "a proxy too few": Mutation(
        edge.counts_the_proxies_in_front, tell("gateway-settings", "PARLEY_TRUSTED_PROXIES", "1")
    ),
    "a second way in": Mutation(
        edge.keeps_what_is_inside_inside, put("Service", "envoy-status", ("spec", "type"), "LoadBalancer")
    ),
    "a route past Envoy": Mutation(
        edge.routes_lead_to_services,
        put("HTTPRoute", "browsers", ("spec", "rules", 0, "backendRefs", 0), {"name": "gateway", "port": 8081}),
    ),
    "a route to no port": Mutation(
        edge.routes_lead_to_services,
        put("HTTPRoute", "browsers", ("spec", "rules", 0, "backendRefs", 0, "port"), 80),
    ),
    "gRPC over HTTP/1.1": Mutation(
        edge.speaks_http2_to_envoy_for_grpc,
        put("GRPCRoute", "services", ("spec", "rules", 0, "backendRefs", 0, "name"), "envoy"),
    ),
    "a host that the gateway has not": Mutation(
        edge.routes_the_hosts_that_the_gateway_has,
        put("HTTPRoute", "browsers", ("spec", "hostnames"), ["talk.example.com"]),
    ),
    "a listener that there is not": Mutation(
        edge.routes_the_hosts_that_the_gateway_has,
        put("GRPCRoute", "services", ("spec", "parentRefs", 0, "sectionName"), "grpc"),
    ),
    "a listener for another kind": Mutation(
        edge.routes_the_hosts_that_the_gateway_has,
        put("Gateway", "parley", ("spec", "listeners", 2, "allowedRoutes", "kinds"), [{"kind": "HTTPRoute"}]),
    ),
    "a host without a certificate": Mutation(
        edge.has_certificates_for_its_hosts, drop("Certificate", "edge", ("spec", "dnsNames", 1))
    ),
    "a certificate of nobody": Mutation(edge.has_certificates_for_its_hosts, forget("Issuer", "edge")),
    "plain HTTP": Mutation(
        edge.ends_plain_http_with_a_redirect,
        put("HTTPRoute", "browsers", ("spec", "parentRefs", 0, "sectionName"), "http"),
    ),
    "a job of another name": Mutation(edge.is_watched, drop("ServiceMonitor", "parley", ("spec", "jobLabel"))),
    "metrics that nobody reads": Mutation(
        edge.is_watched, put("Service", "envoy-status", ("spec", "ports", 0, "name"), "status")
    ),
}
