"""Internal mutual TLS: everywhere or nowhere, with certificates that name their holders and renew in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from deploy.envoy_edit import CONFIG
from deploy.tls.envoy import CERTIFICATES_FOLDER, CONFIGURATION_FOLDER, secret_files
from tests.k8s.environment import environment, processes, setting
from tests.k8s.manifests import Manifest, Manifests, Workload
from tests.k8s.policies.edge_parameters import configuration_for
from tests.k8s.rendering import encrypts_inside, envoy_configuration

_FILES: Final = {"tls_certificate": "tls.crt", "tls_key": "tls.key", "tls_ca": "ca.crt"}
_USAGES: Final = {"server auth", "client auth"}
_KINDS: Final = ("startupProbe", "livenessProbe", "readinessProbe")
_MIN_RENEWAL_HOURS: Final = 120


def encrypts_internal_traffic(manifests: Manifests) -> Iterator[str]:
    """Traffic between Envoy and every process is encrypted."""
    if not encrypts_inside(manifests):
        yield "Envoy has no listener for mutual TLS"


def runs_the_generated_file_for_mutual_tls(manifests: Manifests) -> Iterator[str]:
    """Envoy mounts the generated files, at the path that they assume; origins and proxies are as the gateway's."""
    if not encrypts_inside(manifests):
        return
    wanted = {CONFIG.name: configuration_for(manifests), **secret_files()}
    mounted = [item["data"] for item in manifests.of("ConfigMap") if CONFIG.name in item.get("data", {})]
    if mounted != [wanted]:
        yield "Envoy's ConfigMap is not what `python -m deploy.edge` generates for the gateway's settings"
    for workload in manifests.workloads("edge"):
        if str(CONFIGURATION_FOLDER) not in {m["mountPath"] for c in workload.containers for m in c["volumeMounts"]}:
            yield f"{workload.name}: does not mount its configuration at {CONFIGURATION_FOLDER}"


def has_certificate_settings(manifests: Manifests) -> Iterator[str]:
    """The settings name the mounted certificate files with mutual TLS, and nothing without it."""
    encrypted = encrypts_inside(manifests)
    for workload, container, settings in processes(manifests):
        for name, file in _FILES.items():
            wanted = CERTIFICATES_FOLDER / file if encrypted else None
            path = setting(manifests, container, settings, name)
            if (PurePath(path) if path else None) != wanted:
                yield f"{workload.name}: PARLEY_{name.upper()} is {path}, but must be {wanted}"


def mounts_its_own_certificate(manifests: Manifests) -> Iterator[str]:
    """Each workload mounts a Certificate's Secret with its own name, to serve and to call, from its own authority."""
    if not encrypts_inside(manifests):
        return
    certificates = {item["spec"]["secretName"]: item["spec"] for item in manifests.of("Certificate")}
    for workload in manifests.workloads("service", "gateway", "edge"):
        certificate = certificates.get(_mounted_secret(workload), {"dnsNames": [], "issuerRef": {"name": ""}})
        if set(certificate["dnsNames"]) != _names(manifests, workload):
            yield f"{workload.name}: mounts no certificate at {CERTIFICATES_FOLDER} with exactly its name"
        elif _USAGES - set(certificate.get("usages", [])):
            yield f"{workload.name}: its certificate is not for both servers and clients"
        elif not _is_own_authority(manifests, certificate["issuerRef"]["name"]):
            yield f"{workload.name}: its certificate is not from this namespace's authority"


def restricts_key_files_to_its_group(manifests: Manifests) -> Iterator[str]:
    """Key files are readable by the process's group only; the default is everyone in the pod."""
    for workload in manifests.workloads("service", "gateway", "edge"):
        for volume in workload.pod.get("volumes", []):
            if "secret" not in volume:
                continue
            group = workload.pod["securityContext"].get("fsGroup")
            if volume["secret"].get("defaultMode") != 0o440 or group != workload.pod["securityContext"]["runAsGroup"]:
                yield f"{workload.name}: volume {volume['name']} must be readable by the process's group only"


def renews_certificates_in_time(manifests: Manifests) -> Iterator[str]:
    """Certificates renew days before they expire, so that someone can fix a failure, and with a new key."""
    for item in manifests.of("Certificate"):
        spec, name = item["spec"], item["metadata"]["name"]
        if _is_own_authority(manifests, spec["issuerRef"]["name"]):
            if not _MIN_RENEWAL_HOURS <= _hours(spec["renewBefore"]) <= _hours(spec["duration"]) / 2:
                yield f"Certificate {name}: renews {spec['renewBefore']} before it expires"
            if spec["privateKey"]["rotationPolicy"] != "Always":
                yield f"Certificate {name}: must renew with a new key"


def keeps_the_authority_s_key(manifests: Manifests) -> Iterator[str]:
    """The authority keeps its key, so that certificates from before and after its renewal trust each other."""
    for item in manifests.of("Certificate"):
        if item["spec"].get("isCA") and item["spec"]["privateKey"]["rotationPolicy"] != "Never":
            yield f"Certificate {item['metadata']['name']}: must keep its key"


def verifies_upstream_names(manifests: Manifests) -> Iterator[str]:
    """Envoy rejects a process with another's certificate."""
    if not encrypts_inside(manifests):
        return
    for cluster in envoy_configuration(manifests)["static_resources"]["clusters"]:
        if cluster["type"] == "STRICT_DNS" and _trusted_names(cluster) != [_address(cluster)]:
            yield f"Envoy's cluster {cluster['name']}: must verify the name {_address(cluster)}"


def requires_client_certificates(manifests: Manifests) -> Iterator[str]:
    """The internal listener requires client certificates."""
    for listener in envoy_configuration(manifests)["static_resources"]["listeners"]:
        if listener["name"] == "internal":
            (chain,) = listener["filter_chains"]
            tls = chain.get("transport_socket", {}).get("typed_config", {})
            if not tls.get("require_client_certificate"):
                yield "Envoy's listener internal must require client certificates"


def serves_health_without_certificates(manifests: Manifests) -> Iterator[str]:
    """With mutual TLS, probes use a separate plain port, since kubelets have no certificate."""
    for workload, container, _ in processes(manifests):
        has_listener = "PARLEY_HEALTH_LISTEN" in environment(manifests, container)
        if has_listener != encrypts_inside(manifests):
            yield f"{workload.name}: must have PARLEY_HEALTH_LISTEN with mutual TLS, and only then"
        for kind in _KINDS if has_listener else ():
            probe = container.get(kind, {})
            port = (probe.get("grpc") or probe.get("httpGet") or {}).get("port")
            if port not in {"health", workload.ports.get("health")}:
                yield f"{workload.name}: {kind} uses port {port}, which requires a certificate"


def _mounted_secret(workload: Workload) -> str:
    """Returns the Secret mounted at the certificates' folder, or an empty string."""
    (container,) = workload.containers
    mounted = [m["name"] for m in container["volumeMounts"] if m["mountPath"] == str(CERTIFICATES_FOLDER)]
    secrets = [v["secret"]["secretName"] for v in workload.pod["volumes"] if v["name"] in mounted and "secret" in v]
    return "".join(secrets)


def _names(manifests: Manifests, workload: Workload) -> set[str]:
    """Returns the names that callers verify: the process's name, or the host by which processes call Envoy."""
    if workload.component != "edge":
        return {workload.name}
    return {
        target.rpartition(":")[0]
        for _, container, _ in processes(manifests)
        for variable, target in environment(manifests, container).items()
        if variable.startswith("PARLEY_") and variable.endswith("_TARGET")
    }


def _is_own_authority(manifests: Manifests, issuer: str) -> bool:
    """Whether an issuer signs with the key of a self-signed authority in these manifests."""
    manifest: Manifest = manifests.get("Issuer", issuer) or {"spec": {}}
    secret = manifest["spec"].get("ca", {}).get("secretName")
    authorities = [item["spec"] for item in manifests.of("Certificate") if item["spec"].get("isCA")]
    return any(
        authority["secretName"] == secret
        and "selfSigned" in (manifests.get("Issuer", authority["issuerRef"]["name"]) or {"spec": {}})["spec"]
        for authority in authorities
    )


def _trusted_names(cluster: dict[str, Any]) -> list[str]:
    tls = cluster.get("transport_socket", {}).get("typed_config", {}).get("common_tls_context", {})
    validation = tls.get("combined_validation_context", {}).get("default_validation_context", {})
    return [name["matcher"]["exact"] for name in validation.get("match_typed_subject_alt_names", [])]


def _address(cluster: dict[str, Any]) -> str:
    (group,) = cluster["load_assignment"]["endpoints"]
    return str(group["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["address"])


def _hours(duration: str) -> float:
    return float(duration.removesuffix("h"))
