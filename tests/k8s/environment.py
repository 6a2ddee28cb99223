"""The environment of Parley's containers, resolved as the kubelet does, with the Secrets that keys.py generates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from chassis.process.settings import ProcessSettings
from deploy.k8s import keys
from gateway.settings import Settings as GatewaySettings
from services.auth.settings import Settings as AuthSettings
from services.chat.settings import Settings as ChatSettings
from services.notify.settings import Settings as NotifySettings
from services.presence.settings import Settings as PresenceSettings
from tests.k8s.manifests import Manifest, Manifests, Workload

SETTINGS: Final[Mapping[str, type[ProcessSettings]]] = {
    "services.auth": AuthSettings,
    "services.chat": ChatSettings,
    "services.presence": PresenceSettings,
    "services.notify": NotifySettings,
    "gateway": GatewaySettings,
}
"""The settings class by the program that a container runs."""

POD_NAME: Final = "chat-5d4f8c7b9d-x2x7k"
_PREFIX: Final = "PARLEY_"


class MissingReferenceError(Exception):
    """A referenced ConfigMap, Secret or key does not exist."""


@cache
def generated_secrets() -> Mapping[str, Mapping[str, str]]:
    """Returns the Secrets that keys.py generates, by name."""
    secrets = keys.manifests("mongodb://mongodb-0.mongodb:27017/?replicaSet=parley", "redis://valkey:6379/0")
    return {item["metadata"]["name"]: item["stringData"] for item in secrets["items"]}


def processes(manifests: Manifests) -> Iterator[tuple[Workload, Manifest, type[ProcessSettings]]]:
    """Yields each container that runs a Parley program, with its settings class."""
    for workload in manifests.workloads():
        for container in workload.containers:
            program = next(iter(container.get("args", [])), "")
            if program in SETTINGS and "command" not in container:
                yield workload, container, SETTINGS[program]


def known_variables(settings: type[ProcessSettings]) -> set[str]:
    """Returns the variables that a settings class reads."""
    return {_PREFIX + name.upper() for name in settings.model_fields}


def required_variables(settings: type[ProcessSettings]) -> set[str]:
    """Returns the variables that a settings class requires."""
    return {_PREFIX + name.upper() for name, field in settings.model_fields.items() if field.is_required()}


def environment(manifests: Manifests, container: Manifest) -> dict[str, str]:
    """Returns the container's variables. Raises MissingReferenceError."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        variables |= _all_of(manifests, source)
    for variable in container.get("env", []):
        variables[variable["name"]] = _value(manifests, variable)
    return variables


def setting(manifests: Manifests, container: Manifest, settings: type[ProcessSettings], name: str) -> Any:
    """Returns a setting of a process: its variable's text, or the default."""
    text = environment(manifests, container).get(_PREFIX + name.upper())
    return settings.model_fields[name].get_default(call_default_factory=True) if text is None else text


def _all_of(manifests: Manifests, source: Manifest) -> Mapping[str, str]:
    if reference := source.get("secretRef"):
        return _secret(reference["name"])
    return _config_map(manifests, source["configMapRef"]["name"])


def _value(manifests: Manifests, variable: Manifest) -> str:
    if "value" in variable:
        return str(variable["value"])
    origin = variable["valueFrom"]
    if "fieldRef" in origin:
        return POD_NAME
    reference = origin.get("secretKeyRef") or origin["configMapKeyRef"]
    source = _secret(reference["name"]) if "secretKeyRef" in origin else _config_map(manifests, reference["name"])
    if reference["key"] not in source:
        raise MissingReferenceError(f"{reference['name']} has no key {reference['key']}")
    return source[reference["key"]]


def _secret(name: str) -> Mapping[str, str]:
    if name not in generated_secrets():
        raise MissingReferenceError(f"keys.py generates no Secret {name}")
    return generated_secrets()[name]


def _config_map(manifests: Manifests, name: str) -> Mapping[str, str]:
    config_map = manifests.get("ConfigMap", name)
    if config_map is None:
        raise MissingReferenceError(f"no ConfigMap {name}")
    data: Mapping[str, str] = config_map["data"]
    return data
