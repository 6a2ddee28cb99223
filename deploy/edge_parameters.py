"""What differs between installations in the edge's configuration, and the gateway's settings that agree with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deploy.envoy_edit import replace_once
from deploy.monitoring.envoy_tracing import with_tracing
from deploy.tls.envoy import with_mutual_tls

DEFAULT_MAX_CONNECTIONS: Final = 30_000
COLLECTOR: Final = re.compile(r"(?P<host>[A-Za-z0-9.-]+):(?P<port>\d{1,5})")

ORIGIN: Final = re.compile(r"https?://[^/?#@\s\"'*]+")

_LIMIT: Final = "envoy.resource_limits.listener.public.connection_limit: {}\n"
_HOPS: Final = "xff_num_trusted_hops: {}\n"
_ORIGINS: Final = "allow_origin_string_match: {}\n"


@dataclass(frozen=True, slots=True)
class EdgeParameters:
    """The parameters.

    Attributes:
        allowed_origins: origins of the pages that may call.
        trusted_hops: the proxies in front of Envoy that append to X-Forwarded-For.
        max_connections: the connections that one Envoy accepts.
        mutual_tls: whether Envoy and the processes use mutual TLS.
        traces: host:port of a collector of Envoy's spans; empty for none.
    """

    allowed_origins: tuple[str, ...] = ()
    trusted_hops: int = 0
    max_connections: int = DEFAULT_MAX_CONNECTIONS
    mutual_tls: bool = False
    traces: str = ""


def with_parameters(configuration: str, parameters: EdgeParameters) -> str:
    """Returns Envoy's configuration with an installation's parameters.

    Raises:
        UnexpectedConfigurationError: the configuration lacks an expected place.
    """
    origins = ", ".join(f"{{ exact: {json.dumps(origin)} }}" for origin in parameters.allowed_origins)
    text = replace_once(
        configuration, _LIMIT.format(DEFAULT_MAX_CONNECTIONS), _LIMIT.format(parameters.max_connections)
    )
    text = replace_once(text, _HOPS.format(0), _HOPS.format(parameters.trusted_hops))
    text = replace_once(text, _ORIGINS.format("[]"), _ORIGINS.format(f"[{origins}]"))
    if parameters.mutual_tls:
        text = with_mutual_tls(text)
    if collector := COLLECTOR.fullmatch(parameters.traces):
        text = with_tracing(text, collector["host"], int(collector["port"]))
    return text


def gateway_settings(parameters: EdgeParameters) -> Mapping[str, str]:
    """Returns the gateway's settings that must agree with Envoy's configuration."""
    return {
        "PARLEY_ALLOWED_ORIGINS": json.dumps(list(parameters.allowed_origins)),
        "PARLEY_TRUSTED_PROXIES": str(parameters.trusted_hops + 1),
    }
