"""What would be wrong around the processes, one thing at a time: networks, numbers and the way in."""

from __future__ import annotations

from typing import Final

from tests.k8s.edits import CONTAINER, add, drop, forget, put, tell
from tests.k8s.mutations.mutation import Mutation, in_deployment, in_network
from tests.k8s.policies import edge, network, scaling

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
    "nothing is denied": Mutation(network.denies_what_nobody_allows, forget("NetworkPolicy", "default-deny")),
    "only what comes in is denied": Mutation(
        network.denies_what_nobody_allows, in_network("default-deny", ("policyTypes",), ["Ingress"])
    ),
    "no DNS": Mutation(network.finds_names, forget("NetworkPolicy", "dns")),
    "DNS for another's pods": Mutation(
        network.finds_names,
        in_network("dns", ("egress", 0, "to", 0, "podSelector", "matchLabels", "app.kubernetes.io/part-of"), "parley"),
    ),
    "DNS anywhere": Mutation(network.finds_names, in_network("dns", ("egress", 0, "to"), [])),
    "an arrow too few": Mutation(network.talks_to_whom_it_has_to, forget("NetworkPolicy", "presence")),
    "an arrow too many": Mutation(network.talks_to_whom_it_has_to, in_network("auth", ("egress", 0), _TO_ENVOY)),
    "a store for one service": Mutation(
        network.talks_to_whom_it_has_to,
        in_network("mongodb-clients", ("podSelector",), {"matchLabels": {"app.kubernetes.io/name": "chat"}}),
        "dev",
    ),
    "everybody may call chat": Mutation(
        network.opens_one_door_to_everybody, in_network("chat", ("ingress", 0), _EVERYBODY)
    ),
    "everybody may see Envoy's status": Mutation(
        network.opens_one_door_to_everybody,
        in_network("envoy", ("ingress", 0, "ports"), [{"port": "public"}, {"port": "status"}]),
    ),
    "chat reads metrics": Mutation(
        network.shows_metrics_to_the_monitoring_alone,
        in_network("metrics-of-processes", ("ingress", 0), _READS_METRICS),
    ),
    "no way to the stores": Mutation(network.reaches_its_stores, forget("NetworkPolicy", "redis-clients")),
    "the gateway reads the store": Mutation(network.reaches_its_stores, in_network("gateway", ("egress", 0), _STORES)),
    "no way to the store here": Mutation(network.reaches_its_stores, forget("NetworkPolicy", "redis-clients"), "dev"),
    "issuers inside": Mutation(
        network.asks_issuers_on_the_internet_alone,
        drop("NetworkPolicy", "auth", ("spec", "egress", 0, "to", 0, "ipBlock", "except", 1)),
    ),
    "chat on the Internet": Mutation(
        network.asks_issuers_on_the_internet_alone, in_network("chat", ("egress", 0), _OUTSIDE)
    ),
    "no autoscaler": Mutation(scaling.is_scaled_by_one_autoscaler, forget("ScaledObject", "gateway")),
    "two autoscalers": Mutation(scaling.is_scaled_by_one_autoscaler, add(_SECOND_AUTOSCALER)),
    "a number of replicas": Mutation(
        scaling.leaves_its_replicas_to_the_autoscaler, in_deployment("auth", ("spec", "replicas"), 2)
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
    "memory for fewer connections than are let in": Mutation(
        scaling.gives_envoy_memory_for_its_connections,
        put("Deployment", "envoy", (*CONTAINER, "resources", "limits", "memory"), "1Gi"),
    ),
    "Envoys that are scaled by the processor": Mutation(
        scaling.gives_envoy_memory_for_its_connections,
        drop("HorizontalPodAutoscaler", "envoy", ("spec", "metrics", 1)),
    ),
    "Envoys that are scaled too late": Mutation(
        scaling.gives_envoy_memory_for_its_connections,
        put("HorizontalPodAutoscaler", "envoy", ("spec", "metrics", 1, "resource", "target", "averageUtilization"), 95),
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
    "sockets that end after a minute": Mutation(
        edge.leaves_sockets_open, put("HTTPRoute", "browsers", ("spec", "rules", 0, "timeouts", "request"), "60s")
    ),
    "a path whose sockets end": Mutation(
        edge.leaves_sockets_open, drop("HTTPRoute", "browsers", ("spec", "rules", 0, "matches", 2))
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
    "a name that nobody can certify": Mutation(
        edge.answers_for_each_name_that_it_wants_certified,
        put("Gateway", "parley", ("spec", "listeners", 0, "hostname"), "chat.staging.example.com"),
    ),
    "answers that nobody hears": Mutation(
        edge.answers_for_each_name_that_it_wants_certified, forget("NetworkPolicy", "acme-challenges")
    ),
    "a Gateway whose pods are shut in": Mutation(
        edge.lets_the_gateway_s_own_pods_serve, forget("NetworkPolicy", "gateway-proxies")
    ),
    "a Gateway whose pods reach nobody": Mutation(
        edge.lets_the_gateway_s_own_pods_serve, drop("NetworkPolicy", "gateway-proxies", ("spec", "egress", 0))
    ),
    "a redirect for hosts of others": Mutation(
        edge.routes_the_hosts_that_the_gateway_has,
        put("HTTPRoute", "to-https", ("spec", "hostnames"), ["talk.example.com"]),
    ),
    "plain HTTP": Mutation(
        edge.ends_plain_http_with_a_redirect,
        put("HTTPRoute", "browsers", ("spec", "parentRefs", 0, "sectionName"), "http"),
    ),
    "a job of another name": Mutation(edge.is_watched, drop("ServiceMonitor", "parley", ("spec", "jobLabel"))),
    "metrics that nobody reads": Mutation(
        edge.is_watched, put("Service", "envoy-status", ("spec", "ports", 0, "name"), "status")
    ),
}
