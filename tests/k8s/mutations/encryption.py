"""Mutations of mutual TLS."""

from __future__ import annotations

from typing import Any, Final

from tests.k8s.edits import CONTAINER, POD, configure_envoy, put, remove, set_variable
from tests.k8s.mutations.mutation import Mutation, in_container, in_deployment
from tests.k8s.policies import encryption


def _remove_internal_listener(configuration: dict[str, Any]) -> None:
    listeners = configuration["static_resources"]["listeners"]
    configuration["static_resources"]["listeners"] = [
        listener for listener in listeners if listener["name"] != "internal"
    ]


def _require_no_certificate(configuration: dict[str, Any]) -> None:
    listeners = configuration["static_resources"]["listeners"]
    (chain,) = next(listener for listener in listeners if listener["name"] == "internal")["filter_chains"]
    chain["transport_socket"]["typed_config"]["require_client_certificate"] = False


def _verify_no_name(configuration: dict[str, Any]) -> None:
    clusters = configuration["static_resources"]["clusters"]
    tls = next(cluster for cluster in clusters if cluster["name"] == "chat")["transport_socket"]["typed_config"]
    del tls["common_tls_context"]["combined_validation_context"]["default_validation_context"]


MUTATIONS: Final = {
    "nothing is encrypted": Mutation(encryption.encrypts_internal_traffic, configure_envoy(_remove_internal_listener)),
    "an edited file for mutual TLS": Mutation(
        encryption.runs_the_generated_file_for_mutual_tls, configure_envoy(_verify_no_name)
    ),
    "an origin for one door only": Mutation(
        encryption.runs_the_generated_file_for_mutual_tls,
        set_variable("gateway-settings", "PARLEY_ALLOWED_ORIGINS", '["https://other.example.com"]'),
    ),
    "proxies that Envoy does not trust": Mutation(
        encryption.runs_the_generated_file_for_mutual_tls,
        set_variable("gateway-settings", "PARLEY_TRUSTED_PROXIES", "3"),
    ),
    "a configuration elsewhere": Mutation(
        encryption.runs_the_generated_file_for_mutual_tls,
        in_container("envoy", ("volumeMounts", 0, "mountPath"), "/etc/proxy"),
    ),
    "no certificate": Mutation(
        encryption.has_certificate_settings, set_variable("process-settings", "PARLEY_TLS_CERTIFICATE", None)
    ),
    "certificates without mutual TLS": Mutation(
        encryption.has_certificate_settings,
        set_variable("process-settings", "PARLEY_TLS_CA", "/etc/parley/tls/ca.crt"),
        "dev",
    ),
    "another's certificate": Mutation(
        encryption.mounts_its_own_certificate,
        in_deployment("chat", (*POD, "volumes", -1, "secret", "secretName"), "notify-tls"),
    ),
    "a certificate of another name": Mutation(
        encryption.mounts_its_own_certificate, put("Certificate", "envoy", ("spec", "dnsNames"), ["envoy"])
    ),
    "a certificate for servers only": Mutation(
        encryption.mounts_its_own_certificate, put("Certificate", "gateway", ("spec", "usages"), ["server auth"])
    ),
    "a certificate of the edge's issuer": Mutation(
        encryption.mounts_its_own_certificate, put("Certificate", "auth", ("spec", "issuerRef", "name"), "edge")
    ),
    "an authority without an issuer": Mutation(
        encryption.mounts_its_own_certificate, remove("Issuer", "internal-root")
    ),
    "a key readable by everyone": Mutation(
        encryption.restricts_key_files_to_its_group,
        in_deployment("auth", (*POD, "volumes", -1, "secret", "defaultMode"), 0o444),
    ),
    "a key for another group": Mutation(
        encryption.restricts_key_files_to_its_group, in_deployment("envoy", (*POD, "securityContext", "fsGroup"), 1)
    ),
    "renewed at the last hour": Mutation(
        encryption.renews_certificates_in_time, put("Certificate", "chat", ("spec", "renewBefore"), "1h")
    ),
    "a key that never changes": Mutation(
        encryption.renews_certificates_in_time,
        put("Certificate", "chat", ("spec", "privateKey", "rotationPolicy"), "Never"),
    ),
    "an authority with a new key": Mutation(
        encryption.keeps_the_authority_s_key,
        put("Certificate", "internal-authority", ("spec", "privateKey", "rotationPolicy"), "Always"),
    ),
    "unverified upstream names": Mutation(encryption.verifies_upstream_names, configure_envoy(_verify_no_name)),
    "callers without a certificate": Mutation(
        encryption.requires_client_certificates, configure_envoy(_require_no_certificate)
    ),
    "a probe of a port that requires a certificate": Mutation(
        encryption.serves_health_without_certificates,
        put("Deployment", "gateway", (*CONTAINER, "readinessProbe", "httpGet", "port"), "http"),
    ),
    "no port for probes": Mutation(
        encryption.serves_health_without_certificates, set_variable("process-settings", "PARLEY_HEALTH_LISTEN", None)
    ),
}
