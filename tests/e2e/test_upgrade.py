"""An upgrade and a downgrade under load, with replicas of both versions running side by side, without any error."""

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
from tests.faults.run import LogLine, Outcome, RunOptions, run
from tests.faults.stack import ProxiedStack

# The version of each part, step by step; the run starts with the current version.
STEPS = (("services", "before"), ("gateway", "before"), ("services", "now"), ("gateway", "now"))
BETWEEN_STEPS_SECONDS = 2.0
EDGE_SECONDS = 90.0


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the previous release."""
    folder = tmp_path_factory.mktemp("before")
    try:
        extract(earlier_release(), folder)
    except NoHistoryError as reason:
        pytest.skip(f"no earlier release to upgrade from: {reason}")
    return folder


def python_path(root: Path) -> str:
    return os.pathsep.join(str(root / part) for part in (".", "gen", "clients/python"))


def running_from(process: ManagedProcess, root: Path) -> None:
    """Makes a process run the code of a checkout when it starts next."""
    environment = {**process.spec.environment, "PYTHONPATH": python_path(root)}
    process.spec = replace(process.spec, working_directory=root, environment=environment)


def code_of(process: ManagedProcess) -> Path:
    """Returns the working directory of a running process."""
    return Path(f"/proc/{process.pid}/cwd").readlink()


@dataclass
class Upgrade:
    """Carries out the steps: restarts the first replica of every service, then the second."""

    stack: ProxiedStack
    log: LogLine
    roots: dict[str, Path]

    async def run(self, seconds: float) -> None:
        """Runs all steps, regardless of `seconds`."""
        for part, version in STEPS:
            await asyncio.sleep(BETWEEN_STEPS_SECONDS)
            self.log(f"{part}: {version}")
            own = [self.stack.local.processes[name] for name in self.stack.own_processes]
            affected = [process for process in own if (part == "gateway") == process.name.startswith("gateway-")]
            for number in ("-1", "-2"):
                await self._restart([p for p in affected if p.name.endswith(number)], self.roots[version])
        await asyncio.sleep(BETWEEN_STEPS_SECONDS)

    async def _restart(self, processes: Sequence[ManagedProcess], root: Path) -> None:
        for process in processes:
            running_from(process, root)
        await asyncio.gather(*(process.restart() for process in processes))
        for process in processes:
            assert code_of(process) == root
        admin_port = self.stack.local.processes["envoy"].spec.ports["admin"]
        reason = await until_ready(upstreams_healthy(admin_port), EDGE_SECONDS)
        if reason is not None:
            self.stack.crashes.append(reason)


def test_the_previous_release_runs_its_own_code(before: Path) -> None:
    """Protos, services and gateway come from its folder, not from that of the tests."""
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
    completed = subprocess.run(command, env=environment, cwd=before, check=True, capture_output=True)  # noqa: S603
    files = [Path(line).resolve() for line in completed.stdout.decode().splitlines()]
    assert len(files) == len(modules)
    assert [file for file in files if before.resolve() not in file.parents] == []


@pytest.mark.timeout(900)
async def test_upgrade_and_downgrade_cause_no_error(before: Path, tmp_path: Path) -> None:
    roots = {"before": before, "now": REPOSITORY}
    lines: list[str] = []

    def upgrade(stack: ProxiedStack, _: Outcome, log: LogLine) -> Upgrade:
        return Upgrade(stack, log, roots)

    options = RunOptions(seconds=1.0, rate=40.0, clients=20, rolling=True)
    outcome = await run(options, tmp_path, lines.append, upgrade)
    assert outcome.violations == [], lines
    assert outcome.history.acknowledged > 100
    assert [line for line in lines if line.endswith((": before", ": now"))] == [f"{p}: {v}" for p, v in STEPS]
