"""What would be wrong with pods and with what they are told, one thing at a time."""

from __future__ import annotations

from typing import Final

from tests.k8s.edits import CONTAINER, POD, add, drop, forget, put, tell
from tests.k8s.mutations.mutation import Mutation, in_container, in_deployment
from tests.k8s.policies import pods, settings

_SECRET: Final = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chat-credentials"}, "stringData": {}}

MUTATIONS: Final = {
    "as root": Mutation(
        pods.runs_as_an_unprivileged_user, in_deployment("chat", (*POD, "securityContext", "runAsUser"), 0)
    ),
    "maybe root": Mutation(
        pods.runs_as_an_unprivileged_user, drop("Deployment", "envoy", (*POD, "securityContext", "runAsNonRoot"))
    ),
    "any system call": Mutation(
        pods.has_the_runtime_s_seccomp_profile,
        in_deployment("auth", (*POD, "securityContext", "seccompProfile"), {"type": "Unconfined"}),
    ),
    "a capability": Mutation(
        pods.has_no_capabilities,
        in_container("envoy", ("securityContext", "capabilities"), {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    ),
    "capabilities kept": Mutation(
        pods.has_no_capabilities, in_container("envoy", ("securityContext", "capabilities"), {})
    ),
    "escalation": Mutation(
        pods.cannot_gain_privileges,
        drop("Deployment", "chat", (*CONTAINER, "securityContext", "allowPrivilegeEscalation")),
    ),
    "privileged": Mutation(pods.cannot_gain_privileges, in_container("chat", ("securityContext", "privileged"), True)),
    "a writable root": Mutation(
        pods.writes_to_volumes_alone, in_container("gateway", ("securityContext", "readOnlyRootFilesystem"), False)
    ),
    "the host's network": Mutation(
        pods.shares_nothing_with_its_node, in_deployment("envoy", (*POD, "hostNetwork"), True)
    ),
    "the host's files": Mutation(
        pods.shares_nothing_with_its_node,
        in_deployment("chat", (*POD, "volumes"), [{"name": "docker", "hostPath": {"path": "/var/run"}}]),
    ),
    "the host's port": Mutation(pods.shares_nothing_with_its_node, in_container("envoy", ("ports", 0, "hostPort"), 80)),
    "an API token in the pod": Mutation(
        pods.cannot_ask_the_cluster_s_api, in_deployment("chat", (*POD, "automountServiceAccountToken"), True)
    ),
    "an API token in the account": Mutation(
        pods.cannot_ask_the_cluster_s_api, drop("ServiceAccount", "chat", ("automountServiceAccountToken",))
    ),
    "another's account": Mutation(
        pods.cannot_ask_the_cluster_s_api, in_deployment("chat", (*POD, "serviceAccountName"), "auth")
    ),
    "no account": Mutation(pods.cannot_ask_the_cluster_s_api, forget("ServiceAccount", "chat")),
    "service links": Mutation(
        pods.is_told_nothing_that_nobody_wrote, drop("Deployment", "chat", (*POD, "enableServiceLinks"))
    ),
    "no memory limit": Mutation(
        pods.has_requests_and_limits, drop("Deployment", "notify", (*CONTAINER, "resources", "limits", "memory"))
    ),
    "no requests": Mutation(
        pods.has_requests_and_limits, drop("Deployment", "notify", (*CONTAINER, "resources", "requests"))
    ),
    "an image without a tag": Mutation(
        pods.runs_a_named_version, in_container("chat", ("image",), "registry.example.com:5000/parley")
    ),
    "the latest image": Mutation(pods.runs_a_named_version, in_container("chat", ("image",), "parley:latest")),
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
    "a Secret that nobody makes": Mutation(
        settings.refers_to_what_is_there,
        in_container("chat", ("env", 1, "valueFrom", "secretKeyRef", "name"), "mongodb"),
    ),
    "a key that a Secret has not": Mutation(
        settings.refers_to_what_is_there, in_container("chat", ("env", 1, "valueFrom", "secretKeyRef", "key"), "uri")
    ),
    "a ConfigMap that there is not": Mutation(
        settings.refers_to_what_is_there, in_container("chat", ("envFrom", 0, "configMapRef", "name"), "settings")
    ),
    "a ConfigMap without a digest": Mutation(
        settings.is_rolled_out_when_its_configuration_changes,
        in_deployment("envoy", (*POD, "volumes", 0, "configMap", "name"), "envoy"),
    ),
    "a misspelt variable": Mutation(settings.is_told_what_it_knows, tell("chat-settings", "PARLEY_COMMIT_WRITER", "4")),
    "another's variable": Mutation(settings.is_told_what_it_knows, tell("auth-settings", "PARLEY_COALESCE_MS", "1")),
    "a missing variable": Mutation(
        settings.is_told_what_it_needs, tell("gateway-settings", "PARLEY_CHAT_TARGET", None)
    ),
    "a missing secret": Mutation(
        settings.is_told_what_it_needs, in_container("auth", ("envFrom", 3, "secretRef", "name"), "chat-credentials")
    ),
    "a bad value": Mutation(settings.is_told_valid_values, tell("process-settings", "PARLEY_LOG_LEVEL", "verbose")),
    "a notice too long": Mutation(
        settings.is_told_valid_values, tell("service-settings", "PARLEY_SHUTDOWN_DELAY_SECONDS", "600")
    ),
    "one name for all replicas": Mutation(
        settings.is_named_after_its_pod, in_container("chat", ("env", 0), {"name": "PARLEY_REPLICA", "value": "chat"})
    ),
    "no name": Mutation(settings.is_named_after_its_pod, drop("Deployment", "chat", (*CONTAINER, "env", 0))),
    "another's service name": Mutation(
        settings.shows_the_name_that_auth_knows, tell("notify-settings", "PARLEY_SERVICE_NAME", "chat")
    ),
    "a Secret among the manifests": Mutation(settings.has_secrets_by_reference, add(_SECRET)),
    "a secret in a ConfigMap": Mutation(
        settings.has_secrets_by_reference, tell("chat-settings", "PARLEY_SERVICE_SECRET", "c2VjcmV0")
    ),
    "a password in a Deployment": Mutation(
        settings.has_secrets_by_reference,
        in_container("chat", ("env", 1), {"name": "PARLEY_MONGODB_URI", "value": "mongodb://chat:secret@mongodb"}),
    ),
    "a collector that it may not reach": Mutation(settings.reaches_its_collector, forget("NetworkPolicy", "traces")),
    "traces that go elsewhere": Mutation(
        settings.reaches_its_collector, tell("process-settings", "PARLEY_OTLP_ENDPOINT", "http://otel.default.svc:4317")
    ),
    "shards that differ": Mutation(
        settings.agrees_on_the_shards_of_chat_s_log, tell("notify-settings", "PARLEY_EVENT_SHARDS", "8")
    ),
}
