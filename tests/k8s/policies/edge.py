"""External access, and scraping of metrics."""

from __future__ import annotations

from collections.abc import Iterator

from tests.k8s.environment import processes, setting
from tests.k8s.manifests import Manifest, Manifests, selects
from tests.k8s.rendering import envoy_configuration

_ROUTES = ("HTTPRoute", "GRPCRoute")
_ACME_SOLVER_LABELS = {"acme.cert-manager.io/http01-solver": "true"}
"""The labels of cert-manager's pods that answer ACME challenges."""


def trusts_exactly_the_proxies_in_front(manifests: Manifests) -> Iterator[str]:
    """With one too few, all clients seem to have the proxy's address; with one too many, clients can forge theirs."""
    proxies = 1 + bool(manifests.of("Gateway"))
    for workload, container, settings in processes(manifests):
        if workload.component == "gateway":
            trusted = int(setting(manifests, container, settings, "trusted_proxies"))
            if trusted != proxies:
                yield f"{workload.name}: PARLEY_TRUSTED_PROXIES is {trusted}, but there are {proxies}"


def exposes_no_service_outside(manifests: Manifests) -> Iterator[str]:
    """No Service has a node port or load balancer: the Gateway is the only way in."""
    for service in manifests.of("Service"):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"Service {service['metadata']['name']}: must be of type ClusterIP"


def routes_lead_to_envoy(manifests: Manifests) -> Iterator[str]:
    """Routes lead to Envoy's public port only."""
    for route in manifests.of(*_ROUTES):
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs", []):
                service = manifests.get("Service", backend["name"])
                targets = [p["targetPort"] for p in (service or {"spec": {"ports": []}})["spec"]["ports"]]
                if targets != ["public"] or backend["port"] != service["spec"]["ports"][0]["port"]:  # type: ignore[index]
                    yield f"{route['metadata']['name']}: {backend['name']}:{backend['port']} is not Envoy's public port"


def speaks_http2_to_envoy_for_grpc(manifests: Manifests) -> Iterator[str]:
    """gRPC uses HTTP/2; browsers use HTTP/1.1, from which WebSockets are upgraded."""
    for route in manifests.of(*_ROUTES):
        wanted = "kubernetes.io/h2c" if route["kind"] == "GRPCRoute" else None
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs", []):
                service = manifests.get("Service", backend["name"])
                if service and any(port.get("appProtocol") != wanted for port in service["spec"]["ports"]):
                    yield f"{route['metadata']['name']}: {backend['name']} must have appProtocol {wanted}"


def sets_no_timeout_on_sockets(manifests: Manifests) -> Iterator[str]:
    """Paths that Envoy upgrades to WebSocket have no timeout at the Gateway."""
    for route in manifests.of("HTTPRoute"):
        limits = {
            prefix: rule.get("timeouts", {}).get("request")
            for rule in route["spec"]["rules"]
            if "backendRefs" in rule
            for prefix in _prefixes(rule)
        }
        for path in _upgraded(manifests) if limits else ():
            if limits.get(path) != "0s":
                yield f"{route['metadata']['name']}: must have a rule without a timeout for {path}"


def _upgraded(manifests: Manifests) -> Iterator[str]:
    listeners = envoy_configuration(manifests)["static_resources"]["listeners"]
    for listener in listeners:
        (chain,) = listener["filter_chains"]
        for host in chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]:
            for route in host["routes"]:
                if "upgrade_configs" in route.get("route", {}):
                    match = route["match"]
                    yield match.get("path_separated_prefix") or match["prefix"].removesuffix("/")


def _prefixes(rule: Manifest) -> list[str]:
    return [match["path"]["value"] for match in rule["matches"] if match["path"]["type"] == "PathPrefix"]


def routes_only_the_gateway_s_hosts(manifests: Manifests) -> Iterator[str]:
    """Each route is attached to a listener with its host names that accepts its kind."""
    listeners = {(g["metadata"]["name"], lis["name"]): lis for g in manifests.of("Gateway") for lis in _listeners(g)}
    hosts = {listener["hostname"] for listener in listeners.values() if "hostname" in listener}
    for route in manifests.of(*_ROUTES):
        for parent in route["spec"]["parentRefs"]:
            listener = listeners.get((parent["name"], parent.get("sectionName", "")))
            if listener is None:
                yield f"{route['metadata']['name']}: no listener {parent}"
            elif not _names(route) or not _names(route) <= (
                {listener["hostname"]} if "hostname" in listener else hosts
            ):
                yield f"{route['metadata']['name']}: its host names are not those of listener {listener['name']}"
            elif route["kind"] not in _kinds(listener):
                yield f"{route['metadata']['name']}: listener {listener['name']} accepts no {route['kind']}"


def has_certificates_for_its_hosts(manifests: Manifests) -> Iterator[str]:
    """Every HTTPS host is in a Certificate from an existing issuer."""
    certificates = {item["spec"]["secretName"]: item["spec"] for item in manifests.of("Certificate")}
    for listener in (lis for gateway in manifests.of("Gateway") for lis in _listeners(gateway)):
        if listener["protocol"] != "HTTPS":
            continue
        for reference in listener["tls"]["certificateRefs"]:
            certificate = certificates.get(reference["name"], {"dnsNames": [], "issuerRef": {"name": ""}})
            if listener["hostname"] not in certificate["dnsNames"]:
                yield f"listener {listener['name']}: no Certificate {reference['name']} has {listener['hostname']}"
            elif manifests.get("Issuer", certificate["issuerRef"]["name"]) is None:
                yield f"listener {listener['name']}: no issuer for {reference['name']}"


def answers_acme_challenges_for_every_name(manifests: Manifests) -> Iterator[str]:
    """Every certificate's name accepts ACME challenges by plain HTTP, and cert-manager's solver pods are reachable."""
    gateways = {gateway["metadata"]["name"]: gateway for gateway in manifests.of("Gateway")}
    for certificate in manifests.of("Certificate"):
        issuer = manifests.get("Issuer", certificate["spec"]["issuerRef"]["name"]) or {"spec": {}}
        for parent in _challenge_gateways(issuer):
            plain = [lis for lis in _listeners(gateways[parent]) if (lis["protocol"], lis["port"]) == ("HTTP", 80)]
            for name in certificate["spec"]["dnsNames"]:
                if not any(lis.get("hostname", name) == name and "HTTPRoute" in _kinds(lis) for lis in plain):
                    yield f"{certificate['metadata']['name']}: no listener for http://{name}/"
            if not any(
                selects(policy["spec"]["podSelector"], _ACME_SOLVER_LABELS) for policy in _letting_in(manifests, 8089)
            ):
                yield f"{certificate['metadata']['name']}: no policy lets clients reach cert-manager's solver pods"


def allows_the_gateway_s_own_pods(manifests: Manifests) -> Iterator[str]:
    """A Gateway's pods, if in this namespace, accept all clients and reach Envoy."""
    for gateway in manifests.of("Gateway"):
        labels = {"gateway.networking.k8s.io/gateway-name": gateway["metadata"]["name"]}
        specs = [p["spec"] for p in manifests.of("NetworkPolicy") if _is_about(p, labels)]
        if not any({} in spec.get("ingress", []) for spec in specs):
            yield f"{gateway['metadata']['name']}: no client may reach its pods"
        if not any({"to": [{"namespaceSelector": {}}]} in spec.get("egress", []) for spec in specs):
            yield f"{gateway['metadata']['name']}: its pods may reach neither Envoy nor their control plane"


def redirects_plain_http(manifests: Manifests) -> Iterator[str]:
    """Plain HTTP only redirects to HTTPS."""
    plain = {lis["name"] for g in manifests.of("Gateway") for lis in _listeners(g) if lis["protocol"] == "HTTP"}
    for route in manifests.of(*_ROUTES):
        if plain & {parent.get("sectionName") for parent in route["spec"]["parentRefs"]}:
            filters = [f for rule in route["spec"]["rules"] for f in rule.get("filters", [])]
            if not all(f.get("requestRedirect", {}).get("scheme") == "https" for f in filters) or not filters:
                yield f"{route['metadata']['name']}: must redirect to https"


def is_scraped(manifests: Manifests) -> Iterator[str]:
    """A ServiceMonitor scrapes every workload, with the workload's name as the job, as the alerts expect."""
    scraped = set()
    for monitor in manifests.of("ServiceMonitor"):
        ports = {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}
        for service in manifests.of("Service"):
            labels = service["metadata"].get("labels", {})
            if selects(monitor["spec"]["selector"], labels) and ports & {p["name"] for p in service["spec"]["ports"]}:
                job = labels.get(monitor["spec"].get("jobLabel"), service["metadata"]["name"])
                scraped |= {w.name for w in manifests.selected(service["spec"].get("selector")) if w.name == job}
    for workload in manifests.deployments():
        if workload.name not in scraped:
            yield f"{workload.name}: no ServiceMonitor scrapes it"


def _listeners(gateway: Manifest) -> list[Manifest]:
    listeners: list[Manifest] = gateway["spec"]["listeners"]
    return listeners


def _names(route: Manifest) -> set[str]:
    return set(route["spec"].get("hostnames", []))


def _is_about(policy: Manifest, labels: dict[str, str]) -> bool:
    """Whether a policy selects pods with these labels specifically, not all pods."""
    return policy["spec"]["podSelector"] != {} and selects(policy["spec"]["podSelector"], labels)


def _letting_in(manifests: Manifests, port: int) -> list[Manifest]:
    """Returns the policies that open a port to everyone."""
    return [
        policy
        for policy in manifests.of("NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        if "from" not in rule and port in {p.get("port") for p in rule.get("ports", [])}
    ]


def _challenge_gateways(issuer: Manifest) -> list[str]:
    """Returns the Gateways through which cert-manager answers an issuer's challenges."""
    return [
        parent["name"]
        for solver in issuer["spec"].get("acme", {}).get("solvers", [])
        for parent in solver.get("http01", {}).get("gatewayHTTPRoute", {}).get("parentRefs", [])
    ]


def _kinds(listener: Manifest) -> list[str]:
    kinds = listener.get("allowedRoutes", {}).get("kinds")
    return [kind["kind"] for kind in kinds] if kinds else ["HTTPRoute"]
