"""The table of what the stack runs, and of who may do what among its processes.

Adding a service: its line here, its routes and cluster in gateway/envoy/envoy.yaml.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Flag, auto


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of a service: its name here, the variable that sets it, the port that it has in a cluster."""

    name: str
    variable: str
    cluster_port: int


class Needs(Flag):
    """What a service is given besides its ports, its log settings and the addresses of the others."""

    NOTHING = 0
    STORES = auto()
    """MongoDB and Redis."""
    ALL_CREDENTIALS = auto()
    """Everyone's secrets and scopes, and the key-encryption key: it issues the service tokens."""
    ORIGINS = auto()
    """The origins from which browsers may connect."""
    SHARDS = auto()
    """Over how many shards it is to spread its calls to chat."""


@dataclass(frozen=True, slots=True)
class Service:
    """A program of ours, of which the stack runs one or more replicas.

    `scopes` is what its service token may do; a service that calls no other has none.
    """

    name: str
    module: str
    listeners: tuple[Listener, ...]
    needs: Needs = Needs.NOTHING
    scopes: tuple[str, ...] = ()

    @property
    def serves_grpc(self) -> bool:
        """Whether others call it by gRPC, and so need to know where it is."""
        return RPC in self.listeners


RPC = Listener("grpc", "PARLEY_LISTEN", 50051)
WEBSOCKET = Listener("websocket", "PARLEY_WEBSOCKET_LISTEN", 8081)
HTTP = Listener("http", "PARLEY_HTTP_LISTEN", 8082)
METRICS = Listener("metrics", "PARLEY_METRICS_LISTEN", 9090)
HEALTH = Listener("health", "PARLEY_HEALTH_LISTEN", 9091)
"""Where who has no certificate asks for health."""

_GRPC = (RPC, METRICS)
_BROWSERS = (WEBSOCKET, HTTP, METRICS)
_READER = ("directory.read", "chat.read")

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

# Callers that are no process of the stack: whoever administers it, and the CRM around it.
OUTSIDE_CALLERS = {
    "operator": ("organizations.write", "users.write"),
    "crm": ("notifications.write", "directory.read"),
}


def telling_health_apart(services: Iterable[Service]) -> tuple[Service, ...]:
    """The services with a listener more, for stacks in which the others want certificates."""
    return tuple(replace(service, listeners=(*service.listeners, HEALTH)) for service in services)
