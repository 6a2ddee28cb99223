"""What a container of ours is told, worked out as the kubelet does it, with the Secrets that keys.py makes."""

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
"""By what a container runs."""

POD_NAME: Final = "chat-5d4f8c7b9d-x2x7k"
_PREFIX: Final = "PARLEY_"


class MissingReferenceError(Exception):
    """A ConfigMap or Secret that is referred to is not there, or has no such key."""


@cache
def generated_secrets() -> Mapping[str, Mapping[str, str]]:
    """What keys.py makes, by name."""
    made = keys.manifests("mongodb://mongodb-0.mongodb:27017/?replicaSet=parley", "redis://valkey:6379/0")
    return {item["metadata"]["name"]: item["stringData"] for item in made["items"]}


def processes(manifests: Manifests) -> Iterator[tuple[Workload, Manifest, type[ProcessSettings]]]:
    """Each container that runs a program of ours, with the class of its settings."""
    for workload in manifests.workloads():
        for container in workload.containers:
            program = next(iter(container.get("args", [])), "")
            if program in SETTINGS and "command" not in container:
                yield workload, container, SETTINGS[program]


def known_variables(settings: type[ProcessSettings]) -> set[str]:
    """The variables that a settings class reads."""
    return {_PREFIX + name.upper() for name in settings.model_fields}


def required_variables(settings: type[ProcessSettings]) -> set[str]:
    """Those without which it does not start."""
    return {_PREFIX + name.upper() for name, field in settings.model_fields.items() if field.is_required()}


def environment(manifests: Manifests, container: Manifest) -> dict[str, str]:
    """The container's variables and their values. Raises MissingReferenceError."""
    told: dict[str, str] = {}
    for source in container.get("envFrom", []):
        told |= _everything(manifests, source)
    for variable in container.get("env", []):
        told[variable["name"]] = _value(manifests, variable)
    return told


def setting(manifests: Manifests, container: Manifest, settings: type[ProcessSettings], name: str) -> Any:
    """What a setting of a process is: as told, else its default."""
    text = environment(manifests, container).get(_PREFIX + name.upper())
    return settings.model_fields[name].get_default(call_default_factory=True) if text is None else text


def _everything(manifests: Manifests, source: Manifest) -> Mapping[str, str]:
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
    found = _secret(reference["name"]) if "secretKeyRef" in origin else _config_map(manifests, reference["name"])
    if reference["key"] not in found:
        raise MissingReferenceError(f"{reference['name']} has no key {reference['key']}")
    return found[reference["key"]]


def _secret(name: str) -> Mapping[str, str]:
    if name not in generated_secrets():
        raise MissingReferenceError(f"no Secret {name} is made by keys.py")
    return generated_secrets()[name]


def _config_map(manifests: Manifests, name: str) -> Mapping[str, str]:
    found = manifests.get("ConfigMap", name)
    if found is None:
        raise MissingReferenceError(f"there is no ConfigMap {name}")
    data: Mapping[str, str] = found["data"]
    return data
