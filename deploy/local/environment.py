"""What each process of ours is told, as environment variables: pure, and complete by itself."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.credentials import Credentials
from deploy.local.options import StackOptions
from deploy.local.services import Needs, Service

_LOOPBACK = "127.0.0.1"
_SHARDS_PER_REPLICA = 4
_MOST_SHARDS = 64
# Longer than Envoy waits between health checks.
_NOTICE_SECONDS = "1.5"


@dataclass(frozen=True, slots=True)
class StackEnvironment:
    """What all processes of a stack share."""

    services: tuple[Service, ...]
    replicas: Mapping[str, int]
    outside_callers: Mapping[str, tuple[str, ...]]
    credentials: Credentials
    mongodb_uri: str
    redis_url: str
    public_port: int
    options: StackOptions
    internal_port: int | None = None
    """Where Envoy is called by mutual TLS; None where it is not."""


def plain_environment() -> dict[str, str]:
    """Return our own environment without the settings of services: those come from the stack alone."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    # Or the last words of a process that crashes stay in its buffer.
    return {**inherited, "PYTHONUNBUFFERED": "1"}


def service_settings(
    service: Service, replica: str, ports: Mapping[str, int], surroundings: StackEnvironment
) -> dict[str, str]:
    """Return the PARLEY_ variables of one replica."""
    options = surroundings.options
    settings = {
        **{listener.variable: f"{_LOOPBACK}:{ports[listener.name]}" for listener in service.listeners},
        **_targets(surroundings),
        "PARLEY_REPLICA": replica,
        "PARLEY_SERVICE_NAME": service.name,
        "PARLEY_SERVICE_SECRET": surroundings.credentials.service_secrets[service.name],
        "PARLEY_LOG_LEVEL": options.log_level,
        "PARLEY_LOG_FORMAT": options.log_format,
        "PARLEY_DRAIN_SECONDS": f"{options.drain_seconds:g}",
    }
    if service.serves_grpc:
        settings["PARLEY_REFLECTION"] = "true" if options.reflection else "false"
        # Alone, it has nobody to whom calls could go meanwhile.
        if surroundings.replicas.get(service.name, 1) > 1:
            settings["PARLEY_NOTICE_SECONDS"] = _NOTICE_SECONDS
    if options.certificates:
        settings |= _certificates(options.certificates / service.name)
    if Needs.STORES in service.needs:
        settings["PARLEY_MONGODB_URI"] = surroundings.mongodb_uri
        settings["PARLEY_MONGODB_DATABASE"] = f"parley_{service.name}"
        settings["PARLEY_REDIS_URL"] = surroundings.redis_url
    if Needs.ALL_CREDENTIALS in service.needs:
        settings["PARLEY_SERVICE_CREDENTIALS"] = json.dumps(_service_credentials(surroundings))
        settings["PARLEY_KEY_ENCRYPTION_KEY"] = surroundings.credentials.key_encryption_key
    if Needs.ORIGINS in service.needs:
        settings["PARLEY_ALLOWED_ORIGINS"] = json.dumps(_origins(surroundings))
    if Needs.SHARDS in service.needs:
        settings["PARLEY_CHAT_SHARDS"] = str(_shards(surroundings.replicas.get("chat", 1)))
    return {**settings, **options.settings.get(service.name, {})}


def secret_names(services: Iterable[Service], outside_callers: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all who need a secret."""
    return (*(service.name for service in services), *outside_callers)


def _targets(surroundings: StackEnvironment) -> dict[str, str]:
    # All of them through Envoy, which knows the replicas.
    edge = f"{_LOOPBACK}:{surroundings.internal_port or surroundings.public_port}"
    return {f"PARLEY_{service.name.upper()}_TARGET": edge for service in surroundings.services if service.serves_grpc}


def _certificates(folder: Path) -> dict[str, str]:
    return {
        "PARLEY_TLS_CERTIFICATE": str(folder / "tls.crt"),
        "PARLEY_TLS_KEY": str(folder / "tls.key"),
        "PARLEY_TLS_CA": str(folder / "ca.crt"),
    }


def _service_credentials(surroundings: StackEnvironment) -> dict[str, dict[str, object]]:
    scopes = {service.name: service.scopes for service in surroundings.services if service.scopes}
    return {
        name: {
            "secret": surroundings.credentials.service_secrets[name],
            "scopes": list(granted),
            "organizations": ["*"],
        }
        for name, granted in {**scopes, **surroundings.outside_callers}.items()
    }


def _shards(replicas: int) -> int:
    # Envoy hashes each shard to a replica; with a few for each, hardly one is left without.
    return 1 if replicas == 1 else min(_SHARDS_PER_REPLICA * replicas, _MOST_SHARDS)


def _origins(surroundings: StackEnvironment) -> list[str]:
    port = surroundings.public_port
    return [f"http://{_LOOPBACK}:{port}", f"http://localhost:{port}", *surroundings.options.allowed_origins]
