"""Runs MongoDB, Valkey and Envoy as in compose.yaml, with the local stack's programs instead of their images."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final

import pymongo
import redis
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from deploy.envoy_edit import CONFIG
from deploy.local.binaries import ENVOY, MONGOD, VALKEY, Server, find_server
from deploy.local.host import Host
from tests.docker.plan import Plan
from tests.docker.rehearsal.errors import RehearsalError

_PROGRAMS: Final = {"mongodb": MONGOD, "valkey": VALKEY, "envoy": ENVOY}
_START_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2
_REPLICA_SET: Final = {"_id": "parley", "members": [{"_id": 0, "host": "mongodb:27017"}]}
"""The replica set that mongodb-set initiates by mongosh, which is unavailable here; a policy checks its names."""


@contextmanager
def running(plan: Plan, scratch: Path) -> Iterator[None]:
    """Runs the three servers; yields once they serve."""
    with ExitStack() as stack:
        for name, server in _PROGRAMS.items():
            log = stack.enter_context((scratch / f"{name}.log").open("wb"))
            process = _start(plan, name, server, scratch, log)
            stack.callback(_stop, process)
        until("MongoDB is healthy", lambda: _is_healthy(plan, "mongodb"))
        until("MongoDB is primary", _is_primary)
        until("Valkey answers", _valkey_answers)
        until("Envoy is healthy", lambda: _is_healthy(plan, "envoy"))
        yield


def until(description: str, condition: Callable[[], bool], seconds: float = _START_SECONDS) -> None:
    """Waits until a condition holds. Raises RehearsalError on a timeout."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RehearsalError(f"timed out after {seconds:g} s: {description}")
        time.sleep(_POLL_SECONDS)


def _start(plan: Plan, name: str, server: Server, scratch: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts a server with compose.yaml's arguments, and scratch folders instead of its volumes."""
    container = plan.containers[name]
    paths = {"/etc/envoy/envoy.yaml": str(CONFIG), "/data/db": str(scratch / name), "/data": str(scratch / name)}
    (scratch / name).mkdir()
    command = [str(find_server(server, Host.current())), *(paths.get(part, part) for part in container["command"])]
    return subprocess.Popen(command, stdout=log, stderr=log, cwd=scratch)  # noqa: S603  # from compose.yaml


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_primary() -> bool:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        "mongodb://mongodb:27017/?directConnection=true", serverSelectionTimeoutMS=1000
    )
    with client:
        try:
            hello = client.admin.command("hello")
            if "setName" not in hello:
                client.admin.command({"replSetInitiate": _REPLICA_SET})
        except PyMongoError:
            return False
        return bool(hello["isWritablePrimary"])


def _valkey_answers() -> bool:
    with redis.Redis.from_url("redis://valkey:6379/0", socket_timeout=1) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


def _is_healthy(plan: Plan, name: str) -> bool:
    """Runs the container's own health check."""
    _, *command = plan.containers[name]["healthcheck"]["test"]
    check = [part.replace("$$", "$") for part in command]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0  # noqa: S603
