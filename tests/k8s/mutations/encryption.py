"""What would be wrong with mutual TLS, one thing at a time."""

from __future__ import annotations

from typing import Any, Final

from tests.k8s.edits import CONTAINER, POD, configure_envoy, forget, put, tell
from tests.k8s.mutations.mutation import Mutation, in_container, in_deployment
from tests.k8s.policies import encryption


def _end_it_at_the_door(configuration: dict[str, Any]) -> None:
    listeners = configuration["static_resources"]["listeners"]
    configuration["static_resources"]["listeners"] = [found for found in listeners if found["name"] != "internal"]


def _let_everybody_in(configuration: dict[str, Any]) -> None:
    listeners = configuration["static_resources"]["listeners"]
    (chain,) = next(found for found in listeners if found["name"] == "internal")["filter_chains"]
    chain["transport_socket"]["typed_config"]["require_client_certificate"] = False


def _believe_everybody(configuration: dict[str, Any]) -> None:
    clusters = configuration["static_resources"]["clusters"]
    tls = next(found for found in clusters if found["name"] == "chat")["transport_socket"]["typed_config"]
    del tls["common_tls_context"]["combined_validation_context"]["default_validation_context"]


MUTATIONS: Final = {
    "nothing is encrypted": Mutation(encryption.encrypts_what_is_said_inside, configure_envoy(_end_it_at_the_door)),
    "a file of its own for mutual TLS": Mutation(
        encryption.runs_the_file_made_for_mutual_tls, configure_envoy(_believe_everybody)
    ),
    "a configuration elsewhere": Mutation(
        encryption.runs_the_file_made_for_mutual_tls,
        in_container("envoy", ("volumeMounts", 0, "mountPath"), "/etc/proxy"),
    ),
    "no certificate": Mutation(
        encryption.is_told_where_its_certificates_are, tell("process-settings", "PARLEY_TLS_CERTIFICATE", None)
    ),
    "certificates though nobody asks": Mutation(
        encryption.is_told_where_its_certificates_are,
        tell("process-settings", "PARLEY_TLS_CA", "/etc/parley/tls/ca.crt"),
        "dev",
    ),
    "another's certificate": Mutation(
        encryption.shows_a_certificate_of_its_own,
        in_deployment("chat", (*POD, "volumes", -1, "secret", "secretName"), "notify-tls"),
    ),
    "a certificate of another name": Mutation(
        encryption.shows_a_certificate_of_its_own, put("Certificate", "envoy", ("spec", "dnsNames"), ["envoy"])
    ),
    "a certificate for servers alone": Mutation(
        encryption.shows_a_certificate_of_its_own, put("Certificate", "gateway", ("spec", "usages"), ["server auth"])
    ),
    "a certificate of the edge's issuer": Mutation(
        encryption.shows_a_certificate_of_its_own, put("Certificate", "auth", ("spec", "issuerRef", "name"), "edge")
    ),
    "an authority of nobody": Mutation(encryption.shows_a_certificate_of_its_own, forget("Issuer", "internal-root")),
    "a key for everybody": Mutation(
        encryption.keeps_its_key_to_its_group,
        in_deployment("auth", (*POD, "volumes", -1, "secret", "defaultMode"), 0o444),
    ),
    "a key for another group": Mutation(
        encryption.keeps_its_key_to_its_group, in_deployment("envoy", (*POD, "securityContext", "fsGroup"), 1)
    ),
    "renewed at the last hour": Mutation(
        encryption.renews_certificates_in_time, put("Certificate", "chat", ("spec", "renewBefore"), "1h")
    ),
    "the same key for ever": Mutation(
        encryption.renews_certificates_in_time,
        put("Certificate", "chat", ("spec", "privateKey", "rotationPolicy"), "Never"),
    ),
    "an authority with a new key": Mutation(
        encryption.keeps_the_authority_s_key,
        put("Certificate", "internal-authority", ("spec", "privateKey", "rotationPolicy"), "Always"),
    ),
    "any process will do": Mutation(
        encryption.looks_for_the_name_of_whom_it_calls, configure_envoy(_believe_everybody)
    ),
    "who has no certificate comes in": Mutation(
        encryption.lets_in_who_shows_a_certificate, configure_envoy(_let_everybody_in)
    ),
    "a probe where a certificate is wanted": Mutation(
        encryption.tells_health_to_who_has_no_certificate,
        put("Deployment", "gateway", (*CONTAINER, "readinessProbe", "httpGet", "port"), "http"),
    ),
    "no port for probes": Mutation(
        encryption.tells_health_to_who_has_no_certificate, tell("process-settings", "PARLEY_HEALTH_LISTEN", None)
    ),
}
