"""Mutations of pods and their settings."""

from __future__ import annotations

from typing import Final

from tests.k8s.edits import CONTAINER, POD, add, drop, put, remove, set_variable
from tests.k8s.mutations.mutation import Mutation, in_container, in_deployment
from tests.k8s.policies import pods, settings

_SECRET: Final = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chat-credentials"}, "stringData": {}}

MUTATIONS: Final = {
    "possibly root": Mutation(
        pods.declares_an_unprivileged_user_and_group,
        drop("Deployment", "envoy", (*POD, "securityContext", "runAsNonRoot")),
    ),
    "root's group": Mutation(
        pods.declares_an_unprivileged_user_and_group,
        in_deployment("chat", (*POD, "securityContext", "runAsGroup"), 0),
    ),
    "the host's files": Mutation(
        pods.mounts_no_host_path,
        in_deployment("chat", (*POD, "volumes"), [{"name": "run", "hostPath": {"path": "/var/run"}}]),
    ),
    "an API token in the account": Mutation(
        pods.has_its_own_service_account, drop("ServiceAccount", "chat", ("automountServiceAccountToken",))
    ),
    "another's account": Mutation(
        pods.has_its_own_service_account, in_deployment("chat", (*POD, "serviceAccountName"), "auth")
    ),
    "no account": Mutation(pods.has_its_own_service_account, remove("ServiceAccount", "chat")),
    "service links": Mutation(pods.has_no_service_links, drop("Deployment", "chat", (*POD, "enableServiceLinks"))),
    "an open namespace": Mutation(
        pods.lives_in_a_restricted_namespace,
        put("Namespace", "parley-staging", ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "baseline"),
    ),
    "another namespace": Mutation(
        pods.lives_in_a_restricted_namespace, put("Service", "chat", ("metadata", "namespace"), "default")
    ),
    "another program": Mutation(
        settings.runs_the_program_of_its_name, in_container("presence", ("args",), ["services.chat"])
    ),
    "no program": Mutation(settings.runs_the_program_of_its_name, drop("Deployment", "presence", (*CONTAINER, "args"))),
    "an unknown Secret": Mutation(
        settings.refers_to_existing_sources,
        in_container("chat", ("env", 1, "valueFrom", "secretKeyRef", "name"), "mongodb"),
    ),
    "an unknown key of a Secret": Mutation(
        settings.refers_to_existing_sources, in_container("chat", ("env", 1, "valueFrom", "secretKeyRef", "key"), "uri")
    ),
    "an unknown ConfigMap": Mutation(
        settings.refers_to_existing_sources, in_container("chat", ("envFrom", 0, "configMapRef", "name"), "settings")
    ),
    "a ConfigMap without a content hash": Mutation(
        settings.is_rolled_out_when_its_configuration_changes,
        in_deployment("envoy", (*POD, "volumes", 0, "configMap", "name"), "envoy"),
    ),
    "a misspelt variable": Mutation(
        settings.has_only_known_settings, set_variable("chat-settings", "PARLEY_COMMIT_WRITER", "4")
    ),
    "another's variable": Mutation(
        settings.has_only_known_settings, set_variable("auth-settings", "PARLEY_COALESCE_MS", "1")
    ),
    "a missing variable": Mutation(
        settings.has_all_required_settings, set_variable("gateway-settings", "PARLEY_CHAT_TARGET", None)
    ),
    "a missing secret": Mutation(
        settings.has_all_required_settings,
        in_container("auth", ("envFrom", 3, "secretRef", "name"), "chat-credentials"),
    ),
    "a bad value": Mutation(
        settings.has_valid_settings, set_variable("process-settings", "PARLEY_LOG_LEVEL", "verbose")
    ),
    "a shutdown delay too long": Mutation(
        settings.has_valid_settings, set_variable("service-settings", "PARLEY_SHUTDOWN_DELAY_SECONDS", "600")
    ),
    "one name for all replicas": Mutation(
        settings.is_named_after_its_pod, in_container("chat", ("env", 0), {"name": "PARLEY_REPLICA", "value": "chat"})
    ),
    "no name": Mutation(settings.is_named_after_its_pod, drop("Deployment", "chat", (*CONTAINER, "env", 0))),
    "another's service name": Mutation(
        settings.presents_its_own_service_name, set_variable("notify-settings", "PARLEY_SERVICE_NAME", "chat")
    ),
    "a Secret among the manifests": Mutation(settings.has_secrets_by_reference, add(_SECRET)),
    "a secret in a ConfigMap": Mutation(
        settings.has_secrets_by_reference, set_variable("chat-settings", "PARLEY_SERVICE_SECRET", "c2VjcmV0")
    ),
    "a password in a Deployment": Mutation(
        settings.has_secrets_by_reference,
        in_container("chat", ("env", 1), {"name": "PARLEY_MONGODB_URI", "value": "mongodb://chat:secret@mongodb"}),
    ),
    "an unreachable collector": Mutation(settings.reaches_only_its_collector, remove("NetworkPolicy", "traces")),
    "traces that go elsewhere": Mutation(
        settings.reaches_only_its_collector,
        set_variable("process-settings", "PARLEY_OTLP_ENDPOINT", "http://otel.default.svc:4317"),
    ),
    "different event shards": Mutation(
        settings.agrees_on_the_shards_of_chat_s_log, set_variable("notify-settings", "PARLEY_EVENT_SHARDS", "8")
    ),
}
