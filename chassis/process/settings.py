"""Settings come from environment variables named PARLEY_*, are checked once at start, and never change after."""

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
"""An address of the form host:port; port 0 takes a free one where a process listens."""


class ProcessSettings(BaseSettings):
    """What every process is told. A subclass adds its own fields; each has a description, a default or none."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", frozen=True, extra="ignore")

    metrics_listen: Address = Field("127.0.0.1:0", description="where Prometheus reads metrics, over HTTP at /metrics")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least level that is logged"
    )
    log_format: Literal["json", "console"] = Field("json", description="json for machines, console for people")
    drain_seconds: float = Field(
        10.0, ge=0, le=300, description="how long work in flight may go on after SIGTERM, in s"
    )
    replica: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}",
        min_length=1,
        max_length=128,
        description="this process's name, unique among its replicas",
    )
    otlp_endpoint: str = Field(
        default_factory=lambda: os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        description="where traces are sent by OTLP over gRPC, http://host:4317; else OTEL_EXPORTER_OTLP_ENDPOINT; "
        "none for no traces",
    )
    trace_ratio: float = Field(0.01, ge=0, le=1, description="the part of batches and calls that is traced")
    auth_target: Address = Field(description="where AuthService is reached, for keys and service tokens")
    service_name: str = Field(min_length=1, description="the name that this process shows to AuthService")
    service_secret: SecretStr = Field(description="the secret that goes with service_name")
    tls_certificate: Path | None = Field(
        None,
        description="the file of the certificate that this process shows to the others, in PEM; with tls_key and "
        "tls_ca it talks to them by mutual TLS, and without all three by none",
    )
    tls_key: Path | None = Field(None, description="the file of the key that goes with tls_certificate, in PEM")
    tls_ca: Path | None = Field(
        None, description="the file of the authority's certificates, in PEM: whose certificates this process believes"
    )
    health_listen: Address | None = Field(
        None,
        description="where health, and nothing else, is told without TLS to those who have no certificate, such as "
        "kubelets: by gRPC, and of the gateway by HTTP; nowhere when not given",
    )

    @model_validator(mode="after")
    def _has_all_of_tls_or_none(self) -> Self:
        if len({path is None for path in (self.tls_certificate, self.tls_key, self.tls_ca)}) > 1:
            raise ValueError("tls_certificate, tls_key and tls_ca must be given together")
        return self

    @property
    def tls(self) -> TlsFiles | None:
        """What this process shows to others, and whom it believes; None where it talks to them without TLS."""
        if self.tls_certificate is None or self.tls_key is None or self.tls_ca is None:
            return None
        return TlsFiles(self.tls_certificate, self.tls_key, self.tls_ca)


class ServiceSettings(ProcessSettings):
    """What every gRPC service is told."""

    listen: Address = Field("127.0.0.1:0", description="where gRPC is served")
    reflection: bool = Field(False, description="whether gRPC reflection is on")
    shutdown_delay_seconds: float = Field(
        0.0,
        ge=0,
        le=60,
        description="how long a stopping process still serves after it reports NOT_SERVING, in s",
    )
    redis_url: str = Field(
        description="the Redis or Valkey server, redis://..., or a cluster of them, redis+cluster://..."
    )
    mongodb_uri: str = Field(description="the MongoDB replica set, mongodb://...")


def load(cls: type[S]) -> S:
    """Reads the settings of a process, or ends it, naming every variable that is missing or wrong."""
    try:
        return cls()
    except ValidationError as error:
        for problem in error.errors():
            name = "PARLEY_" + "_".join(str(part) for part in problem["loc"]).upper()
            field = cls.model_fields.get(str(problem["loc"][0])) if problem["loc"] else None
            hint = f" ({field.description})" if field is not None and field.description else ""
            sys.stderr.write(f"{name}: {problem['msg'].lower()}{hint}\n")
        raise SystemExit(2) from None
