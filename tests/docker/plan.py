"""The Dockerfile, .dockerignore and compose.yaml, for policies to read and mutations to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from chassis.process.settings import ProcessSettings
from deploy.docker import keys
from deploy.local.services import SERVICES, Needs, Service
from gateway.settings import Settings as GatewaySettings
from services.auth.settings import Settings as AuthSettings
from services.chat.settings import Settings as ChatSettings
from services.notify.settings import Settings as NotifySettings
from services.presence.settings import Settings as PresenceSettings
from tests.docker.dockerfile import Stage, stages

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "docker"
PROCESSES: Final[Mapping[str, Service]] = {service.name: service for service in SERVICES}
STORED: Final = {service.name for service in SERVICES if Needs.STORES in service.needs}
"""The processes that use the stores."""
STORES: Final = {"mongodb", "valkey"}
ONCE: Final = {"mongodb-set"}
"""Containers that run once and exit."""
TOOLS: Final = {"parley"}
"""Containers that run on demand."""
SETTINGS: Final[Mapping[str, type[ProcessSettings]]] = {
    "auth": AuthSettings,
    "chat": ChatSettings,
    "presence": PresenceSettings,
    "notify": NotifySettings,
    "gateway": GatewaySettings,
}

Container = dict[str, Any]


@dataclass
class Plan:
    """The Dockerfile's text, .dockerignore's text, and the parsed compose.yaml."""

    dockerfile: str
    ignore: str
    compose: dict[str, Any]

    @property
    def image(self) -> Stage:
        """The final stage."""
        return stages(self.dockerfile)[-1]

    @property
    def containers(self) -> dict[str, Container]:
        """The Compose services by name."""
        containers: dict[str, Container] = self.compose["services"]
        return containers

    @property
    def processes(self) -> dict[str, Container]:
        """The containers of Parley's processes."""
        return {name: container for name, container in self.containers.items() if name in PROCESSES}

    def copy(self) -> Plan:
        """Returns a deep copy."""
        return Plan(self.dockerfile, self.ignore, deepcopy(self.compose))

    def environment(self, name: str) -> dict[str, str]:
        """Returns a container's variables: those of its env files, overridden by its own."""
        environment: dict[str, str] = {}
        for source in self.containers[name].get("env_file", []):
            environment |= variables(source)
        return environment | {key: str(value) for key, value in self.containers[name].get("environment", {}).items()}


@cache
def plan() -> Plan:
    """Returns the plan as checked in. Copy it before changing it."""
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return Plan((FOLDER / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text(), compose)


@cache
def generated() -> Mapping[str, Mapping[str, str]]:
    """Returns the variables that keys.py generates, by the path that compose.yaml uses."""
    return {f"keys/{name}.env": content for name, content in keys.files(keys.STORES).items()}


def variables(source: str) -> Mapping[str, str]:
    """Returns the variables of an env file. Raises FileNotFoundError if it is neither checked in nor generated."""
    return generated()[source] if source in generated() else dict(assignments((FOLDER / source).read_text()))


def assignments(text: str) -> Iterator[tuple[str, str]]:
    """Parses NAME=VALUE and NAME='VALUE' lines as Compose does."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, value = line.partition("=")
            quoted = value.startswith("'") and value.endswith("'")
            yield name, value[1:-1] if quoted else value
