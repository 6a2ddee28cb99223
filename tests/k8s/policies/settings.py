"""The processes' settings: complete, known, valid, and secret where they must be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from chassis.process.settings import ProcessSettings
from tests.k8s.environment import (
    MissingReferenceError,
    environment,
    known_variables,
    processes,
    required_variables,
    setting,
)
from tests.k8s.manifests import Manifest, Manifests
from tests.k8s.reachability import peers, rules

_HASHED: Final = re.compile(r".+-[bcdfghkmt0-9]{10}")
_ADDRESSES_WITH_PASSWORDS: Final = {"PARLEY_MONGODB_URI", "PARLEY_REDIS_URL"}
_PROGRAMS: Final = {"service": "services.{}", "gateway": "gateway"}


def runs_the_program_of_its_name(manifests: Manifests) -> Iterator[str]:
    """Each Deployment runs the program of its name."""
    running = {workload.name: container["args"] for workload, container, _ in processes(manifests)}
    for workload in manifests.workloads(*_PROGRAMS):
        expected = [_PROGRAMS[workload.component].format(workload.name)]
        if running.get(workload.name) != expected:
            yield f"{workload.name}: must run {expected[0]}"


def refers_to_existing_sources(manifests: Manifests) -> Iterator[str]:
    """Containers refer only to the overlay's ConfigMaps and to Secrets that keys.py generates."""
    for workload, container, _ in processes(manifests):
        try:
            environment(manifests, container)
        except MissingReferenceError as error:
            yield f"{workload.name}: {error}"


def is_rolled_out_when_its_configuration_changes(manifests: Manifests) -> Iterator[str]:
    """ConfigMaps have a content hash in their names, so that a change rolls out the pods."""
    for workload in manifests.workloads():
        names = [source["configMapRef"]["name"] for source in _sources(workload.containers, "configMapRef")]
        names += [v["configMap"]["name"] for v in workload.pod.get("volumes", []) if "configMap" in v]
        for name in names:
            if not _HASHED.fullmatch(name):
                yield f"{workload.name}: the name of ConfigMap {name} has no content hash"


def has_only_known_settings(manifests: Manifests) -> Iterator[str]:
    """All variables are settings of the process: a misspelt one would be ignored silently."""
    for workload, container, settings in processes(manifests):
        unknown = _parley_variables(manifests, container).keys() - known_variables(settings)
        for name in sorted(unknown):
            yield f"{workload.name}: {name} is not a setting of {settings.__module__}"


def has_all_required_settings(manifests: Manifests) -> Iterator[str]:
    """All required settings are present."""
    for workload, container, settings in processes(manifests):
        missing = required_variables(settings) - _parley_variables(manifests, container).keys()
        for name in sorted(missing):
            yield f"{workload.name}: {name} is missing"


def has_valid_settings(manifests: Manifests) -> Iterator[str]:
    """The process's settings class accepts the values."""
    for workload, container, settings in processes(manifests):
        with _environment(_parley_variables(manifests, container)):
            try:
                settings()
            except ValidationError as error:
                for problem in error.errors():
                    yield f"{workload.name}: {problem['loc']}: {problem['msg']}"


def is_named_after_its_pod(manifests: Manifests) -> Iterator[str]:
    """A replica's name is its pod's, and so unique: others take over a dead replica's work by its name."""
    for workload, container, _ in processes(manifests):
        wanted = {"name": "PARLEY_REPLICA", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
        variables = [_without_version(v) for v in container.get("env", []) if v["name"] == "PARLEY_REPLICA"]
        if variables != [wanted]:
            yield f"{workload.name}: PARLEY_REPLICA must be the pod's name"


def presents_its_own_service_name(manifests: Manifests) -> Iterator[str]:
    """A process presents its own name to auth, which rejects another service's secret."""
    for workload, container, settings in processes(manifests):
        if (name := setting(manifests, container, settings, "service_name")) != workload.name:
            yield f"{workload.name}: presents itself as {name}"


def has_secrets_by_reference(manifests: Manifests) -> Iterator[str]:
    """The manifests contain no Secrets, and secret settings come by reference."""
    for secret in manifests.of("Secret"):
        yield f"Secret {secret['metadata']['name']} is in the manifests"
    for workload, container, settings in processes(manifests):
        secret_names = _secret_variables(settings)
        plain = {v["name"] for v in container.get("env", []) if "secretKeyRef" not in v.get("valueFrom", {})}
        for source in _sources([container], "configMapRef"):
            config_map = manifests.get("ConfigMap", source["configMapRef"]["name"])
            plain |= (config_map or {}).get("data", {}).keys()
        for name in sorted(secret_names & plain):
            yield f"{workload.name}: {name} must come from a Secret"


def reaches_only_its_collector(manifests: Manifests) -> Iterator[str]:
    """Processes with a trace collector can reach it, and no others can."""
    for workload, container, settings in processes(manifests):
        endpoint = urlsplit(str(setting(manifests, container, settings, "otlp_endpoint") or ""))
        namespace = endpoint.hostname.split(".")[1] if endpoint.hostname else None
        wanted = {(namespace, endpoint.port)} if namespace else set()
        allowed = {
            (peer["namespaceSelector"].get("matchLabels", {}).get("kubernetes.io/metadata.name"), port.get("port"))
            for rule in rules(manifests, workload, "Egress")
            for peer in peers(rule, "Egress")
            if "namespaceSelector" in peer
            for port in rule.get("ports", [])
            if port.get("port") in {4317, endpoint.port}
        }
        if allowed != wanted:
            yield f"{workload.name}: sends traces to {sorted(wanted)}, but may reach {sorted(allowed)}"


def agrees_on_the_shards_of_chat_s_log(manifests: Manifests) -> Iterator[str]:
    """Chat and notify agree on the number of event shards: notify reads the streams that chat writes."""
    shards = {
        workload.name: int(setting(manifests, container, settings, "event_shards"))
        for workload, container, settings in processes(manifests)
        if workload.name in {"chat", "notify"}
    }
    if len(set(shards.values())) != 1:
        yield f"PARLEY_EVENT_SHARDS differs: {shards}"


def _sources(containers: list[Manifest], kind: str) -> list[Manifest]:
    return [source for container in containers for source in container.get("envFrom", []) if kind in source]


def _parley_variables(manifests: Manifests, container: Manifest) -> dict[str, str]:
    try:
        variables = environment(manifests, container)
    except MissingReferenceError:  # another policy reports it
        return {}
    return {name: value for name, value in variables.items() if name.startswith("PARLEY_")}


def _secret_variables(settings: type[ProcessSettings]) -> set[str]:
    names = {
        f"PARLEY_{name.upper()}"
        for name, field in settings.model_fields.items()
        if field.annotation is SecretStr or name == "service_credentials"
    }
    return names | _ADDRESSES_WITH_PASSWORDS


def _without_version(variable: Manifest) -> Manifest:
    reference = dict(variable.get("valueFrom", {}).get("fieldRef", {}))
    reference.pop("apiVersion", None)
    return {**variable, "valueFrom": {"fieldRef": reference}} if reference else variable


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Replaces all PARLEY_ variables of this process's environment."""
    before = {name: value for name, value in os.environ.items() if name.startswith("PARLEY_")}
    for name in before:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)
