"""The environment variables of each of Parley's processes."""

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
_MAX_SHARDS = 64
# Longer than Envoy's health-check interval.
_SHUTDOWN_DELAY_SECONDS = "1.5"


@dataclass(frozen=True, slots=True)
class StackEnvironment:
    """The configuration that all processes of a stack share."""

    services: tuple[Service, ...]
    replicas: Mapping[str, int]
    outside_callers: Mapping[str, tuple[str, ...]]
    credentials: Credentials
    mongodb_uri: str
    redis_url: str
    public_port: int
    options: StackOptions
    internal_port: int | None = None
    """Envoy's mutual TLS port, or None without mutual TLS."""


def plain_environment() -> dict[str, str]:
    """Returns this process's environment without PARLEY_ variables: only the stack sets those."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    # Otherwise a crashing process loses the output in its buffer.
    return {**inherited, "PYTHONUNBUFFERED": "1"}


def service_settings(
    service: Service, replica: str, ports: Mapping[str, int], stack: StackEnvironment
) -> dict[str, str]:
    """Returns the PARLEY_ variables of one replica."""
    options = stack.options
    settings = {
        **{listener.variable: f"{_LOOPBACK}:{ports[listener.name]}" for listener in service.listeners},
        **_targets(stack),
        "PARLEY_REPLICA": replica,
        "PARLEY_SERVICE_NAME": service.name,
        "PARLEY_SERVICE_SECRET": stack.credentials.service_secrets[service.name],
        "PARLEY_LOG_LEVEL": options.log_level,
        "PARLEY_LOG_FORMAT": options.log_format,
        "PARLEY_DRAIN_SECONDS": f"{options.drain_seconds:g}",
    }
    if service.serves_grpc:
        settings["PARLEY_REFLECTION"] = "true" if options.reflection else "false"
        # A single replica has no other to take its calls meanwhile.
        if stack.replicas.get(service.name, 1) > 1:
            settings["PARLEY_SHUTDOWN_DELAY_SECONDS"] = _SHUTDOWN_DELAY_SECONDS
    if options.certificates:
        settings |= _certificates(options.certificates / service.name)
    if Needs.STORES in service.needs:
        settings["PARLEY_MONGODB_URI"] = stack.mongodb_uri
        settings["PARLEY_MONGODB_DATABASE"] = f"parley_{service.name}"
        settings["PARLEY_REDIS_URL"] = stack.redis_url
    if Needs.ALL_CREDENTIALS in service.needs:
        settings["PARLEY_SERVICE_CREDENTIALS"] = json.dumps(_service_credentials(stack))
        settings["PARLEY_KEY_ENCRYPTION_KEY"] = stack.credentials.key_encryption_key
    if Needs.ORIGINS in service.needs:
        settings["PARLEY_ALLOWED_ORIGINS"] = json.dumps(allowed_origins(stack.public_port, options))
    if Needs.SHARDS in service.needs:
        settings["PARLEY_CHAT_SHARDS"] = str(_shards(stack.replicas.get("chat", 1)))
    return {**settings, **options.settings.get(service.name, {})}


def secret_names(services: Iterable[Service], outside_callers: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of all services and outside callers: each needs a secret."""
    return (*(service.name for service in services), *outside_callers)


def _targets(stack: StackEnvironment) -> dict[str, str]:
    # All calls go through Envoy, which balances over the replicas.
    edge = f"{_LOOPBACK}:{stack.internal_port or stack.public_port}"
    return {f"PARLEY_{service.name.upper()}_TARGET": edge for service in stack.services if service.serves_grpc}


def _certificates(folder: Path) -> dict[str, str]:
    return {
        "PARLEY_TLS_CERTIFICATE": str(folder / "tls.crt"),
        "PARLEY_TLS_KEY": str(folder / "tls.key"),
        "PARLEY_TLS_CA": str(folder / "ca.crt"),
    }


def _service_credentials(stack: StackEnvironment) -> dict[str, dict[str, object]]:
    scopes = {service.name: service.scopes for service in stack.services if service.scopes}
    return {
        name: {
            "secret": stack.credentials.service_secrets[name],
            "scopes": list(caller_scopes),
            "organizations": ["*"],
        }
        for name, caller_scopes in {**scopes, **stack.outside_callers}.items()
    }


def _shards(replicas: int) -> int:
    # Envoy hashes each shard to a replica; several shards a replica make it unlikely that one gets none.
    return 1 if replicas == 1 else min(_SHARDS_PER_REPLICA * replicas, _MAX_SHARDS)


def allowed_origins(public_port: int, options: StackOptions) -> tuple[str, ...]:
    """Returns the origins that the gateway and Envoy allow."""
    return f"http://{_LOOPBACK}:{public_port}", f"http://localhost:{public_port}", *options.allowed_origins
