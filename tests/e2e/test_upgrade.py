"""An upgrade and a way back: this version and the release before run side by side, people talk, and nobody notices."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from deploy.local.envoy import upstreams_healthy
from deploy.local.plan import REPOSITORY
from deploy.local.probes import until_ready
from deploy.local.process import ManagedProcess
from tests.earlier import NoHistoryError, earlier_release, extract
from tests.faults.run import Choices, Outcome, Tell, run
from tests.faults.stage import Stage

# Whose code the services and the gateways run, one step after the other; all begin with today's.
STEPS = (("services", "before"), ("gateway", "before"), ("services", "now"), ("gateway", "now"))
BETWEEN_STEPS_SECONDS = 2.0
EDGE_SECONDS = 90.0


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as of the release before."""
    folder = tmp_path_factory.mktemp("before")
    try:
        extract(earlier_release(), folder)
    except NoHistoryError as reason:
        pytest.skip(f"no earlier release to upgrade from: {reason}")
    return folder


def python_path(root: Path) -> str:
    return os.pathsep.join(str(root / part) for part in (".", "gen", "clients/python"))


def running_from(process: ManagedProcess, root: Path) -> None:
    """Has a process run the code of a checkout when it is started next."""
    environment = {**process.spec.environment, "PYTHONPATH": python_path(root)}
    process.spec = replace(process.spec, working_directory=root, environment=environment)


def code_of(process: ManagedProcess) -> Path:
    """Where a process that runs has been started."""
    return Path(f"/proc/{process.pid}/cwd").readlink()


@dataclass
class Upgrade:
    """Goes through the steps; of every service one replica is restarted, then the other."""

    stage: Stage
    tell: Tell
    roots: dict[str, Path]

    async def run(self, seconds: float) -> None:
        """Takes as long as it takes, whatever was asked for."""
        for part, version in STEPS:
            await asyncio.sleep(BETWEEN_STEPS_SECONDS)
            self.tell(f"{part}: {version}")
            own = [self.stage.stack.processes[name] for name in self.stage.own_processes]
            concerned = [process for process in own if (part == "gateway") == process.name.startswith("gateway-")]
            for number in ("-1", "-2"):
                await self._restart([p for p in concerned if p.name.endswith(number)], self.roots[version])
        await asyncio.sleep(BETWEEN_STEPS_SECONDS)

    async def _restart(self, processes: Sequence[ManagedProcess], root: Path) -> None:
        for process in processes:
            running_from(process, root)
        await asyncio.gather(*(process.restart() for process in processes))
        for process in processes:
            assert code_of(process) == root
        admin_port = self.stage.stack.processes["envoy"].spec.ports["admin"]
        reason = await until_ready(upstreams_healthy(admin_port), EDGE_SECONDS)
        if reason is not None:
            self.stage.crashes.append(reason)


def test_the_release_before_would_run_its_own_code(before: Path) -> None:
    """Contracts, services and gateway come from its folder, and not from where the tests are."""
    modules = (
        "chassis.errors",
        "services.chat.wiring",
        "gateway.wiring",
        "parley.chat.v1.message_pb2",
        "parley_client",
    )
    program = f"import sys, {', '.join(modules)}; print(*(sys.modules[m].__file__ for m in {modules!r}), sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": python_path(before)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, cwd=before, check=True, capture_output=True)  # noqa: S603
    files = [Path(line).resolve() for line in done.stdout.decode().splitlines()]
    assert len(files) == len(modules)
    assert [file for file in files if before.resolve() not in file.parents] == []


@pytest.mark.timeout(900)
async def test_nobody_notices_an_upgrade_or_the_way_back(before: Path, tmp_path: Path) -> None:
    roots = {"before": before, "now": REPOSITORY}
    told: list[str] = []

    def upgrade(stage: Stage, _: Outcome, tell: Tell) -> Upgrade:
        return Upgrade(stage, tell, roots)

    choices = Choices(seconds=1.0, rate=40.0, clients=20, rolling=True)
    outcome = await run(choices, tmp_path, told.append, upgrade)
    assert outcome.violations == [], told
    assert outcome.history.acknowledged > 100
    assert [line for line in told if line.endswith((": before", ": now"))] == [f"{p}: {v}" for p, v in STEPS]
