"""Interrupted backups and restores resume or explain why they cannot; neither mixes two snapshots."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pymongo.errors import OperationFailure

from backup import manifest
from backup.connection import connected, explain
from backup.dump import take_backup
from backup.errors import BackupError
from backup.pages import pages, snapshot_at
from backup.progress import Phase, Progress
from backup.restore import restore_backup
from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from tests.component.backup.stores import Store, fill, new_store

DOCUMENTS = 60


class CutOffError(Exception):
    pass


def interrupting(phase: Phase, name: str, at: int) -> Callable[[Progress], None]:
    """Returns a report callback that aborts when a collection reaches a step."""

    def report(progress: Progress) -> None:
        if (progress.phase, progress.name) == (phase, name) and progress.done >= at:
            raise CutOffError

    return report


async def interrupted_backup(store: Store, folder: Path) -> None:
    """Leaves an interrupted backup: the first collection and half of the second are on disk."""
    await fill(store, DOCUMENTS)
    report = interrupting(Phase.COPY, "notify.things", 40)
    with pytest.raises(CutOffError):
        await take_backup(store.client, store.databases, folder, report=report, chunk_bytes=500, page_documents=10)


async def test_a_backup_goes_on_where_it_was_and_stays_of_its_moment(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    await interrupted_backup(store, folder)
    before = await store.content()
    unfinished = manifest.read(folder / manifest.UNFINISHED)
    assert [copy.documents for copy in unfinished.collections] == [60, 30]
    finished_file = unfinished.collections[0].data(folder)
    written = finished_file.stat().st_mtime_ns
    await store.collection("notify", "things").update_many({}, {"$set": {"text": "later"}})
    await store.collection("notify", "things").insert_one({"_id": "later"})
    taken = await take_backup(store.client, store.databases, folder, page_documents=10)
    assert (taken.backup_id, taken.time) == (unfinished.backup_id, unfinished.time)
    assert finished_file.stat().st_mtime_ns == written
    await restore_backup(store.client, store.databases, folder, replace=True)
    assert await store.content() == before


@pytest.mark.parametrize("harm", ["cut", "changed", "gone", "longer"])
async def test_what_was_harmed_on_disk_meanwhile_is_copied_again(store: Store, tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "b"
    await interrupted_backup(store, folder)
    before = await store.content()
    for copy in manifest.read(folder / manifest.UNFINISHED).collections:
        path = copy.data(folder)
        content = path.read_bytes()
        match harm:
            case "cut":
                path.write_bytes(content[: len(content) // 2])
            case "changed":
                path.write_bytes(content[:900] + b"?" + content[901:])
            case "gone":
                path.unlink()
            case _:
                path.write_bytes(content + b"half a page")
    await take_backup(store.client, store.databases, folder)
    await restore_backup(store.client, store.databases, folder, replace=True)
    assert await store.content() == before


@pytest.fixture
async def forgetful_uri(tmp_path: Path) -> AsyncIterator[str]:
    """Yields a MongoDB of the test's own, whose snapshot history may be turned off."""
    async with LocalStack(tmp_path / "stack", services=(), options=StackOptions()) as stack:
        yield stack.mongodb_uri


@pytest.fixture
async def forgetful(forgetful_uri: str) -> AsyncIterator[Store]:
    async with connected(forgetful_uri) as client, new_store(client) as store:
        yield store


async def still_has_the_snapshot(store: Store, folder: Path) -> bool:
    """Whether MongoDB still has the snapshot of an unfinished backup."""
    read_concern = snapshot_at(manifest.read(folder / manifest.UNFINISHED).timestamp)
    try:
        async for _ in pages(store.client, store.databases["notify"], "things", read_concern):
            pass
    except OperationFailure as error:
        assert error.code == 239, error  # SnapshotTooOld
        return False
    return True


async def test_a_backup_whose_moment_is_gone_is_not_mixed_with_another(
    forgetful: Store, forgetful_uri: str, tmp_path: Path
) -> None:
    folder = tmp_path / "b"
    await interrupted_backup(forgetful, folder)
    await forgetful.client.admin.command({"setParameter": 1, "minSnapshotHistoryWindowInSeconds": 0})
    async with asyncio.timeout(60):
        while await still_has_the_snapshot(forgetful, folder):
            await forgetful.collection("notify", "things").update_many({}, {"$inc": {"n": 1}})
    with pytest.raises(BackupError, match="no longer has the snapshot"):
        async with connected(forgetful_uri) as client:
            await take_backup(client, forgetful.databases, folder)
    assert not (folder / manifest.MANIFEST).exists()


async def test_a_recreated_collection_is_not_mixed_with_its_predecessor(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    await interrupted_backup(store, folder)
    await store.collection("notify", "things").drop()
    await store.collection("notify", "things").insert_one({"_id": "of another life"})
    with pytest.raises(OperationFailure) as refusal:
        await take_backup(store.client, store.databases, folder)
    assert "a collection was dropped or recreated meanwhile" in explain(refusal.value)


@pytest.fixture
async def own_stack(tmp_path: Path) -> AsyncIterator[LocalStack]:
    """Yields databases of the test's own, restarted when they die."""
    async with LocalStack(tmp_path / "stack", services=(), options=StackOptions()) as stack:
        yield stack


@pytest.mark.parametrize("phase", [Phase.COPY, Phase.LOAD, Phase.COMPARE])
async def test_a_mongod_that_dies_and_comes_back_holds_it_up_and_no_more(
    own_stack: LocalStack, tmp_path: Path, phase: Phase
) -> None:
    deaths: list[Phase] = []

    def kill(progress: Progress) -> None:
        if progress.phase is phase and progress.done >= 3_000 and not deaths:
            deaths.append(phase)
            os.kill(own_stack.processes["mongod"].pid, signal.SIGKILL)

    async with connected(own_stack.mongodb_uri) as client, new_store(client) as store:
        await fill(store, 9_000)
        before = await store.content()
        await take_backup(client, store.databases, tmp_path / "b", report=kill, page_documents=1_000)
        await restore_backup(client, store.databases, tmp_path / "b", replace=True, report=kill)
        assert await store.content() == before
    assert deaths == [phase]


@pytest.mark.parametrize(
    ("phase", "name", "at"),
    [
        (Phase.LOAD, "chat.things", 20),
        (Phase.COMPARE, "chat.things", 1),
        (Phase.INDEX, "chat.things", 0),
        (Phase.LOAD, "notify.things", 40),
        (Phase.INDEX, "notify.things", 1),
    ],
)
async def test_a_restore_goes_on_where_it_was(store: Store, tmp_path: Path, phase: Phase, name: str, at: int) -> None:
    folder = tmp_path / "b"
    await fill(store, DOCUMENTS)
    await store.collection("chat", "things").create_index("n", unique=True)
    before = await store.content()
    await take_backup(store.client, store.databases, folder, chunk_bytes=500, page_documents=10)
    await store.destroy()
    with pytest.raises(CutOffError):
        await restore_backup(store.client, store.databases, folder, report=interrupting(phase, name, at))
    with pytest.raises(BackupError, match="unfinished restore"):
        await take_backup(store.client, store.databases, tmp_path / "of half a store")
    await restore_backup(store.client, store.databases, folder)
    assert await store.content() == before


async def test_an_unfinished_restore_of_another_backup_is_not_gone_on_with(store: Store, tmp_path: Path) -> None:
    await fill(store, DOCUMENTS)
    for name in ("one", "other"):
        await take_backup(store.client, store.databases, tmp_path / name)
    before = await store.content()
    with pytest.raises(CutOffError):
        report = interrupting(Phase.LOAD, "notify.things", 1)
        await restore_backup(store.client, store.databases, tmp_path / "one", replace=True, report=report)
    with pytest.raises(BackupError, match="unfinished restore of another backup"):
        await restore_backup(store.client, store.databases, tmp_path / "other")
    await restore_backup(store.client, store.databases, tmp_path / "other", replace=True)
    assert await store.content() == before


async def test_a_restore_into_which_something_else_writes_is_refused(store: Store, tmp_path: Path) -> None:
    await fill(store, DOCUMENTS)
    before = await store.content()
    await take_backup(store.client, store.databases, tmp_path / "b")
    await store.destroy()
    with pytest.raises(CutOffError):
        report = interrupting(Phase.LOAD, "notify.things", 1)
        await restore_backup(store.client, store.databases, tmp_path / "b", report=report)
    await store.collection("notify", "things").insert_one({"_id": "from elsewhere"})
    with pytest.raises(BackupError, match="something else writes to it"):
        await restore_backup(store.client, store.databases, tmp_path / "b")
    with pytest.raises(BackupError, match="--replace"):
        await restore_backup(store.client, store.databases, tmp_path / "b")
    await restore_backup(store.client, store.databases, tmp_path / "b", replace=True)
    assert await store.content() == before
