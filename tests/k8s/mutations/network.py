"""Mutations around the processes: networks, scaling and external access."""

from __future__ import annotations

from typing import Any, Final

from tests.k8s.edits import CONTAINER, add, configure_envoy, drop, put, remove, set_variable
from tests.k8s.mutations.mutation import Mutation, in_deployment, in_network
from tests.k8s.policies import edge, network, scaling

_SECOND_AUTOSCALER: Final = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "again"},
    "spec": {"scaleTargetRef": {"name": "chat"}, "minReplicas": 2, "maxReplicas": 3, "metrics": []},
}
_EVERYONE: Final = {"ports": [{"protocol": "TCP", "port": "grpc"}]}
_READS_METRICS: Final = {
    "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "chat"}}}],
    "ports": [{"protocol": "TCP", "port": "metrics"}],
}
_STORES: Final = {"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP", "port": 27017}]}
_TO_ENVOY: Final = {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "envoy"}}}]}
_OUTSIDE: Final = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]}


def _unlimit_heap(configuration: dict[str, Any]) -> None:
    configuration["overload_manager"]["resource_monitors"] = []


MUTATIONS: Final = {
    "no default deny": Mutation(network.denies_by_default, remove("NetworkPolicy", "default-deny")),
    "only ingress is denied": Mutation(
        network.denies_by_default, in_network("default-deny", ("policyTypes",), ["Ingress"])
    ),
    "no DNS": Mutation(network.reaches_dns, remove("NetworkPolicy", "dns")),
    "DNS for another's pods": Mutation(
        network.reaches_dns,
        in_network("dns", ("egress", 0, "to", 0, "podSelector", "matchLabels", "app.kubernetes.io/part-of"), "parley"),
    ),
    "DNS anywhere": Mutation(network.reaches_dns, in_network("dns", ("egress", 0, "to"), [])),
    "a missing connection": Mutation(
        network.allows_exactly_the_needed_connections, remove("NetworkPolicy", "presence")
    ),
    "an unneeded connection": Mutation(
        network.allows_exactly_the_needed_connections, in_network("auth", ("egress", 0), _TO_ENVOY)
    ),
    "a store for one service": Mutation(
        network.allows_exactly_the_needed_connections,
        in_network("mongodb-clients", ("podSelector",), {"matchLabels": {"app.kubernetes.io/name": "chat"}}),
        "dev",
    ),
    "everyone may call chat": Mutation(
        network.exposes_only_envoy_s_public_port, in_network("chat", ("ingress", 0), _EVERYONE)
    ),
    "everyone may read Envoy's status": Mutation(
        network.exposes_only_envoy_s_public_port,
        in_network("envoy", ("ingress", 0, "ports"), [{"port": "public"}, {"port": "status"}]),
    ),
    "chat reads metrics": Mutation(
        network.exposes_metrics_only_to_monitoring,
        in_network("metrics-of-processes", ("ingress", 0), _READS_METRICS),
    ),
    "no way to the stores": Mutation(network.reaches_exactly_its_stores, remove("NetworkPolicy", "redis-clients")),
    "the gateway reads the store": Mutation(
        network.reaches_exactly_its_stores, in_network("gateway", ("egress", 0), _STORES)
    ),
    "no way to the store here": Mutation(
        network.reaches_exactly_its_stores, remove("NetworkPolicy", "redis-clients"), "dev"
    ),
    "issuers inside": Mutation(
        network.reaches_only_issuers_on_the_internet,
        drop("NetworkPolicy", "auth", ("spec", "egress", 0, "to", 0, "ipBlock", "except", 1)),
    ),
    "chat on the Internet": Mutation(
        network.reaches_only_issuers_on_the_internet, in_network("chat", ("egress", 0), _OUTSIDE)
    ),
    "no autoscaler": Mutation(scaling.is_scaled_by_one_autoscaler, remove("ScaledObject", "gateway")),
    "two autoscalers": Mutation(scaling.is_scaled_by_one_autoscaler, add(_SECOND_AUTOSCALER)),
    "a number of replicas": Mutation(
        scaling.leaves_replicas_to_the_autoscaler, in_deployment("auth", ("spec", "replicas"), 2)
    ),
    "no room to grow": Mutation(scaling.can_grow, put("HorizontalPodAutoscaler", "auth", ("spec", "maxReplicas"), 2)),
    "growth without CPU": Mutation(scaling.can_grow, drop("ScaledObject", "chat", ("spec", "triggers", 0))),
    "fewer shards than replicas": Mutation(
        scaling.has_shards_for_every_replica, set_variable("gateway-settings", "PARLEY_CHAT_SHARDS", "8")
    ),
    "one replica": Mutation(
        scaling.survives_the_loss_of_a_pod, put("HorizontalPodAutoscaler", "auth", ("spec", "minReplicas"), 1)
    ),
    "a gateway scaled by CPU only": Mutation(
        scaling.scales_the_gateway_by_connections, drop("ScaledObject", "gateway", ("spec", "triggers", 0))
    ),
    "chat scaled by CPU only": Mutation(
        scaling.scales_chat_by_queueing_time, drop("ScaledObject", "chat", ("spec", "triggers", 1))
    ),
    "too little memory for the connection limit": Mutation(
        scaling.has_memory_for_envoy_s_connections,
        put("Deployment", "envoy", (*CONTAINER, "resources", "limits", "memory"), "1Gi"),
    ),
    "a heap as large as the container": Mutation(
        scaling.sheds_load_before_envoy_s_memory_ends,
        put("Deployment", "envoy", (*CONTAINER, "resources", "limits", "memory"), "1800Mi"),
    ),
    "no limit on Envoy's heap": Mutation(scaling.sheds_load_before_envoy_s_memory_ends, configure_envoy(_unlimit_heap)),
    "Envoys scaled by CPU only": Mutation(
        scaling.has_memory_for_envoy_s_connections,
        drop("HorizontalPodAutoscaler", "envoy", ("spec", "metrics", 1)),
    ),
    "Envoys scaled too late": Mutation(
        scaling.has_memory_for_envoy_s_connections,
        put("HorizontalPodAutoscaler", "envoy", ("spec", "metrics", 1, "resource", "target", "averageUtilization"), 95),
    ),
    "an unknown metric": Mutation(
        scaling.queries_existing_metrics,
        put(
            "ScaledObject",
            "gateway",
            ("spec", "triggers", 0, "metadata", "query"),
            'sum(parley_gateway_sockets{namespace="parley-staging"})',
        ),
    ),
    "another namespace's metric": Mutation(
        scaling.queries_existing_metrics,
        put(
            "ScaledObject",
            "gateway",
            ("spec", "triggers", 0, "metadata", "query"),
            'sum(parley_gateway_connections{namespace="parley"})',
        ),
    ),
    "a proxy too few": Mutation(
        edge.trusts_exactly_the_proxies_in_front, set_variable("gateway-settings", "PARLEY_TRUSTED_PROXIES", "1")
    ),
    "a second way in": Mutation(
        edge.exposes_no_service_outside, put("Service", "envoy-status", ("spec", "type"), "LoadBalancer")
    ),
    "a route past Envoy": Mutation(
        edge.routes_lead_to_envoy,
        put("HTTPRoute", "browsers", ("spec", "rules", 0, "backendRefs", 0), {"name": "gateway", "port": 8081}),
    ),
    "a route to no port": Mutation(
        edge.routes_lead_to_envoy,
        put("HTTPRoute", "browsers", ("spec", "rules", 0, "backendRefs", 0, "port"), 80),
    ),
    "gRPC over HTTP/1.1": Mutation(
        edge.speaks_http2_to_envoy_for_grpc,
        put("GRPCRoute", "services", ("spec", "rules", 0, "backendRefs", 0, "name"), "envoy"),
    ),
    "a timeout on sockets": Mutation(
        edge.sets_no_timeout_on_sockets,
        put("HTTPRoute", "browsers", ("spec", "rules", 0, "timeouts", "request"), "60s"),
    ),
    "a socket path with a timeout": Mutation(
        edge.sets_no_timeout_on_sockets, drop("HTTPRoute", "browsers", ("spec", "rules", 0, "matches", 2))
    ),
    "an unknown host": Mutation(
        edge.routes_only_the_gateway_s_hosts,
        put("HTTPRoute", "browsers", ("spec", "hostnames"), ["talk.example.com"]),
    ),
    "an unknown listener": Mutation(
        edge.routes_only_the_gateway_s_hosts,
        put("GRPCRoute", "services", ("spec", "parentRefs", 0, "sectionName"), "grpc"),
    ),
    "a listener for another kind": Mutation(
        edge.routes_only_the_gateway_s_hosts,
        put("Gateway", "parley", ("spec", "listeners", 2, "allowedRoutes", "kinds"), [{"kind": "HTTPRoute"}]),
    ),
    "a host without a certificate": Mutation(
        edge.has_certificates_for_its_hosts, drop("Certificate", "edge", ("spec", "dnsNames", 1))
    ),
    "a certificate without an issuer": Mutation(edge.has_certificates_for_its_hosts, remove("Issuer", "edge")),
    "a name without an ACME route": Mutation(
        edge.answers_acme_challenges_for_every_name,
        put("Gateway", "parley", ("spec", "listeners", 0, "hostname"), "chat.staging.example.com"),
    ),
    "unreachable ACME solvers": Mutation(
        edge.answers_acme_challenges_for_every_name, remove("NetworkPolicy", "acme-challenges")
    ),
    "a Gateway without clients": Mutation(
        edge.allows_the_gateway_s_own_pods, remove("NetworkPolicy", "gateway-proxies")
    ),
    "a Gateway without upstreams": Mutation(
        edge.allows_the_gateway_s_own_pods, drop("NetworkPolicy", "gateway-proxies", ("spec", "egress", 0))
    ),
    "a redirect for unknown hosts": Mutation(
        edge.routes_only_the_gateway_s_hosts,
        put("HTTPRoute", "to-https", ("spec", "hostnames"), ["talk.example.com"]),
    ),
    "plain HTTP": Mutation(
        edge.redirects_plain_http,
        put("HTTPRoute", "browsers", ("spec", "parentRefs", 0, "sectionName"), "http"),
    ),
    "a job of another name": Mutation(edge.is_scraped, drop("ServiceMonitor", "parley", ("spec", "jobLabel"))),
    "unscraped metrics": Mutation(
        edge.is_scraped, put("Service", "envoy-status", ("spec", "ports", 0, "name"), "status")
    ),
}
