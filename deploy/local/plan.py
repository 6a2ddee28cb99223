"""The process specifications of a stack, computed before anything starts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from sys import executable

from deploy.edge_parameters import EdgeParameters, with_parameters
from deploy.envoy_edit import CONFIG
from deploy.local import envoy
from deploy.local.data_directory import DataDirectory
from deploy.local.environment import StackEnvironment, allowed_origins, plain_environment, service_settings
from deploy.local.mongodb import mongod_command, primary_ready
from deploy.local.options import StackOptions
from deploy.local.probes import Probe, grpc_health, http_ok
from deploy.local.process import ProcessSpec
from deploy.local.services import HEALTH, HTTP, RPC, Service
from deploy.local.valkey import valkey_command, valkey_reachable, valkey_url
from deploy.tls.envoy import secret_files, with_mutual_tls

REPOSITORY = Path(__file__).parents[2]
# Added to the drain time before a stopping process is killed.
_STOP_MARGIN_SECONDS = 8.0
_DATABASE_STOP_SECONDS = 20.0

Ports = Mapping[str, Mapping[str, int]]
"""By process, then by listener."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The servers' programs; None for an external or unneeded server."""

    mongod: Path | None
    valkey: Path | None
    envoy: Path | None


class StackPlan:
    """Builds the specification of each process of a stack."""

    def __init__(
        self,
        directory: DataDirectory,
        programs: Programs,
        ports: Ports,
        options: StackOptions,
        lock_descriptor: int,
    ) -> None:
        self._directory = directory
        self._programs = programs
        self._ports = ports
        self._options = options
        self._lock_descriptor = lock_descriptor

    def stores(self) -> list[ProcessSpec]:
        """Returns the specifications of the embedded databases."""
        specs = []
        if self._programs.mongod is not None:
            port = self._ports["mongod"]["mongodb"]
            command = mongod_command(
                self._programs.mongod, self._directory.mongodb, port, self._options.mongodb_cache_gigabytes
            )
            specs.append(self._spec("mongod", command, primary_ready(port), stop_seconds=_DATABASE_STOP_SECONDS))
        if self._programs.valkey is not None:
            port = self._ports["valkey"]["redis"]
            command = valkey_command(self._programs.valkey, self._directory.valkey, port)
            probe = valkey_reachable(valkey_url(port))
            specs.append(self._spec("valkey", command, probe, stop_seconds=_DATABASE_STOP_SECONDS))
        return specs

    def edge(self) -> list[ProcessSpec]:
        """Returns Envoy's specification. Envoy reads `envoy_config`, which must have been written."""
        if self._programs.envoy is None:
            return []
        command = envoy.envoy_command(
            self._programs.envoy, self._directory.envoy_config, self._options.envoy_concurrency
        )
        ready = http_ok(f"http://127.0.0.1:{self._ports['envoy']['status']}/ready")
        return [self._spec("envoy", command, ready)]

    def envoy_config(self, services: Iterable[Service], replicas: Mapping[str, int]) -> str:
        """Returns Envoy's configuration with the addresses of this stack."""
        envoy_ports = self._ports["envoy"]
        addresses = {
            envoy.PUBLIC: [envoy_ports["public"]],
            envoy.STATUS: [envoy_ports["status"]],
            envoy.ADMIN: [envoy_ports["admin"]],
        }
        for service in services:
            for listener in service.listeners:
                addresses[service.name, listener.cluster_port] = [
                    self._ports[name][listener.name] for name in replica_names(service, replicas)
                ]
        origins = allowed_origins(envoy_ports["public"], self._options)
        template = with_parameters(CONFIG.read_text(), EdgeParameters(allowed_origins=origins))
        if self._options.certificates:
            addresses[envoy.INTERNAL] = [envoy_ports["internal"]]
            template = with_mutual_tls(template, self._directory.root)
        return envoy.render(template, addresses)

    def envoy_secrets(self) -> dict[Path, str]:
        """Returns Envoy's secret files, which name its certificates; none without mutual TLS."""
        if not self._options.certificates:
            return {}
        files = secret_files(self._options.certificates / "envoy")
        return {self._directory.root / name: text for name, text in files.items()}

    def replicas(self, service: Service, counts: Mapping[str, int], environment: StackEnvironment) -> list[ProcessSpec]:
        """Returns the specifications of a service's replicas."""
        command = (executable, "-m", service.module)
        return [
            self._spec(
                name,
                command,
                self._probe(service, name),
                settings=service_settings(service, name, self._ports[name], environment),
                stop_seconds=self._options.drain_seconds + _STOP_MARGIN_SECONDS,
            )
            for name in replica_names(service, counts)
        ]

    def _probe(self, service: Service, name: str) -> Probe:
        ports = self._ports[name]
        if service.serves_grpc:
            return grpc_health(f"127.0.0.1:{ports.get(HEALTH.name, ports[RPC.name])}")
        return http_ok(f"http://127.0.0.1:{ports.get(HEALTH.name, ports[HTTP.name])}/readyz")

    def _spec(
        self,
        name: str,
        command: tuple[str, ...],
        probe: Probe,
        *,
        settings: Mapping[str, str] | None = None,
        stop_seconds: float = 5.0,
    ) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            command=command,
            environment={**plain_environment(), **(settings or {})},
            log_path=self._directory.rotate_log(name),
            probe=probe,
            ports=self._ports[name],
            working_directory=REPOSITORY,
            start_deadline_seconds=self._options.start_deadline_seconds,
            stop_deadline_seconds=stop_seconds,
            inherited_descriptors=(self._lock_descriptor,),
        )


def replica_names(service: Service, counts: Mapping[str, int]) -> list[str]:
    """Returns the names of a service's processes: chat-1, chat-2."""
    return [f"{service.name}-{number}" for number in range(1, counts.get(service.name, 1) + 1)]


def listeners(
    services: Iterable[Service], counts: Mapping[str, int], programs: Programs, *, mutual_tls: bool
) -> Iterator[tuple[str, str]]:
    """Yields (process, listener) for each port needed. Envoy's public port comes first: it may be a requested one."""
    if programs.envoy is not None:
        yield from (("envoy", "public"), ("envoy", "status"), ("envoy", "admin"))
        if mutual_tls:
            yield "envoy", "internal"
    if programs.mongod is not None:
        yield "mongod", "mongodb"
    if programs.valkey is not None:
        yield "valkey", "redis"
    for service in services:
        for name in replica_names(service, counts):
            yield from ((name, listener.name) for listener in service.listeners)
