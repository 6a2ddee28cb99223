"""What deploy/docker says, as policies look at it and mutations change it."""

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
"""The processes that have something in the stores."""
STORES: Final = {"mongodb", "valkey"}
ONCE: Final = {"mongodb-set"}
"""What runs, and ends."""
TOOLS: Final = {"parley"}
"""What runs when somebody calls it."""
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
    """The image's instructions, what is sent to its build, and the stack."""

    dockerfile: str
    ignore: str
    compose: dict[str, Any]

    @property
    def image(self) -> Stage:
        """The stage that becomes the image."""
        return stages(self.dockerfile)[-1]

    @property
    def containers(self) -> dict[str, Container]:
        """The stack's services, as Compose calls them, by name."""
        containers: dict[str, Container] = self.compose["services"]
        return containers

    @property
    def processes(self) -> dict[str, Container]:
        """Those that are processes of ours."""
        return {name: found for name, found in self.containers.items() if name in PROCESSES}

    def copy(self) -> Plan:
        """A copy that may be changed."""
        return Plan(self.dockerfile, self.ignore, deepcopy(self.compose))

    def environment(self, name: str) -> dict[str, str]:
        """The variables of a container: of its files, and over them its own."""
        told: dict[str, str] = {}
        for source in self.containers[name].get("env_file", []):
            told |= variables(source)
        return told | {key: str(value) for key, value in self.containers[name].get("environment", {}).items()}


@cache
def plan() -> Plan:
    """The plan as it stands; whoever changes it takes a copy."""
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return Plan((FOLDER / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text(), compose)


@cache
def generated() -> Mapping[str, Mapping[str, str]]:
    """What keys.py makes, by the path at which Compose looks for it."""
    return {f"keys/{name}.env": told for name, told in keys.files(keys.STORES).items()}


def variables(source: str) -> Mapping[str, str]:
    """What a file of variables says. Raises FileNotFoundError where nobody has written one, or makes it."""
    return generated()[source] if source in generated() else dict(assignments((FOLDER / source).read_text()))


def assignments(text: str) -> Iterator[tuple[str, str]]:
    """NAME=VALUE, or NAME='VALUE', as Compose reads it."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, value = line.partition("=")
            quoted = value.startswith("'") and value.endswith("'")
            yield name, value[1:-1] if quoted else value
