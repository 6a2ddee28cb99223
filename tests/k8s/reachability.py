"""Who may talk to whom, worked out from the network policies as a network plugin does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.k8s.manifests import Manifest, Manifests, Workload, selects

_IN: Final = "Ingress"
_OUT: Final = "Egress"


class Arrow(NamedTuple):
    """Pods of one workload may open connections to a port of another's."""

    caller: str
    called: str
    port: str


def arrows(manifests: Manifests) -> set[Arrow]:
    """All that the policies let pods of the overlay do with each other."""
    return {
        Arrow(caller.name, called.name, port)
        for caller in manifests.workloads()
        for called in manifests.workloads()
        for port in called.ports
        if _lets_out(manifests, caller, called, port) and _lets_in(manifests, caller, called, port)
    }


def rules(manifests: Manifests, workload: Workload, direction: str) -> Iterator[Manifest]:
    """The rules of one direction that hold for a workload; none, though policies hold for it, means nobody."""
    for policy in _policies(manifests, workload, direction):
        yield from policy["spec"].get(direction.lower(), [])


def is_closed(manifests: Manifests, workload: Workload, direction: str) -> bool:
    """Whether what no rule names is refused."""
    return any(True for _ in _policies(manifests, workload, direction))


def peers(rule: Manifest, direction: str) -> list[Manifest]:
    """Whom a rule names; none means everybody."""
    found: list[Manifest] = rule.get("from" if direction == _IN else "to", [])
    return found


def _policies(manifests: Manifests, workload: Workload, direction: str) -> Iterator[Manifest]:
    for policy in manifests.of("NetworkPolicy"):
        if direction in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], workload.labels):
            yield policy


def _lets_out(manifests: Manifests, caller: Workload, called: Workload, port: str) -> bool:
    return _allows(manifests, caller, _OUT, called, (called, port))


def _lets_in(manifests: Manifests, caller: Workload, called: Workload, port: str) -> bool:
    return _allows(manifests, called, _IN, caller, (called, port))


def _allows(
    manifests: Manifests, subject: Workload, direction: str, other: Workload, target: tuple[Workload, str]
) -> bool:
    if not is_closed(manifests, subject, direction):
        return True
    return any(
        _names(peers(rule, direction), other) and _opens(rule, *target) for rule in rules(manifests, subject, direction)
    )


def _names(found: list[Manifest], other: Workload) -> bool:
    """Whether a rule's peers are a workload of the same namespace. A peer elsewhere, or an address, is not."""
    if not found:
        return True
    return any(
        "namespaceSelector" not in peer and selects(peer.get("podSelector"), other.labels)
        for peer in found
        if "ipBlock" not in peer
    )


def _opens(rule: Manifest, called: Workload, port: str) -> bool:
    ports = rule.get("ports")
    return not ports or any(p.get("port") in {None, port, called.ports[port]} for p in ports)
