"""Networks in which only those talk that have something to say to each other."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network
from typing import Final

from tests.k8s.manifests import Manifest, Manifests, Workload
from tests.k8s.reachability import Arrow, arrows, is_closed, peers, rules
from tests.k8s.rendering import encrypts_inside

_SERVICES: Final = ("auth", "chat", "presence", "notify")
_ARROWS: Final = {
    *(Arrow("envoy", name, "grpc") for name in _SERVICES),
    Arrow("envoy", "gateway", "websocket"),
    Arrow("envoy", "gateway", "http"),
}
_CALLERS: Final = ("gateway", "chat", "presence", "notify")
"""Who has something to say to others, through Envoy. Auth calls none of them."""

_STORES: Final = {"mongodb": "mongodb", "valkey": "redis"}
_STORE_PORTS: Final = {27017, 6379}
_STORE_PORTS_OF: Final = {"service": _STORE_PORTS, "operations": {27017}}
_DIRECTIONS: Final = ("Ingress", "Egress")
_PRIVATE: Final = tuple(
    map(
        IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
    )
)


def denies_what_nobody_allows(manifests: Manifests) -> Iterator[str]:
    """One policy closes everything, in both directions, for pods of the future too."""
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        closes = spec["podSelector"] == {} and set(spec["policyTypes"]) == set(_DIRECTIONS)
        if closes and not spec.get("ingress") and not spec.get("egress"):
            return
    yield "no NetworkPolicy denies everything by default"


def finds_names(manifests: Manifests) -> Iterator[str]:
    """Everybody may ask the cluster's DNS, over both protocols, and nobody else on that port."""
    for workload in manifests.workloads():
        asked = [_Dns.of(rule) for rule in rules(manifests, workload, "Egress") if _Dns.is_dns(rule)]
        if asked != [_Dns.wanted()]:
            yield f"{workload.name}: must be able to ask kube-dns, by UDP and TCP, and nobody else"


def talks_to_whom_it_has_to(manifests: Manifests) -> Iterator[str]:
    """The arrows between workloads are those that exist: none too many, none too few."""
    door = "internal" if encrypts_inside(manifests) else "public"
    wanted = _ARROWS | {Arrow(name, "envoy", door) for name in _CALLERS}
    for store in manifests.workloads("store"):
        wanted |= {Arrow(name, store.name, _STORES[store.name]) for name in _SERVICES}
    if manifests.get("StatefulSet", "mongodb"):
        wanted |= {Arrow(name, "mongodb", "mongodb") for name in ("mongodb", "backup", "restore", "migrate")}
    found = arrows(manifests)
    for arrow in sorted(wanted - found):
        yield f"{arrow.caller} can't reach {arrow.called}:{arrow.port}"
    for arrow in sorted(found - wanted):
        yield f"{arrow.caller} can reach {arrow.called}:{arrow.port}, and has nothing to say to it"


def opens_one_door_to_everybody(manifests: Manifests) -> Iterator[str]:
    """Envoy's public port; where others may come in, they are named."""
    for workload in manifests.workloads():
        for rule in rules(manifests, workload, "Ingress"):
            if not peers(rule, "Ingress") and (workload.name, _ports(rule)) != ("envoy", {"public"}):
                yield f"{workload.name}: everybody may reach {_ports(rule) or 'all its ports'}"


def shows_metrics_to_the_monitoring_alone(manifests: Manifests) -> Iterator[str]:
    """They tell about the load of others, and Envoy's about its configuration."""
    for workload in manifests.deployments():
        for rule in rules(manifests, workload, "Ingress"):
            if _ports(rule) & {"metrics", "status"} and peers(rule, "Ingress") != [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
            ]:
                yield f"{workload.name}: others than the monitoring may read its metrics"


def reaches_its_stores(manifests: Manifests) -> Iterator[str]:
    """Services do, wherever the stores are, and backups reach MongoDB; nobody else does."""
    for workload in manifests.workloads("service", "gateway", "edge", "operations"):
        reached = {port for port in _STORE_PORTS if _reaches_store(manifests, workload, port)}
        wanted = _STORE_PORTS_OF.get(workload.component, set())
        if reached != wanted:
            yield f"{workload.name}: reaches stores on {sorted(reached)}, and needs {sorted(wanted)}"


def asks_issuers_on_the_internet_alone(manifests: Manifests) -> Iterator[str]:
    """Auth fetches addresses that administrators of organizations give it: none of them may be inside."""
    for workload in manifests.workloads("service", "gateway", "edge"):
        for rule in rules(manifests, workload, "Egress"):
            for peer in peers(rule, "Egress"):
                if "ipBlock" in peer and not _is_store(rule):
                    yield from _problems_outside(workload, rule, peer["ipBlock"])


def _problems_outside(workload: Workload, rule: Manifest, block: Manifest) -> Iterator[str]:
    if workload.name != "auth" or [p.get("port") for p in rule.get("ports", [])] != [443]:
        yield f"{workload.name}: only auth may call the Internet, and only by https"
    network = ip_network(block["cidr"])
    left_out = [ip_network(cidr) for cidr in block.get("except", [])]
    for private in _PRIVATE:
        inside = private.subnet_of(network)  # type: ignore[arg-type]
        if inside and not any(private.subnet_of(cidr) for cidr in left_out):  # type: ignore[arg-type]
            yield f"{workload.name}: may reach {private}, which is inside"


def _reaches_store(manifests: Manifests, workload: Workload, port: int) -> bool:
    """Whether there is a rule for the port of a store: to one here, or somewhere else that is named."""
    here = {_STORES[store.name] for store in manifests.workloads("store") if port in store.ports.values()}
    if here:
        return any(arrow.caller == workload.name and arrow.port in here for arrow in arrows(manifests))
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
    """What a rule says about DNS."""

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
