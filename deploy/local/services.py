"""The stack's services: their listeners, needs and scopes.

To add a service: an entry here, and its routes and cluster in gateway/envoy/envoy.yaml.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Flag, auto


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of a service: its name, the variable that sets it, and its port in a cluster."""

    name: str
    variable: str
    cluster_port: int


class Needs(Flag):
    """Settings that a service needs besides its ports, log settings and the other services' addresses."""

    NOTHING = 0
    STORES = auto()
    """MongoDB and Redis."""
    ALL_CREDENTIALS = auto()
    """All secrets and scopes, and the key-encryption key, to issue service tokens."""
    ORIGINS = auto()
    """The allowed browser origins."""
    SHARDS = auto()
    """The number of shards over which it spreads its calls to chat."""


@dataclass(frozen=True, slots=True)
class Service:
    """A Parley program, run as one or more replicas.

    `scopes` are those of its service token; a service that calls no other has none.
    """

    name: str
    module: str
    listeners: tuple[Listener, ...]
    needs: Needs = Needs.NOTHING
    scopes: tuple[str, ...] = ()

    @property
    def serves_grpc(self) -> bool:
        """Whether others call it by gRPC, and so need its address."""
        return RPC in self.listeners


RPC = Listener("grpc", "PARLEY_LISTEN", 50051)
WEBSOCKET = Listener("websocket", "PARLEY_WEBSOCKET_LISTEN", 8081)
HTTP = Listener("http", "PARLEY_HTTP_LISTEN", 8082)
METRICS = Listener("metrics", "PARLEY_METRICS_LISTEN", 9090)
HEALTH = Listener("health", "PARLEY_HEALTH_LISTEN", 9091)
"""Health checks for callers without a client certificate."""

_GRPC = (RPC, METRICS)
_BROWSERS = (WEBSOCKET, HTTP, METRICS)
_READER = ("directory.read", "chat.read", "revocations.watch")

SERVICES = (
    Service("auth", "services.auth", _GRPC, Needs.STORES | Needs.ALL_CREDENTIALS),
    Service("chat", "services.chat", _GRPC, Needs.STORES, _READER),
    Service("presence", "services.presence", _GRPC, Needs.STORES, _READER),
    Service("notify", "services.notify", _GRPC, Needs.STORES, _READER),
    Service(
        "gateway",
        "gateway",
        _BROWSERS,
        Needs.ORIGINS | Needs.SHARDS,
        ("users.act", "streams.subscribe", "revocations.watch", "directory.read"),
    ),
)

# Callers outside the stack: its administrator and the CRM.
OUTSIDE_CALLERS = {
    "operator": ("organizations.write", "users.write"),
    "crm": ("notifications.write", "directory.read"),
}


def with_health_listeners(services: Iterable[Service]) -> tuple[Service, ...]:
    """Returns the services with a plain health listener added, for stacks with mutual TLS."""
    return tuple(replace(service, listeners=(*service.listeners, HEALTH)) for service in services)
