"""The jobs of Kubernetes that back up and restore do so: their own scripts, run here on a real MongoDB."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import yaml

from backup.connection import Client
from cli.databases import DEFAULTS
from deploy.local.stack import LocalStack
from tests.component.backup.stores import Store, fill

JOBS = Path(__file__).parents[3] / "deploy" / "k8s" / "components" / "operations"
Run = Callable[..., Coroutine[Any, Any, tuple[int, str]]]


def container(name: str) -> dict[str, Any]:
    """The container of a job, as it stands in its manifest."""
    _, job = yaml.safe_load_all((JOBS / f"{name}.yaml").read_text())
    (found,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def folders(volume: Path) -> set[str]:
    return {folder.name for folder in volume.iterdir()}


@pytest.fixture(scope="module")
async def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A MongoDB to which no services are connected, which a restore would refuse."""
    async with LocalStack(tmp_path_factory.mktemp("own"), services=()) as stack:
        yield stack.mongodb_uri


@pytest.fixture
async def store(client: Client) -> AsyncIterator[Store]:
    """Databases of all services."""
    mark = secrets.token_hex(6)
    store = Store(client, {service: f"test_{service}_{mark}" for service in DEFAULTS})
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
    """Runs a job's script, told what its manifest says and `told`; gives its status and what it said."""
    names = " ".join(f"--database {service}={database}" for service, database in store.databases.items())
    programs = tmp_path / "bin"
    programs.mkdir()
    parley = programs / "parley"  # the command itself, for databases of this test's own
    parley.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli "$@" {names}\n')
    parley.chmod(0o700)

    async def run(name: str, **told: str) -> tuple[int, str]:
        said = container(name)
        environment = {v["name"]: v["value"] for v in said["env"] if "value" in v} | told
        process = await asyncio.create_subprocess_exec(
            *(part.replace("/backups", str(volume)) for part in said["command"]),
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

    status, said = await run("restore", FOLDER="before-upgrade")

    assert status == 0, said
    assert {key: found for key, found in (await store.content()).items() if key in before} == before


async def test_a_store_that_holds_something_is_replaced_when_that_is_said(run: Run) -> None:
    await run("backup", FOLDER="one")

    refused, said = await run("restore", FOLDER="one")
    replaced, _ = await run("restore", FOLDER="one", REPLACE="yes")

    assert refused == 1
    assert "--replace" in said
    assert replaced == 0


async def test_a_restore_that_is_not_told_of_what_says_how_to_tell(run: Run) -> None:
    status, said = await run("restore")

    assert status
    assert "kubectl set env cronjob/restore FOLDER=" in said


async def test_the_last_nights_are_kept_and_what_was_made_by_hand(run: Run, volume: Path) -> None:
    for name in ("before-upgrade", "backup-by-hand", *(f"backup-{29_400_000 + 1440 * night}" for night in range(4))):
        (volume / name).mkdir()

    status, said = await run("backup", FOLDER="backup-29405760", NIGHTS="2")

    assert status == 0, said
    assert folders(volume) == {"before-upgrade", "backup-by-hand", "backup-29404320", "backup-29405760"}


async def test_migrations_are_told_of_and_made_when_that_is_said(run: Run, store: Store) -> None:
    before = await store.content()
    told, _ = await run("migrate")
    assert told == 0
    assert await store.content() == before

    made, said = await run("migrate", DRY_RUN="")

    assert made == 0, said
    assert await store.collection("chat", "migrations").count_documents({}) > 0
