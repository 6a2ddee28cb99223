"""Renders the edge's Envoy configuration for a local stack by replacing only its addresses.

The file keeps every address on a line of its own in one form (see its header), so replacing them line by line leaves
all else identical to the byte; a test checks this.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from deploy.local.errors import StackError
from deploy.local.probes import Probe
from deploy.tls.envoy import INTERNAL_PORT

PUBLIC = ("0.0.0.0", 8080)
INTERNAL = ("0.0.0.0", INTERNAL_PORT)
STATUS = ("0.0.0.0", 9902)
ADMIN = ("127.0.0.1", 9901)

Address = tuple[str, int]

_SOCKET_ADDRESS = re.compile(r"socket_address: \{ address: (?P<host>[^\s,]+), port_value: (?P<port>\d+) \}")
_HEALTH_PORT = re.compile(r"health_check_config: \{ port_value: (?P<port>\d+) \}")
_HOST = "127.0.0.1"
_ATTEMPT_SECONDS = 2.0


def render(template: str, ports: Mapping[Address, Sequence[int]]) -> str:
    """Returns the configuration with each address replaced by local ports.

    Args:
        template: the configuration as Kubernetes mounts it.
        ports: the local ports that replace each address: one for a listener, one per replica for an upstream, in the
            order of the replicas.

    Raises:
        StackError: the configuration names an address without ports.
    """
    return "".join(line for source in template.splitlines(keepends=True) for line in _render_line(source, ports))


def envoy_command(program: Path, config: Path, concurrency: int) -> tuple[str, ...]:
    """Returns Envoy's command line. Hot restart is off: it would limit a machine to one Envoy."""
    return (
        *(str(program), "--config-path", str(config), "--disable-hot-restart"),
        *("--concurrency", str(concurrency), "--log-level", "warning"),
    )


def upstreams_healthy(admin_port: int) -> Probe:
    """Returns a probe for an Envoy to which all replicas of all upstreams are healthy."""

    async def probe() -> str | None:
        async with httpx.AsyncClient(trust_env=False, timeout=_ATTEMPT_SECONDS) as client:
            try:
                response = await client.get(f"http://{_HOST}:{admin_port}/clusters", params={"format": "json"})
            except httpx.HTTPError as error:
                return f"its admin port does not answer ({type(error).__name__})"
        failing = [
            cluster["name"]
            for cluster in response.json()["cluster_statuses"]
            for host in cluster.get("host_statuses", [])
            if host["health_status"].keys() & {"failed_active_health_check", "failed_outlier_check"}
        ]
        return f"replicas of {', '.join(sorted(set(failing)))} are unhealthy" if failing else None

    return probe


def _render_line(line: str, ports: Mapping[Address, Sequence[int]]) -> list[str]:
    address = _SOCKET_ADDRESS.search(line)
    if address is None:
        return [line]
    host = address["host"]
    replicas = _ports_for(ports, (host, int(address["port"])))
    health = _HEALTH_PORT.search(line)
    health_ports = _ports_for(ports, (host, int(health["port"]))) if health else replicas
    return [_with_ports(line, port, health_port) for port, health_port in zip(replicas, health_ports, strict=True)]


def _with_ports(line: str, port: int, health_port: int) -> str:
    line = _SOCKET_ADDRESS.sub(f"socket_address: {{ address: {_HOST}, port_value: {port} }}", line)
    return _HEALTH_PORT.sub(f"health_check_config: {{ port_value: {health_port} }}", line)


def _ports_for(ports: Mapping[Address, Sequence[int]], address: Address) -> Sequence[int]:
    try:
        return ports[address]
    except KeyError:
        raise StackError(
            f"envoy.yaml sends requests to {address[0]}:{address[1]}, but no service of the stack listens there. "
            "Add the service to deploy/local/services.py."
        ) from None
