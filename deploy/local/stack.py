"""Starts all of Parley on one machine in order, each step gated on health, and stops it in reverse."""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Self

from deploy.local.binaries import ENVOY, MONGOD, VALKEY, find_server
from deploy.local.credentials import Credentials, load_or_create
from deploy.local.data_directory import DataDirectory, StackLock
from deploy.local.environment import StackEnvironment, secret_names
from deploy.local.envoy import upstreams_healthy
from deploy.local.errors import StackError
from deploy.local.host import Host
from deploy.local.mongodb import mongod_uri, mongodb_reachable
from deploy.local.options import StackOptions
from deploy.local.plan import Programs, StackPlan, listeners
from deploy.local.ports import PortClaims
from deploy.local.private_file import write_private
from deploy.local.probes import Probe, grpc_health, http_ok, until_ready
from deploy.local.process import ManagedProcess, ProcessSpec
from deploy.local.progress import Phase, Progress, Report, silent
from deploy.local.replicas import check_replicas
from deploy.local.run_file import write_run_file
from deploy.local.services import OUTSIDE_CALLERS, SERVICES, Service, with_health_listeners
from deploy.local.supervision import RestartPolicy, Supervisor
from deploy.local.valkey import valkey_reachable, valkey_url

_EDGE_SECONDS = 20.0


class LocalStack:
    """A stack with its own data directory. Any number of stacks run side by side on one machine.

    Args:
        data_dir: the data directory; its content survives restarts.
        port: the public port; None takes any free one.
        replicas: number of processes of each service; default 1.
        options: default `StackOptions.from_environment()`.
        report: called with each step.
        services: the services to run; an empty sequence runs the databases only.
        outside_callers: callers outside the stack that get a secret, with their scopes.
        host: the machine whose programs to use; default this one.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        replicas: Mapping[str, int] = MappingProxyType({}),
        *,
        options: StackOptions | None = None,
        report: Report = silent,
        services: Sequence[Service] = SERVICES,
        outside_callers: Mapping[str, tuple[str, ...]] = OUTSIDE_CALLERS,
        host: Host | None = None,
    ) -> None:
        check_replicas(replicas, [service.name for service in services])
        self.directory = DataDirectory(data_dir.absolute())
        self.processes: dict[str, ManagedProcess] = {}
        self._requested_port = port
        self._replicas = dict(replicas)
        self._options = options or StackOptions.from_environment()
        self._report = report
        self._services = with_health_listeners(services) if self._options.certificates else tuple(services)
        self._outside_callers = dict(outside_callers)
        self._host = host or Host.current()
        self._lock = StackLock(self.directory)
        self._claims = PortClaims()
        self._ports: dict[str, dict[str, int]] = defaultdict(dict)
        self._supervisor = Supervisor(RestartPolicy(), report)
        self._groups: list[list[ManagedProcess]] = []
        self._credentials: Credentials | None = None
        self._started = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The public address for browsers and HTTP."""
        return f"http://{self.grpc_target}"

    @property
    def grpc_target(self) -> str:
        """The public address as a gRPC target, host:port."""
        return f"127.0.0.1:{self._ports['envoy']['public']}"

    @property
    def mongodb_uri(self) -> str:
        """The MongoDB that the services use."""
        return self._options.mongodb_uri or mongod_uri(self._ports["mongod"]["mongodb"])

    @property
    def redis_url(self) -> str:
        """The Valkey or Redis that the services use."""
        return self._options.redis_url or valkey_url(self._ports["valkey"]["redis"])

    @property
    def credentials(self) -> Credentials:
        """The secrets of this stack.

        Raises:
            StackError: the stack was not started.
        """
        if self._credentials is None:
            raise StackError("The stack was not started.")
        return self._credentials

    async def start(self) -> None:
        """Starts all processes and returns when they answer through the public port. On failure, stops what it started.

        Raises:
            StackError: a process cannot start; the text says why and what to do.
        """
        if self._lock.held:
            raise StackError("The stack is already running.")
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops all processes in reverse order: those that face users first, databases last. Idempotent."""
        await self._supervisor.stop()
        for group in reversed(self._groups):
            await asyncio.gather(*(self._stop(process) for process in group))
        self._groups = []
        if self._lock.held:
            self.directory.run_file.unlink(missing_ok=True)
        self._claims.release()
        self._lock.release()

    async def _start(self) -> None:
        programs = self._find_programs()
        self.directory.create()
        await asyncio.to_thread(self._lock.acquire)
        self.processes = {}
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._claim_ports(programs)
        self._credentials = load_or_create(self.directory.secrets, secret_names(self._services, self._outside_callers))
        plan = StackPlan(self.directory, programs, self._ports, self._options, self._lock.descriptor)
        await self._check_external_stores()
        await self._run(self._group(plan.stores()))
        if self._services:
            write_private(self.directory.envoy_config, plan.envoy_config(self._services, self._replicas))
            for path, text in plan.envoy_secrets().items():
                write_private(path, text)
            await self._run(self._group(plan.edge()))
            await self._run_services(plan)
            await self._check_edge()
        self._keep_running()

    def _find_programs(self) -> Programs:
        options, host = self._options, self._host
        return Programs(
            mongod=None if options.mongodb_uri else find_server(MONGOD, host),
            valkey=None if options.redis_url else find_server(VALKEY, host),
            envoy=find_server(ENVOY, host) if self._services else None,
        )

    def _claim_ports(self, programs: Programs) -> None:
        self._ports.clear()
        mutual_tls = self._options.certificates is not None
        for process, listener in listeners(self._services, self._replicas, programs, mutual_tls=mutual_tls):
            requested = self._requested_port if (process, listener) == ("envoy", "public") else None
            self._ports[process][listener] = (
                self._claims.claim_any() if requested is None else self._claims.claim(requested)
            )

    async def _check_external_stores(self) -> None:
        options, seconds = self._options, self._options.connect_deadline_seconds
        if options.mongodb_uri:
            await self._require(
                "PARLEY_MONGODB_URI: no MongoDB answers there", mongodb_reachable(options.mongodb_uri), seconds
            )
        if options.redis_url:
            await self._require(
                "PARLEY_REDIS_URL: no Redis or Valkey answers there", valkey_reachable(options.redis_url), seconds
            )

    async def _require(self, failure: str, probe: Probe, seconds: float) -> None:
        reason = await until_ready(probe, seconds)
        if reason is not None:
            raise StackError(f"{failure} ({reason}).")

    async def _run_services(self, plan: StackPlan) -> None:
        environment = StackEnvironment(
            services=self._services,
            replicas=self._replicas,
            outside_callers=self._outside_callers,
            credentials=self.credentials,
            mongodb_uri=self.mongodb_uri,
            redis_url=self.redis_url,
            public_port=self._ports["envoy"]["public"],
            options=self._options,
            internal_port=self._ports["envoy"].get("internal"),
        )
        specs = {s.name: plan.replicas(s, self._replicas, environment) for s in self._services}
        grpc_services = self._group([spec for s in self._services if s.serves_grpc for spec in specs[s.name]])
        # Processes that only users call stop first, while the services that they call still answer.
        gateways = self._group([spec for s in self._services if not s.serves_grpc for spec in specs[s.name]])
        await self._run([*grpc_services, *gateways])

    def _group(self, specs: Iterable[ProcessSpec]) -> list[ManagedProcess]:
        group = [ManagedProcess(spec, self._report, self._write_run_file) for spec in specs]
        self.processes.update({process.name: process for process in group})
        self._groups.append(group)
        return group

    async def _run(self, processes: Sequence[ManagedProcess]) -> None:
        for process in processes:
            self._report_phase(process, Phase.STARTING)
            await process.start()
        await _all(self._until_ready(process) for process in processes)

    async def _until_ready(self, process: ManagedProcess) -> None:
        try:
            await process.wait_healthy()
        except StackError:
            self._report_phase(process, Phase.FAILED)
            raise
        self._report_phase(process, Phase.READY)

    async def _check_edge(self) -> None:
        admin_port = self._ports["envoy"]["admin"]
        await self._require("Envoy does not use every replica", upstreams_healthy(admin_port), _EDGE_SECONDS)
        await _all(
            self._require(
                f"Envoy does not reach {service.name}",
                grpc_health(self.grpc_target, through_edge_to=service.name)
                if service.serves_grpc
                else http_ok(f"{self.url}/readyz"),
                _EDGE_SECONDS,
            )
            for service in self._services
        )

    def _keep_running(self) -> None:
        if self._options.restart_crashed:
            for process in self.processes.values():
                self._supervisor.watch(process)

    async def _stop(self, process: ManagedProcess) -> None:
        if process.running:
            self._report_phase(process, Phase.STOPPING)
        await process.stop()
        self._report_phase(process, Phase.STOPPED)

    def _write_run_file(self) -> None:
        url = self.url if self._services else ""
        write_run_file(self.directory, url, self._started, self.processes.values())

    def _report_phase(self, process: ManagedProcess, phase: Phase) -> None:
        self._report(Progress(process.name, phase))


async def _all(steps: Iterable[Coroutine[None, None, None]]) -> None:
    """Runs the steps concurrently. The first failure cancels the others and is raised without its group."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for step in steps:
                tasks.create_task(step)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
