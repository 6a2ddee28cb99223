"""Settings from environment variables PARLEY_*: validated at start, and constant after that."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.rpc.tls import TlsFiles

S = TypeVar("S", bound="ProcessSettings")


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004  # the largest port
        raise ValueError("must be host:port")
    return value


Address = Annotated[str, AfterValidator(_address)]
"""An address of the form host:port; with port 0, a process listens on a free port."""


class ProcessSettings(BaseSettings):
    """The settings of every process. A subclass adds its own; each has a description, and perhaps a default."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", frozen=True, extra="ignore")

    metrics_listen: Address = Field(
        "127.0.0.1:0", description="address of the metrics endpoint for Prometheus, /metrics over HTTP"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="minimum log level")
    log_format: Literal["json", "console"] = Field(
        "json", description="log format: json for machines, console for people"
    )
    drain_seconds: float = Field(
        10.0, ge=0, le=300, description="time for work in progress to finish after SIGTERM, in s"
    )
    replica: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}",
        min_length=1,
        max_length=128,
        description="name of this process, unique among its replicas",
    )
    otlp_endpoint: str = Field(
        default_factory=lambda: os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        description="OTLP endpoint for traces over gRPC, http://host:4317; defaults to OTEL_EXPORTER_OTLP_ENDPOINT; "
        "empty for no traces",
    )
    trace_ratio: float = Field(0.01, ge=0, le=1, description="fraction of batches and calls that are traced")
    auth_target: Address = Field(description="address of AuthService, for keys and service tokens")
    service_name: str = Field(min_length=1, description="name of this process for AuthService")
    service_secret: SecretStr = Field(description="secret of service_name")
    tls_certificate: Path | None = Field(
        None,
        description="file of this process's certificate, in PEM; set it with tls_key and tls_ca for mutual TLS between "
        "processes, or none of them for no TLS",
    )
    tls_key: Path | None = Field(None, description="file of the private key of tls_certificate, in PEM")
    tls_ca: Path | None = Field(
        None, description="file of the certificates of the authority that this process trusts, in PEM"
    )
    health_listen: Address | None = Field(
        None,
        description="address of a health endpoint without TLS, for clients without a certificate such as kubelets: "
        "gRPC, and HTTP for the gateway; unset for none",
    )

    @model_validator(mode="after")
    def _has_all_of_tls_or_none(self) -> Self:
        if len({path is None for path in (self.tls_certificate, self.tls_key, self.tls_ca)}) > 1:
            raise ValueError("tls_certificate, tls_key and tls_ca must be set together")
        return self

    @property
    def tls(self) -> TlsFiles | None:
        """The files for mutual TLS with other processes; None without TLS."""
        if self.tls_certificate is None or self.tls_key is None or self.tls_ca is None:
            return None
        return TlsFiles(self.tls_certificate, self.tls_key, self.tls_ca)


class ServiceSettings(ProcessSettings):
    """The settings of every gRPC service."""

    listen: Address = Field("127.0.0.1:0", description="address of the gRPC server")
    reflection: bool = Field(False, description="serves gRPC reflection")
    concurrent_calls: int = Field(
        20_000,
        ge=1,
        description="maximum concurrent calls and streams of one process; further ones fail with RESOURCE_EXHAUSTED",
    )
    shutdown_delay_seconds: float = Field(
        0.0,
        ge=0,
        le=60,
        description="how long a stopping process still serves after it reports NOT_SERVING, in s",
    )
    redis_url: str = Field(
        description="URL of the Redis or Valkey server, redis://..., or cluster, redis+cluster://..."
    )
    mongodb_uri: str = Field(description="URI of the MongoDB replica set, mongodb://...")


def load(cls: type[S]) -> S:
    """Loads the settings of a process; exits, naming every missing or invalid variable, if that fails."""
    try:
        return cls()
    except ValidationError as error:
        for problem in error.errors():
            name = "PARLEY_" + "_".join(str(part) for part in problem["loc"]).upper()
            field = cls.model_fields.get(str(problem["loc"][0])) if problem["loc"] else None
            hint = f" ({field.description})" if field is not None and field.description else ""
            sys.stderr.write(f"{name}: {problem['msg'].lower()}{hint}\n")
        raise SystemExit(2) from None
