"""Envoy's configuration as the gateway's settings require it."""

from __future__ import annotations

import json
from typing import Final

from deploy.edge_parameters import EdgeParameters, with_parameters
from deploy.envoy_edit import CONFIG
from tests.k8s.environment import environment, processes
from tests.k8s.manifests import Manifests
from tests.k8s.rendering import encrypts_inside, envoy_configuration

_LIMIT: Final = "envoy.resource_limits.listener.public.connection_limit"


def configuration_for(manifests: Manifests) -> str:
    """Returns the configuration for the origins and proxies of the gateway, and Envoy's own limit."""
    settings = _gateway_settings(manifests)
    parameters = EdgeParameters(
        allowed_origins=tuple(json.loads(settings["PARLEY_ALLOWED_ORIGINS"])),
        trusted_hops=int(settings["PARLEY_TRUSTED_PROXIES"]) - 1,
        max_connections=max_connections(manifests),
        mutual_tls=encrypts_inside(manifests),
    )
    return with_parameters(CONFIG.read_text(), parameters)


def max_connections(manifests: Manifests) -> int:
    """Returns the connections that one Envoy accepts. Raises LookupError if there is no limit."""
    for layer in envoy_configuration(manifests)["layered_runtime"]["layers"]:
        if _LIMIT in layer["static_layer"]:
            return int(layer["static_layer"][_LIMIT])
    raise LookupError("Envoy has no limit of connections")


def _gateway_settings(manifests: Manifests) -> dict[str, str]:
    for workload, container, _ in processes(manifests):
        if workload.name == "gateway":
            return {name: str(value) for name, value in environment(manifests, container).items()}
    raise LookupError("there is no gateway")
