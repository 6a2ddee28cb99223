"""What one may choose about a stack."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self


@dataclass(frozen=True, slots=True)
class StackOptions:
    """Choices with defaults that suit a developer's machine.

    Attributes:
        mongodb_uri: a server of one's own, instead of an embedded mongod.
        redis_url: a server of one's own, instead of an embedded Valkey.
        mongodb_cache_gigabytes: the cache of the embedded mongod; it takes at least 0.25.
        envoy_concurrency: Envoy's worker threads.
        log_level: of the services and gateways.
        log_format: of the same.
        reflection: whether the services answer to gRPC reflection.
        drain_seconds: how long a process that stops waits for work in flight.
        allowed_origins: origins of browsers besides the stack's own address.
        restart_crashed: whether a process that dies is started again.
        start_deadline_seconds: how long each process may take to become healthy.
        connect_deadline_seconds: how long a server of one's own may take to answer.
        certificates: a folder with one for each service and for Envoy, by name, with tls.crt, tls.key and ca.crt; given
            it, the processes talk to each other by mutual TLS. Envoy's must name 127.0.0.1, too.
        settings: further variables of a service's processes, by the service's name; they win over the stack's own.
    """

    mongodb_uri: str | None = None
    redis_url: str | None = None
    mongodb_cache_gigabytes: float = 0.5
    envoy_concurrency: int = 1
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    reflection: bool = True
    drain_seconds: float = 2.0
    allowed_origins: tuple[str, ...] = ()
    restart_crashed: bool = True
    start_deadline_seconds: float = 45.0
    connect_deadline_seconds: float = 5.0
    certificates: Path | None = None
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def from_environment(cls) -> Self:
        """Return the defaults, with PARLEY_MONGODB_URI and PARLEY_REDIS_URL where they are set."""
        return cls(
            mongodb_uri=os.environ.get("PARLEY_MONGODB_URI") or None,
            redis_url=os.environ.get("PARLEY_REDIS_URL") or None,
        )
