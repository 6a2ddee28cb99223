"""Processes that are told all that they need, and nothing that they would not understand."""

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
_OUR_PROGRAMS: Final = {"service": "services.{}", "gateway": "gateway"}


def runs_the_program_of_its_name(manifests: Manifests) -> Iterator[str]:
    """A Deployment of a name runs what has that name."""
    running = {workload.name: container["args"] for workload, container, _ in processes(manifests)}
    for workload in manifests.workloads(*_OUR_PROGRAMS):
        expected = [_OUR_PROGRAMS[workload.component].format(workload.name)]
        if running.get(workload.name) != expected:
            yield f"{workload.name}: must run {expected[0]}"


def refers_to_what_is_there(manifests: Manifests) -> Iterator[str]:
    """ConfigMaps of the overlay, and Secrets that keys.py makes."""
    for workload, container, _ in processes(manifests):
        try:
            environment(manifests, container)
        except MissingReferenceError as error:
            yield f"{workload.name}: {error}"


def is_rolled_out_when_its_configuration_changes(manifests: Manifests) -> Iterator[str]:
    """The names of ConfigMaps end in a digest of what is in them."""
    for workload in manifests.workloads():
        names = [source["configMapRef"]["name"] for source in _sources(workload.containers, "configMapRef")]
        names += [v["configMap"]["name"] for v in workload.pod.get("volumes", []) if "configMap" in v]
        for name in names:
            if not _HASHED.fullmatch(name):
                yield f"{workload.name}: the name of ConfigMap {name} has no digest"


def is_told_what_it_knows(manifests: Manifests) -> Iterator[str]:
    """A misspelt variable would be passed over in silence."""
    for workload, container, settings in processes(manifests):
        unknown = _told(manifests, container).keys() - known_variables(settings)
        for name in sorted(unknown):
            yield f"{workload.name}: {name} is no setting of {settings.__module__}"


def is_told_what_it_needs(manifests: Manifests) -> Iterator[str]:
    """Without these it would not start."""
    for workload, container, settings in processes(manifests):
        missing = required_variables(settings) - _told(manifests, container).keys()
        for name in sorted(missing):
            yield f"{workload.name}: {name} is missing"


def is_told_valid_values(manifests: Manifests) -> Iterator[str]:
    """The process's own class reads them."""
    for workload, container, settings in processes(manifests):
        with _environment(_told(manifests, container)):
            try:
                settings()
            except ValidationError as error:
                for problem in error.errors():
                    yield f"{workload.name}: {problem['loc']}: {problem['msg']}"


def is_named_after_its_pod(manifests: Manifests) -> Iterator[str]:
    """A replica's name must be its own: what a dead one left is taken over by its name."""
    for workload, container, _ in processes(manifests):
        wanted = {"name": "PARLEY_REPLICA", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
        named = [_without_version(v) for v in container.get("env", []) if v["name"] == "PARLEY_REPLICA"]
        if named != [wanted]:
            yield f"{workload.name}: PARLEY_REPLICA must be the pod's name"


def shows_the_name_that_auth_knows(manifests: Manifests) -> Iterator[str]:
    """The secret of one service with the name of another is refused."""
    for workload, container, settings in processes(manifests):
        if (shown := setting(manifests, container, settings, "service_name")) != workload.name:
            yield f"{workload.name}: shows itself as {shown}"


def has_secrets_by_reference(manifests: Manifests) -> Iterator[str]:
    """No Secret is among the manifests, and nothing secret stands in what is."""
    for secret in manifests.of("Secret"):
        yield f"Secret {secret['metadata']['name']} stands in the manifests"
    for workload, container, settings in processes(manifests):
        secret_ones = _secret_variables(settings)
        plain = {v["name"] for v in container.get("env", []) if "secretKeyRef" not in v.get("valueFrom", {})}
        for source in _sources([container], "configMapRef"):
            config_map = manifests.get("ConfigMap", source["configMapRef"]["name"])
            plain |= (config_map or {}).get("data", {}).keys()
        for name in sorted(secret_ones & plain):
            yield f"{workload.name}: {name} must come from a Secret"


def reaches_its_collector(manifests: Manifests) -> Iterator[str]:
    """Who is told where traces go may send them there, and nobody else may."""
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
            yield f"{workload.name}: sends traces to {sorted(wanted)}, and may reach {sorted(allowed)}"


def agrees_on_the_shards_of_chat_s_log(manifests: Manifests) -> Iterator[str]:
    """Notify reads the streams that chat writes."""
    shards = {
        workload.name: int(setting(manifests, container, settings, "event_shards"))
        for workload, container, settings in processes(manifests)
        if workload.name in {"chat", "notify"}
    }
    if len(set(shards.values())) != 1:
        yield f"PARLEY_EVENT_SHARDS differs: {shards}"


def _sources(containers: list[Manifest], kind: str) -> list[Manifest]:
    return [source for container in containers for source in container.get("envFrom", []) if kind in source]


def _told(manifests: Manifests, container: Manifest) -> dict[str, str]:
    try:
        told = environment(manifests, container)
    except MissingReferenceError:  # which another policy tells
        return {}
    return {name: value for name, value in told.items() if name.startswith("PARLEY_")}


def _secret_variables(settings: type[ProcessSettings]) -> set[str]:
    secret = {
        f"PARLEY_{name.upper()}"
        for name, field in settings.model_fields.items()
        if field.annotation is SecretStr or name == "service_credentials"
    }
    return secret | _ADDRESSES_WITH_PASSWORDS


def _without_version(variable: Manifest) -> Manifest:
    reference = dict(variable.get("valueFrom", {}).get("fieldRef", {}))
    reference.pop("apiVersion", None)
    return {**variable, "valueFrom": {"fieldRef": reference}} if reference else variable


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Our own environment, in which these are the only PARLEY_ variables."""
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
