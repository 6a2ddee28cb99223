"""The connections that the network policies allow, evaluated as a network plugin does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.k8s.manifests import Manifest, Manifests, Workload, selects

_IN: Final = "Ingress"
_OUT: Final = "Egress"


class Connection(NamedTuple):
    """An allowed connection from one workload's pods to a port of another's."""

    caller: str
    called: str
    port: str


def allowed_connections(manifests: Manifests) -> set[Connection]:
    """Returns all connections between the overlay's pods that the policies allow."""
    return {
        Connection(caller.name, called.name, port)
        for caller in manifests.workloads()
        for called in manifests.workloads()
        for port in called.ports
        if _allows_egress(manifests, caller, called, port) and _allows_ingress(manifests, caller, called, port)
    }


def rules(manifests: Manifests, workload: Workload, direction: str) -> Iterator[Manifest]:
    """Yields the rules of one direction that apply to a workload. If policies apply but no rules, all is denied."""
    for policy in _policies(manifests, workload, direction):
        yield from policy["spec"].get(direction.lower(), [])


def is_closed(manifests: Manifests, workload: Workload, direction: str) -> bool:
    """Whether a policy denies what no rule allows."""
    return any(True for _ in _policies(manifests, workload, direction))


def peers(rule: Manifest, direction: str) -> list[Manifest]:
    """Returns a rule's peers; an empty list means everyone."""
    named: list[Manifest] = rule.get("from" if direction == _IN else "to", [])
    return named


def _policies(manifests: Manifests, workload: Workload, direction: str) -> Iterator[Manifest]:
    for policy in manifests.of("NetworkPolicy"):
        if direction in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], workload.labels):
            yield policy


def _allows_egress(manifests: Manifests, caller: Workload, called: Workload, port: str) -> bool:
    return _allows(manifests, caller, _OUT, called, (called, port))


def _allows_ingress(manifests: Manifests, caller: Workload, called: Workload, port: str) -> bool:
    return _allows(manifests, called, _IN, caller, (called, port))


def _allows(
    manifests: Manifests, subject: Workload, direction: str, other: Workload, target: tuple[Workload, str]
) -> bool:
    if not is_closed(manifests, subject, direction):
        return True
    return any(
        _includes(peers(rule, direction), other) and _opens(rule, *target)
        for rule in rules(manifests, subject, direction)
    )


def _includes(named: list[Manifest], other: Workload) -> bool:
    """Whether a rule's peers include a workload of the same namespace. Other namespaces and addresses do not count."""
    if not named:
        return True
    return any(
        "namespaceSelector" not in peer and selects(peer.get("podSelector"), other.labels)
        for peer in named
        if "ipBlock" not in peer
    )


def _opens(rule: Manifest, called: Workload, port: str) -> bool:
    ports = rule.get("ports")
    return not ports or any(p.get("port") in {None, port, called.ports[port]} for p in ports)
