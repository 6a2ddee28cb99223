"""What is seen of the image while its processes run: confined, healthy, of use to people, and gone when told to go."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.docker.plan import Plan
from tests.docker.rehearsal.containers import Host, ours
from tests.docker.rehearsal.errors import RehearsalError

Processes = Mapping[str, subprocess.Popen[bytes]]

_BUILDERS: Final = ("gcc", "cc", "make", "pip", "pip3", "git", "curl", "wget")
_MODULES: Final = ("pip", "setuptools", "wheel", "pytest", "grpc_tools")
_PEOPLE: Final = {"sales": "sales", "lead": "lead"}
"""Those who talk in the demo, with their roles."""
_PASSWORD: Final = {"PARLEY_NEW_PASSWORD": "parley-demo"}
_ENVOY: Final = "http://envoy:8080"
_TOOL: Final = "parley"
_SECONDS: Final = re.compile(r"(\d+)s")


def nothing_builds(host: Host) -> str:
    """Nothing in the image compiles, downloads or installs."""
    found = [name for name in _BUILDERS if host.run_as_root(["sh", "-c", f"command -v {name}"]).returncode == 0]
    found += [name for name in _MODULES if host.run_as_root(["python", "-c", f"import {name}"]).returncode == 0]
    _expect(not found, f"the image has {', '.join(found)}")
    return f"none of {', '.join(_BUILDERS)}, nor of the modules {', '.join(_MODULES)}"


def nobody_writes(host: Host) -> str:
    """Not even root."""
    for place in ("/opt/parley/x", "/etc/x", "/x"):
        done = host.run_as_root(["touch", place])
        _expect("Read-only file system" in done.stderr, f"root can write {place}")
    return "the root is read-only"


def nobody_is_well_before(host: Host, plan: Plan) -> str:
    """The health check notices that nothing runs."""
    for name in ours(plan):
        _expect(host.health(name).returncode == 1, f"{name} is healthy, and does not run")
    return "the health check fails for each process that does not run yet"


def is_confined(plan: Plan, processes: Processes) -> str:
    """What the kernel says of each process."""
    for name, process in processes.items():
        status = Path(f"/proc/{process.pid}/status").read_text()
        told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        user, _, group = (plan.image.last("USER") or plan.image.instructions[0]).value.partition(":")
        _expect("0" not in {user, group}, f"{name} is to run as root")
        _expect(told["Uid"].split() == [user] * 4 and told["Gid"].split() == [group] * 4, f"{name} runs as another")
        _expect(int(told["CapEff"], 16) == 0 and int(told["CapBnd"], 16) == 0, f"{name} has capabilities")
        _expect(told["NoNewPrivs"] == "1", f"{name} can gain privileges")
    return "each process is the numeric user, without capabilities, and can't gain any"


def people_talk(host: Host) -> str:
    """The parley command of the image makes an organization and two people, who then talk."""
    _called(host, ["org", "add", "demo", "--url", _ENVOY])
    for person, role in _PEOPLE.items():
        _called(
            host,
            [
                "user",
                "add",
                person,
                "--role",
                role,
                "--email",
                f"{person}@demo.example",
                "--team",
                "east",
                "--url",
                _ENVOY,
            ],
        )
    said = _called(host, ["demo", "--url", _ENVOY])
    return f"two people talked through Envoy and all processes: {said.strip().splitlines()[-1].strip()}"


def keys_can_be_made(host: Host) -> str:
    """By the image itself, where a machine has no Python."""
    done = host.run(_TOOL, ["python", "-m", "deploy.docker.keys", "/tmp/keys"])  # noqa: S108  # of the container
    _expect(done.returncode == 0, f"deploy.docker.keys ended with {done.returncode}:\n{done.stderr}")
    return "the image makes the first keys"


def databases_are_kept(host: Host) -> str:
    """The parley command finds the replica set by its name, nothing that the services left to do, and copies all."""
    said = _called(host, ["migrate", "--dry-run"])
    _expect("pending" not in said, f"the services left something to do:\n{said}")
    _called(host, ["backup", "--to", "/tmp/backup"])  # noqa: S108  # of the container
    return "parley migrate finds the replica set and nothing to do; parley backup copies it"


def all_end(plan: Plan, processes: Processes) -> str:
    """By themselves, and within their time."""
    for process in processes.values():
        process.send_signal(signal.SIGTERM)
    for name, process in processes.items():
        period = _SECONDS.fullmatch(plan.containers[name]["stop_grace_period"])
        try:
            status = process.wait(timeout=float(period[1]) if period else 10.0)
        except subprocess.TimeoutExpired:
            raise RehearsalError(f"{name} does not end when it is told to") from None
        _expect(status == 0, f"{name} ended with {status} when it was told to end")
    return "each process ends with 0 on SIGTERM, within its stop_grace_period"


def wait_until_well(host: Host, processes: Processes, until: Callable[[str, Callable[[], bool]], None]) -> str:
    """The health check of each container passes."""
    for name, process in processes.items():

        def well(name: str = name, process: subprocess.Popen[bytes] = process) -> bool:
            _expect(process.poll() is None, f"{name} ended with {process.returncode}")
            return host.health(name).returncode == 0

        until(f"{name} is healthy", well)
    return f"{', '.join(processes)} are healthy by the image's health check"


def _called(host: Host, arguments: list[str]) -> str:
    done = host.run(_TOOL, [_TOOL, *arguments], _PASSWORD)
    _expect(
        done.returncode == 0, f"parley {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    )
    return done.stdout


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RehearsalError(otherwise)
