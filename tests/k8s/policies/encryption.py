"""Mutual TLS inside: on everywhere or nowhere, with certificates that name their holders and are renewed in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from deploy.envoy_edit import CONFIG
from deploy.tls.envoy import CERTIFICATES_FOLDER, CONFIGURATION_FOLDER, secret_files, with_mutual_tls
from tests.k8s.environment import environment, processes, setting
from tests.k8s.manifests import Manifest, Manifests, Workload
from tests.k8s.rendering import encrypts_inside, envoy_configuration

_FILES: Final = {"tls_certificate": "tls.crt", "tls_key": "tls.key", "tls_ca": "ca.crt"}
_USAGES: Final = {"server auth", "client auth"}
_KINDS: Final = ("startupProbe", "livenessProbe", "readinessProbe")
_LEAST_HOURS_TO_RENEW: Final = 120


def encrypts_what_is_said_inside(manifests: Manifests) -> Iterator[str]:
    """Between Envoy and every process."""
    if not encrypts_inside(manifests):
        yield "Envoy has no listener for mutual TLS"


def runs_the_file_made_for_mutual_tls(manifests: Manifests) -> Iterator[str]:
    """Of the one that is written by hand, with what tells Envoy where its certificates are, where it looks for that."""
    if not encrypts_inside(manifests):
        return
    wanted = {CONFIG.name: with_mutual_tls(CONFIG.read_text()), **secret_files()}
    found = [item["data"] for item in manifests.of("ConfigMap") if CONFIG.name in item.get("data", {})]
    if found != [wanted]:
        yield "Envoy's ConfigMap is not what `make reference` generates"
    for workload in manifests.workloads("edge"):
        if str(CONFIGURATION_FOLDER) not in {m["mountPath"] for c in workload.containers for m in c["volumeMounts"]}:
            yield f"{workload.name}: does not mount its configuration at {CONFIGURATION_FOLDER}"


def is_told_where_its_certificates_are(manifests: Manifests) -> Iterator[str]:
    """All three files, where the pod mounts them; without mutual TLS, none."""
    encrypted = encrypts_inside(manifests)
    for workload, container, settings in processes(manifests):
        for name, file in _FILES.items():
            wanted = CERTIFICATES_FOLDER / file if encrypted else None
            told = setting(manifests, container, settings, name)
            if (PurePath(told) if told else None) != wanted:
                yield f"{workload.name}: PARLEY_{name.upper()} is {told}, and must be {wanted}"


def shows_a_certificate_of_its_own(manifests: Manifests) -> Iterator[str]:
    """A Secret that a Certificate keeps, with the name that others look for, to show to callers and when calling."""
    if not encrypts_inside(manifests):
        return
    certificates = {item["spec"]["secretName"]: item["spec"] for item in manifests.of("Certificate")}
    for workload in manifests.workloads("service", "gateway", "edge"):
        certificate = certificates.get(_mounted_secret(workload), {"dnsNames": [], "issuerRef": {"name": ""}})
        if set(certificate["dnsNames"]) != _names(manifests, workload):
            yield f"{workload.name}: mounts no certificate at {CERTIFICATES_FOLDER} that names it, and it alone"
        elif _USAGES - set(certificate.get("usages", [])):
            yield f"{workload.name}: its certificate is not for servers and clients"
        elif not _is_of_our_own_authority(manifests, certificate["issuerRef"]["name"]):
            yield f"{workload.name}: its certificate is not of this namespace's authority"


def keeps_its_key_to_its_group(manifests: Manifests) -> Iterator[str]:
    """Files of Secrets are readable by all of a pod's users unless it says otherwise."""
    for workload in manifests.workloads("service", "gateway", "edge"):
        for volume in workload.pod.get("volumes", []):
            if "secret" not in volume:
                continue
            group = workload.pod["securityContext"].get("fsGroup")
            if volume["secret"].get("defaultMode") != 0o440 or group != workload.pod["securityContext"]["runAsGroup"]:
                yield f"{workload.name}: volume {volume['name']} must be readable by the process's group alone"


def renews_certificates_in_time(manifests: Manifests) -> Iterator[str]:
    """Days before they end, so that somebody can do something when it fails; each time with a new key."""
    for item in manifests.of("Certificate"):
        spec, name = item["spec"], item["metadata"]["name"]
        if _is_of_our_own_authority(manifests, spec["issuerRef"]["name"]):
            if not _LEAST_HOURS_TO_RENEW <= _hours(spec["renewBefore"]) <= _hours(spec["duration"]) / 2:
                yield f"Certificate {name}: is renewed {spec['renewBefore']} before it ends"
            if spec["privateKey"]["rotationPolicy"] != "Always":
                yield f"Certificate {name}: keeps its key"


def keeps_the_authority_s_key(manifests: Manifests) -> Iterator[str]:
    """Or certificates of before and after its renewal would not be believed by each other's holders."""
    for item in manifests.of("Certificate"):
        if item["spec"].get("isCA") and item["spec"]["privateKey"]["rotationPolicy"] != "Never":
            yield f"Certificate {item['metadata']['name']}: must keep its key"


def looks_for_the_name_of_whom_it_calls(manifests: Manifests) -> Iterator[str]:
    """Envoy believes no process that shows another's certificate."""
    if not encrypts_inside(manifests):
        return
    for cluster in envoy_configuration(manifests)["static_resources"]["clusters"]:
        if cluster["type"] == "STRICT_DNS" and _trusted_names(cluster) != [_address(cluster)]:
            yield f"Envoy's cluster {cluster['name']}: must look for the name {_address(cluster)}"


def lets_in_who_shows_a_certificate(manifests: Manifests) -> Iterator[str]:
    """Where processes call each other."""
    for listener in envoy_configuration(manifests)["static_resources"]["listeners"]:
        if listener["name"] == "internal":
            (chain,) = listener["filter_chains"]
            tls = chain.get("transport_socket", {}).get("typed_config", {})
            if not tls.get("require_client_certificate"):
                yield "Envoy's listener internal: must want certificates"


def tells_health_to_who_has_no_certificate(manifests: Manifests) -> Iterator[str]:
    """Kubelets have none: with mutual TLS, probes ask at a port that is for nothing else."""
    for workload, container, _ in processes(manifests):
        told = "PARLEY_HEALTH_LISTEN" in environment(manifests, container)
        if told != encrypts_inside(manifests):
            yield f"{workload.name}: must be told PARLEY_HEALTH_LISTEN with mutual TLS, and without it not"
        for kind in _KINDS if told else ():
            probe = container.get(kind, {})
            port = (probe.get("grpc") or probe.get("httpGet") or {}).get("port")
            if port not in {"health", workload.ports.get("health")}:
                yield f"{workload.name}: {kind} asks port {port}, which wants a certificate"


def _mounted_secret(workload: Workload) -> str:
    """The Secret that is mounted where certificates belong; nothing if none is."""
    (container,) = workload.containers
    mounted = [m["name"] for m in container["volumeMounts"] if m["mountPath"] == str(CERTIFICATES_FOLDER)]
    secrets = [v["secret"]["secretName"] for v in workload.pod["volumes"] if v["name"] in mounted and "secret" in v]
    return "".join(secrets)


def _names(manifests: Manifests, workload: Workload) -> set[str]:
    """What others look for: Envoy looks for a process's name, processes for the host of what they call."""
    if workload.component != "edge":
        return {workload.name}
    return {
        target.rpartition(":")[0]
        for _, container, _ in processes(manifests)
        for variable, target in environment(manifests, container).items()
        if variable.startswith("PARLEY_") and variable.endswith("_TARGET")
    }


def _is_of_our_own_authority(manifests: Manifests, issuer: str) -> bool:
    """Whether an issuer signs with what a Certificate here keeps, which is an authority's."""
    found: Manifest = manifests.get("Issuer", issuer) or {"spec": {}}
    secret = found["spec"].get("ca", {}).get("secretName")
    authorities = [item["spec"] for item in manifests.of("Certificate") if item["spec"].get("isCA")]
    return any(
        authority["secretName"] == secret
        and "selfSigned" in (manifests.get("Issuer", authority["issuerRef"]["name"]) or {"spec": {}})["spec"]
        for authority in authorities
    )


def _trusted_names(cluster: dict[str, Any]) -> list[str]:
    tls = cluster.get("transport_socket", {}).get("typed_config", {}).get("common_tls_context", {})
    validation = tls.get("combined_validation_context", {}).get("default_validation_context", {})
    return [found["matcher"]["exact"] for found in validation.get("match_typed_subject_alt_names", [])]


def _address(cluster: dict[str, Any]) -> str:
    (group,) = cluster["load_assignment"]["endpoints"]
    return str(group["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["address"])


def _hours(duration: str) -> float:
    return float(duration.removesuffix("h"))
