"""Network policies: exactly the needed connections."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network
from typing import Final

from tests.k8s.manifests import Manifest, Manifests, Workload
from tests.k8s.reachability import Connection, allowed_connections, is_closed, peers, rules
from tests.k8s.rendering import encrypts_inside

_SERVICES: Final = ("auth", "chat", "presence", "notify")
_CONNECTIONS: Final = {
    *(Connection("envoy", name, "grpc") for name in _SERVICES),
    Connection("envoy", "gateway", "websocket"),
    Connection("envoy", "gateway", "http"),
}
_CALLERS: Final = ("gateway", "chat", "presence", "notify")
"""The processes that call others, through Envoy. Auth calls none."""

_STORES: Final = {"mongodb": "mongodb", "valkey": "redis"}
_STORE_PORTS: Final = {27017, 6379}
_STORE_PORTS_OF: Final = {"service": _STORE_PORTS, "operations": {27017}}
_DIRECTIONS: Final = ("Ingress", "Egress")
_PRIVATE: Final = tuple(
    map(
        IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
    )
)


def denies_by_default(manifests: Manifests) -> Iterator[str]:
    """One policy denies all traffic in both directions, for all pods."""
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        closes = spec["podSelector"] == {} and set(spec["policyTypes"]) == set(_DIRECTIONS)
        if closes and not spec.get("ingress") and not spec.get("egress"):
            return
    yield "no NetworkPolicy denies everything by default"


def reaches_dns(manifests: Manifests) -> Iterator[str]:
    """All workloads reach the cluster's DNS by UDP and TCP, and no other DNS."""
    for workload in manifests.workloads():
        allowed = [_Dns.of(rule) for rule in rules(manifests, workload, "Egress") if _Dns.is_dns(rule)]
        if allowed != [_Dns.wanted()]:
            yield f"{workload.name}: must reach kube-dns by UDP and TCP, and no other DNS"


def allows_exactly_the_needed_connections(manifests: Manifests) -> Iterator[str]:
    """The allowed connections between workloads are exactly those that they need."""
    envoy_port = "internal" if encrypts_inside(manifests) else "public"
    wanted = _CONNECTIONS | {Connection(name, "envoy", envoy_port) for name in _CALLERS}
    for store in manifests.workloads("store"):
        wanted |= {Connection(name, store.name, _STORES[store.name]) for name in _SERVICES}
    if manifests.get("StatefulSet", "mongodb"):
        wanted |= {Connection(name, "mongodb", "mongodb") for name in ("mongodb", "backup", "restore", "migrate")}
    allowed = allowed_connections(manifests)
    for missing in sorted(wanted - allowed):
        yield f"{missing.caller} cannot reach {missing.called}:{missing.port}"
    for extra in sorted(allowed - wanted):
        yield f"{extra.caller} can reach {extra.called}:{extra.port} without need"


def exposes_only_envoy_s_public_port(manifests: Manifests) -> Iterator[str]:
    """Only Envoy's public port is open to everyone; all other ports name their callers."""
    for workload in manifests.workloads():
        for rule in rules(manifests, workload, "Ingress"):
            if not peers(rule, "Ingress") and (workload.name, _ports(rule)) != ("envoy", {"public"}):
                yield f"{workload.name}: everyone may reach {_ports(rule) or 'all its ports'}"


def exposes_metrics_only_to_monitoring(manifests: Manifests) -> Iterator[str]:
    """Only the namespace `monitoring` may read metrics, which reveal load and configuration."""
    for workload in manifests.deployments():
        for rule in rules(manifests, workload, "Ingress"):
            if _ports(rule) & {"metrics", "status"} and peers(rule, "Ingress") != [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
            ]:
                yield f"{workload.name}: callers outside `monitoring` may read its metrics"


def reaches_exactly_its_stores(manifests: Manifests) -> Iterator[str]:
    """Services reach both stores, operations reach MongoDB, and no other workload reaches a store."""
    for workload in manifests.workloads("service", "gateway", "edge", "operations"):
        reached = {port for port in _STORE_PORTS if _reaches_store(manifests, workload, port)}
        wanted = _STORE_PORTS_OF.get(workload.component, set())
        if reached != wanted:
            yield f"{workload.name}: reaches stores on ports {sorted(reached)}, but needs {sorted(wanted)}"


def reaches_only_issuers_on_the_internet(manifests: Manifests) -> Iterator[str]:
    """Only auth calls the Internet, to fetch issuers' keys, and it reaches no private address (SSRF)."""
    for workload in manifests.workloads("service", "gateway", "edge"):
        for rule in rules(manifests, workload, "Egress"):
            for peer in peers(rule, "Egress"):
                if "ipBlock" in peer and not _is_store(rule):
                    yield from _external_violations(workload, rule, peer["ipBlock"])


def _external_violations(workload: Workload, rule: Manifest, block: Manifest) -> Iterator[str]:
    if workload.name != "auth" or [p.get("port") for p in rule.get("ports", [])] != [443]:
        yield f"{workload.name}: only auth may call the Internet, and only by HTTPS"
    network = ip_network(block["cidr"])
    excluded = [ip_network(cidr) for cidr in block.get("except", [])]
    for private in _PRIVATE:
        inside = private.subnet_of(network)  # type: ignore[arg-type]
        if inside and not any(private.subnet_of(cidr) for cidr in excluded):  # type: ignore[arg-type]
            yield f"{workload.name}: may reach the private network {private}"


def _reaches_store(manifests: Manifests, workload: Workload, port: int) -> bool:
    """Whether a rule allows the port of a store, in these manifests or elsewhere."""
    here = {_STORES[store.name] for store in manifests.workloads("store") if port in store.ports.values()}
    if here:
        return any(c.caller == workload.name and c.port in here for c in allowed_connections(manifests))
    if not is_closed(manifests, workload, "Egress"):
        return True
    return any(
        not rule.get("ports") or port in {p.get("port") for p in rule["ports"]}
        for rule in rules(manifests, workload, "Egress")
    )


def _is_store(rule: Manifest) -> bool:
    return bool(rule.get("ports")) and {p.get("port") for p in rule["ports"]} <= _STORE_PORTS


def _ports(rule: Manifest) -> set[str | int]:
    return {port.get("port", "") for port in rule.get("ports", [])}


class _Dns:
    """The DNS part of a rule."""

    @staticmethod
    def is_dns(rule: Manifest) -> bool:
        return not rule.get("ports") or 53 in _ports(rule)

    @staticmethod
    def of(rule: Manifest) -> tuple[Manifest, set[tuple[str, int]]]:
        (peer,) = rule.get("to") or [{}]
        return peer, {(port["protocol"], port["port"]) for port in rule.get("ports", [])}

    @staticmethod
    def wanted() -> tuple[Manifest, set[tuple[str, int]]]:
        peer = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
        return peer, {("UDP", 53), ("TCP", 53)}
