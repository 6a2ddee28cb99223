"""Options of a local stack."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self


@dataclass(frozen=True, slots=True)
class StackOptions:
    """Options with defaults for a developer's machine.

    Attributes:
        mongodb_uri: an external server to use instead of an embedded mongod.
        redis_url: an external server to use instead of an embedded Valkey.
        mongodb_cache_gigabytes: the cache size of the embedded mongod; at least 0.25.
        envoy_concurrency: Envoy's worker threads.
        log_level: minimum level of the services' and gateways' logs.
        log_format: format of the services' and gateways' logs.
        reflection: whether the services serve gRPC reflection.
        drain_seconds: how long a stopping process waits for work in flight.
        allowed_origins: browser origins to allow besides the stack's own address.
        restart_crashed: whether to restart a process that crashes.
        start_deadline_seconds: how long each process may take to become healthy.
        connect_deadline_seconds: how long an external server may take to answer.
        certificates: a folder that holds, for each service and for Envoy, a folder of that name with tls.crt, tls.key
            and ca.crt; turns on mutual TLS between the processes. Envoy's certificate must include 127.0.0.1.
        settings: further environment variables by service name; they override the stack's own.
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
        """Returns the defaults, with the servers of PARLEY_MONGODB_URI and PARLEY_REDIS_URL if set."""
        return cls(
            mongodb_uri=os.environ.get("PARLEY_MONGODB_URI") or None,
            redis_url=os.environ.get("PARLEY_REDIS_URL") or None,
        )
