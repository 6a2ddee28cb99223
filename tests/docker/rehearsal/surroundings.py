"""MongoDB, Valkey and Envoy as compose.yaml starts them, by the programs of the local stack instead of their images."""

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
_LOOK_SECONDS: Final = 0.2
_SET: Final = {"_id": "parley", "members": [{"_id": 0, "host": "mongodb:27017"}]}
"""What mongodb-set does with mongosh, which is not here; a policy holds compose.yaml to these names."""


@contextmanager
def running(plan: Plan, scratch: Path) -> Iterator[None]:
    """Starts them, waits until they serve, and ends them."""
    with ExitStack() as stack:
        for name, server in _PROGRAMS.items():
            log = stack.enter_context((scratch / f"{name}.log").open("wb"))
            process = _started(plan, name, server, scratch, log)
            stack.callback(_end, process)
        until("MongoDB is healthy", lambda: _is_healthy(plan, "mongodb"))
        until("MongoDB is primary", _is_primary)
        until("Valkey answers", _answers)
        until("Envoy is healthy", lambda: _is_healthy(plan, "envoy"))
        yield


def until(what: str, holds: Callable[[], bool], seconds: float = _START_SECONDS) -> None:
    """Waits for something. Raises RehearsalError when it takes too long."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise RehearsalError(f"it is not so after {seconds:g} s: {what}")
        time.sleep(_LOOK_SECONDS)


def _started(plan: Plan, name: str, server: Server, scratch: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """With the arguments of compose.yaml, and folders of ours in the place of its volumes."""
    container = plan.containers[name]
    places = {"/etc/envoy/envoy.yaml": str(CONFIG), "/data/db": str(scratch / name), "/data": str(scratch / name)}
    (scratch / name).mkdir()
    command = [str(find_server(server, Host.current())), *(places.get(part, part) for part in container["command"])]
    return subprocess.Popen(command, stdout=log, stderr=log, cwd=scratch)  # noqa: S603  # what compose.yaml says


def _end(process: subprocess.Popen[bytes]) -> None:
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
                client.admin.command({"replSetInitiate": _SET})
        except PyMongoError:
            return False
        return bool(hello["isWritablePrimary"])


def _answers() -> bool:
    with redis.Redis.from_url("redis://valkey:6379/0", socket_timeout=1) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


def _is_healthy(plan: Plan, name: str) -> bool:
    """What the container's own check says: its shell and what it asks are the same here."""
    _, *command = plan.containers[name]["healthcheck"]["test"]
    asked = [part.replace("$$", "$") for part in command]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0  # noqa: S603
