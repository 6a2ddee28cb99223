"""The scripts of the Kubernetes backup, restore and migration jobs, run on a real MongoDB."""

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
from cli.databases import DEFAULT_DATABASES
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
    parley.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli "$@" {names}\n')
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


async def test_a_restore_without_a_folder_explains_how_to_set_one(run: Run) -> None:
    status, output = await run("restore")

    assert status
    assert "kubectl set env cronjob/restore FOLDER=" in output


async def test_the_last_nights_are_kept_and_what_was_made_by_hand(run: Run, volume: Path) -> None:
    for name in ("before-upgrade", "backup-by-hand", *(f"backup-{29_400_000 + 1440 * night}" for night in range(4))):
        (volume / name).mkdir()

    status, output = await run("backup", FOLDER="backup-29405760", NIGHTS="2")

    assert status == 0, output
    assert folders(volume) == {"before-upgrade", "backup-by-hand", "backup-29404320", "backup-29405760"}


async def test_migrations_are_listed_and_applied_on_request(run: Run, store: Store) -> None:
    before = await store.content()
    status, _ = await run("migrate")
    assert status == 0
    assert await store.content() == before

    status, output = await run("migrate", DRY_RUN="")

    assert status == 0, output
    assert await store.collection("chat", "migrations").count_documents({}) > 0
