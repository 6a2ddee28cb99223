"""The scripts of the Kubernetes backup, restore and migration jobs, run on a real MongoDB."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from backup.connection import Client, connected
from backup.retention import prune
from cli.databases import DEFAULT_DATABASES
from deploy.local.binaries import MONGOD, find_server
from deploy.local.host import Host
from deploy.local.ports import PortClaims
from deploy.local.stack import LocalStack
from tests.component.backup.stores import Store, fill

JOBS = Path(__file__).parents[3] / "deploy" / "k8s" / "components" / "operations"
Run = Callable[..., Coroutine[Any, Any, tuple[int, str]]]


def container(name: str) -> dict[str, Any]:
    """Returns a job's container from its manifest."""
    _, job = yaml.safe_load_all((JOBS / f"{name}.yaml").read_text())
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return dict(container)


def folders(volume: Path) -> set[str]:
    return {folder.name for folder in volume.iterdir()}


@pytest.fixture(scope="module")
async def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Yields a MongoDB without connected services, which would make a restore fail."""
    async with LocalStack(tmp_path_factory.mktemp("own"), services=()) as stack:
        yield stack.mongodb_uri


@pytest.fixture
async def store(client: Client) -> AsyncIterator[Store]:
    """Yields filled databases of all services."""
    suffix = secrets.token_hex(6)
    store = Store(client, {service: f"test_{service}_{suffix}" for service in DEFAULT_DATABASES})
    await fill(store, 20)
    yield store
    await store.destroy()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


@pytest.fixture
def run(store: Store, mongodb_uri: str, volume: Path, tmp_path: Path) -> Run:
    """Runs a job's script with its manifest's environment and `variables`; returns its status and output."""
    names = " ".join(f"--database {service}={database}" for service, database in store.databases.items())
    programs = tmp_path / "bin"
    programs.mkdir()
    parley = programs / "parley"  # the real command, on this test's databases
    parley.write_text(
        f'#!/bin/sh\ncase "$1" in prune-backups) set -- "$@";; *) set -- "$@" {names};; esac\n'
        f'exec {sys.executable} -m cli "$@"\n'
    )
    parley.chmod(0o700)

    async def run(name: str, **variables: str) -> tuple[int, str]:
        manifest = container(name)
        environment = {v["name"]: v["value"] for v in manifest["env"] if "value" in v} | variables
        process = await asyncio.create_subprocess_exec(
            *(part.replace("/backups", str(volume)) for part in manifest["command"]),
            env={"PATH": f"{programs}:{os.environ['PATH']}", "PARLEY_MONGODB_URI": mongodb_uri, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    return run


async def test_what_a_job_backed_up_another_restores(store: Store, run: Run, volume: Path) -> None:
    before = await store.content()
    assert (await run("backup", FOLDER="before-upgrade"))[0] == 0
    assert (volume / "before-upgrade" / "manifest.json").exists()
    await store.destroy()

    status, output = await run("restore", FOLDER="before-upgrade")

    assert status == 0, output
    assert {key: content for key, content in (await store.content()).items() if key in before} == before


async def test_a_store_that_holds_something_is_replaced_on_request(run: Run) -> None:
    await run("backup", FOLDER="one")

    refused, output = await run("restore", FOLDER="one")
    replaced, _ = await run("restore", FOLDER="one", REPLACE="yes")

    assert refused == 1
    assert "--replace" in output
    assert replaced == 0


async def test_a_restore_without_a_folder_says_where_to_read_how_to_set_one(run: Run) -> None:
    status, output = await run("restore")

    assert status
    assert "docs/backup.md" in output


def test_a_restore_is_armed_in_one_job_alone() -> None:
    """The documented command sets the variables in a job and leaves the CronJob as it is."""
    kubectl = shutil.which("kubectl")
    assert kubectl, "this test needs kubectl"
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "restore-1"}}
    template = {"spec": {"restartPolicy": "Never", "containers": [container("restore")]}}
    command = [kubectl, "set", "env", "--local", "--filename=-", "FOLDER=one", "REPLACE=yes", "--output=yaml"]
    process = subprocess.run(  # noqa: S603  # a fixed command
        command,
        input=yaml.safe_dump({**job, "spec": {"template": template}}),
        capture_output=True,
        text=True,
        check=True,
    )
    (armed,) = yaml.safe_load(process.stdout)["spec"]["template"]["spec"]["containers"]
    variables = {variable["name"]: variable.get("value") for variable in armed["env"]}
    assert (variables["FOLDER"], variables["REPLACE"]) == ("one", "yes")


@pytest.fixture
async def guarded_uri(tmp_path: Path) -> AsyncIterator[str]:
    """Yields a MongoDB whose user may read and write all databases, and not list connections."""
    claims = PortClaims()
    port = claims.claim_any()
    data = tmp_path / "guarded"
    data.mkdir()
    program = str(find_server(MONGOD, Host.current()))
    options = ("--auth", "--bind_ip", "127.0.0.1", "--port", str(port), "--dbpath", str(data), "--nounixsocket")
    process = await asyncio.create_subprocess_exec(program, *options, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with connected(f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=60000") as first:
            await first.admin.command(
                "createUser", "operator", pwd="secret", roles=["readWriteAnyDatabase", "dbAdminAnyDatabase"]
            )
        yield f"mongodb://operator:secret@127.0.0.1:{port}/?authSource=admin"
    finally:
        process.terminate()
        await process.wait()
        claims.release()


async def test_a_restore_that_cannot_see_whether_services_run_refuses(run: Run, guarded_uri: str) -> None:
    """Nobody reads a mere warning in the log of a job."""
    await run("backup", FOLDER="one")

    status, output = await run("restore", FOLDER="one", PARLEY_MONGODB_URI=guarded_uri)
    ignored, further = await run("restore", FOLDER="one", PARLEY_MONGODB_URI=guarded_uri, IGNORE_CLIENTS="yes")

    assert (status, "clusterMonitor" in output) == (1, True), output
    assert "clusterMonitor" not in further
    assert ignored == 0, further


async def test_failed_nights_displace_no_complete_backup(run: Run, volume: Path) -> None:
    """Ten good nights, thirteen that failed half-way, and one good again."""
    status, output = await run("backup", FOLDER="backup-29400000")
    assert status == 0, output
    good = json.loads((volume / "backup-29400000" / "manifest.json").read_text())
    for night in range(1, 24):
        folder = volume / f"backup-{29_400_000 + 1440 * night}"
        (folder / "parley_chat").mkdir(parents=True)
        time = datetime.fromisoformat(good["time"]) + timedelta(days=night - 30)
        name = "manifest.json" if night <= 10 else "unfinished.json"
        (folder / name).write_text(json.dumps({**good, "time": time.isoformat()}))
    for name in ("before-upgrade", "backup-by-hand"):
        (volume / name).mkdir()

    status, output = await run("backup", FOLDER="backup-29434560")

    assert status == 0, output
    nights = {f"backup-{29_400_000 + 1440 * night}" for night in (0, *range(1, 11), 24)}
    assert folders(volume) == nights | {"before-upgrade", "backup-by-hand"}

    status, output = await run("backup", FOLDER="backup-29436000", NIGHTS="2")

    assert status == 0, output
    assert folders(volume) == {"backup-29434560", "backup-29436000", "before-upgrade", "backup-by-hand"}


async def test_space_is_freed_before_a_backup_that_then_fails(run: Run, volume: Path) -> None:
    (volume / "backup-29400000").mkdir()
    (volume / "backup-29400000" / "unfinished.json").write_text("{}")
    (volume / "backup-29401440").write_text("in the way")

    status, _ = await run("backup", FOLDER="backup-29401440")

    assert status
    assert folders(volume) == {"backup-29401440"}


async def test_a_backup_in_progress_and_a_damaged_one_are_not_pruned(tmp_path: Path) -> None:
    writing, damaged, mine = (tmp_path / f"backup-{n}" for n in (1, 2, 3))
    for folder in (writing, damaged, mine):
        folder.mkdir()
    (damaged / "manifest.json").write_text("{")
    descriptor = os.open(writing, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        pruned = prune(tmp_path, 1, current="backup-3")
    finally:
        os.close(descriptor)
    assert pruned == ([], [], ["backup-2"])
    assert folders(tmp_path) == {"backup-1", "backup-2", "backup-3"}


async def test_migrations_are_listed_and_applied_on_request(run: Run, store: Store) -> None:
    before = await store.content()
    status, _ = await run("migrate")
    assert status == 0
    assert await store.content() == before

    status, output = await run("migrate", DRY_RUN="")

    assert status == 0, output
    assert await store.collection("chat", "migrations").count_documents({}) > 0
