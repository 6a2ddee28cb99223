"""Checks of the built image and of its running processes. Each returns a line that says what holds."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.docker.plan import Plan
from tests.docker.rehearsal.containers import Engine, process_names
from tests.docker.rehearsal.errors import RehearsalError

Processes = Mapping[str, subprocess.Popen[bytes]]

_BUILDERS: Final = ("gcc", "cc", "make", "pip", "pip3", "git", "curl", "wget")
_MODULES: Final = ("pip", "setuptools", "wheel", "pytest", "grpc_tools")
_PEOPLE: Final = {"sales": "sales", "lead": "lead"}
"""The demo's users and their roles."""
_PASSWORD: Final = {"PARLEY_NEW_PASSWORD": "parley-demo"}
_ENVOY: Final = "http://envoy:8080"
_TOOL: Final = "parley"
_SECONDS: Final = re.compile(r"(\d+)s")


def contains_no_build_tools(engine: Engine) -> str:
    """The image contains no compiler, downloader or installer."""
    tools = [name for name in _BUILDERS if engine.run_as_root(["sh", "-c", f"command -v {name}"]).returncode == 0]
    tools += [name for name in _MODULES if engine.run_as_root(["python", "-c", f"import {name}"]).returncode == 0]
    _expect(not tools, f"the image contains {', '.join(tools)}")
    return f"the image contains none of {', '.join(_BUILDERS)} and no module of {', '.join(_MODULES)}"


def root_is_read_only(engine: Engine) -> str:
    """Not even root can write to the image."""
    for place in ("/opt/parley/x", "/etc/x", "/x"):
        process = engine.run_as_root(["touch", place])
        _expect("Read-only file system" in process.stderr, f"root can write {place}")
    return "the root file system is read-only"


def is_unhealthy_before_start(engine: Engine, plan: Plan) -> str:
    """The health check fails before the processes start."""
    for name in process_names(plan):
        _expect(engine.health(name).returncode == 1, f"{name} is healthy but not running")
    return "the health check fails before each process starts"


def is_confined(plan: Plan, processes: Processes) -> str:
    """The kernel reports each process as unprivileged."""
    for name, process in processes.items():
        status = Path(f"/proc/{process.pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        user, _, group = (plan.image.last("USER") or plan.image.instructions[0]).value.partition(":")
        _expect("0" not in {user, group}, f"{name} runs as root")
        _expect(
            fields["Uid"].split() == [user] * 4 and fields["Gid"].split() == [group] * 4, f"{name} runs as another user"
        )
        _expect(int(fields["CapEff"], 16) == 0 and int(fields["CapBnd"], 16) == 0, f"{name} has capabilities")
        _expect(fields["NoNewPrivs"] == "1", f"{name} can gain privileges")
    return "each process runs as the image's user, without capabilities, and cannot gain privileges"


def users_chat(engine: Engine) -> str:
    """The image's parley command creates an organization and two users, and runs the demo."""
    _run(engine, ["org", "add", "demo", "--url", _ENVOY])
    for person, role in _PEOPLE.items():
        options = ["--role", role, "--email", f"{person}@demo.example", "--team", "east"]
        _run(engine, ["user", "add", person, *options, "--url", _ENVOY])
    output = _run(engine, ["demo", "--url", _ENVOY])
    return f"two users chat through Envoy and all processes: {output.strip().splitlines()[-1].strip()}"


def generates_keys(engine: Engine) -> str:
    """The image generates the keys, for machines without Python."""
    process = engine.run(_TOOL, ["python", "-m", "deploy.docker.keys", "/tmp/keys"])  # noqa: S108  # in the container
    _expect(process.returncode == 0, f"deploy.docker.keys exited with {process.returncode}:\n{process.stderr}")
    return "the image generates the keys"


def migrates_and_backs_up(engine: Engine) -> str:
    """The parley command connects to the replica set, finds no pending migrations, and takes a backup."""
    output = _run(engine, ["migrate", "--dry-run"])
    _expect("pending" not in output, f"migrations are pending:\n{output}")
    _run(engine, ["backup", "--to", "/tmp/backup"])  # noqa: S108  # in the container
    return "parley migrate finds no pending migrations; parley backup succeeds"


def stops_in_time(plan: Plan, processes: Processes) -> str:
    """All processes exit on SIGTERM within their stop grace period."""
    for process in processes.values():
        process.send_signal(signal.SIGTERM)
    for name, process in processes.items():
        period = _SECONDS.fullmatch(plan.containers[name]["stop_grace_period"])
        try:
            status = process.wait(timeout=float(period[1]) if period else 10.0)
        except subprocess.TimeoutExpired:
            raise RehearsalError(f"{name} does not exit on SIGTERM in time") from None
        _expect(status == 0, f"{name} exited with {status} on SIGTERM")
    return "each process exits with 0 on SIGTERM within its stop_grace_period"


def becomes_healthy(engine: Engine, processes: Processes, until: Callable[[str, Callable[[], bool]], None]) -> str:
    """Waits until each container's health check passes."""
    for name, process in processes.items():

        def healthy(name: str = name, process: subprocess.Popen[bytes] = process) -> bool:
            _expect(process.poll() is None, f"{name} exited with {process.returncode}")
            return engine.health(name).returncode == 0

        until(f"{name} is healthy", healthy)
    return f"{', '.join(processes)} are healthy by the image's health check"


def _run(engine: Engine, arguments: list[str]) -> str:
    process = engine.run(_TOOL, [_TOOL, *arguments], _PASSWORD)
    _expect(
        process.returncode == 0,
        f"parley {' '.join(arguments)} exited with {process.returncode}:\n{process.stdout}{process.stderr}",
    )
    return process.stdout


def _expect(condition: bool, problem: str) -> None:
    if not condition:
        raise RehearsalError(problem)
