"""Impossible backups and restores fail with a clear error before anything changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from backup import manifest
from backup.connection import connected
from backup.dump import take_backup
from backup.errors import BackupError
from backup.restore import restore_backup
from tests.component.backup.stores import Store, fill


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("mongodb://ann:pass-word@127.0.0.1:1/?serverSelectionTimeoutMS=200", "does not answer"),
        ("mongodb://ann:pass-word@127.0.0.1:port/", "Invalid MongoDB URI"),
        ("postgres://ann:pass-word@127.0.0.1/", "Invalid MongoDB URI"),
        ("mongodb://ann:pass-word@", "Invalid MongoDB URI"),
        ("mongodb://ann:pass-word@127.0.0.1/?replicaSet=pass-word&directConnection=pass-word&tls=1", "."),
    ],
)
async def test_an_unusable_address_is_reported_without_its_password(uri: str, sentence: str) -> None:
    with pytest.raises(BackupError, match=sentence) as refusal:
        async with connected(uri):
            pass
    assert "pass-word" not in str(refusal.value)


async def test_rejected_credentials_are_reported_without_them(mongodb_uri: str) -> None:
    address = mongodb_uri.replace("mongodb://", "mongodb://ann:pass-word@")
    with pytest.raises(BackupError, match="credentials") as refusal:
        async with connected(address):
            pass
    assert "pass-word" not in str(refusal.value)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_folder_that_holds_something_else_is_left_alone(store: Store, tmp_path: Path) -> None:
    await fill(store, 5)
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(BackupError, match="not empty"):
        await take_backup(store.client, store.databases, tmp_path)
    with pytest.raises(BackupError, match="Cannot write to"):
        await take_backup(store.client, store.databases, tmp_path / "letter")
    assert names_in(tmp_path) == ["letter"]


async def test_a_finished_backup_is_not_written_over(store: Store, tmp_path: Path) -> None:
    await fill(store, 5)
    await take_backup(store.client, store.databases, tmp_path / "b")
    with pytest.raises(BackupError, match="finished backup"):
        await take_backup(store.client, store.databases, tmp_path / "b")


async def test_a_database_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    await fill(store, 5)
    with pytest.raises(BackupError, match=r"auth database 'test_nothing' does not exist; .*--database auth=NAME"):
        await take_backup(store.client, {**store.databases, "auth": "test_nothing"}, tmp_path / "b")


async def test_a_store_that_holds_something_is_not_restored_over(store: Store, tmp_path: Path) -> None:
    await fill(store, 5)
    await take_backup(store.client, store.databases, tmp_path / "b")
    await store.collection("chat", "things").insert_one({"_id": "later"})
    before = await store.content()
    with pytest.raises(BackupError, match=r"not empty; --replace"):
        await restore_backup(store.client, store.databases, tmp_path / "b")
    assert await store.content() == before


async def test_a_missing_backup_is_reported(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="No backup in"):
        await restore_backup(store.client, store.databases, tmp_path)
    (tmp_path / manifest.UNFINISHED).write_text("{}")
    with pytest.raises(BackupError, match="not finished"):
        await restore_backup(store.client, store.databases, tmp_path)


def spoil_documents(folder: Path) -> None:
    path = next(folder.rglob("*.bson"))
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def cut_documents(folder: Path) -> None:
    path = next(folder.rglob("*.bson"))
    path.write_bytes(path.read_bytes()[:-1])


def lose_documents(folder: Path) -> None:
    next(folder.rglob("*.bson")).unlink()


def spoil_indexes(folder: Path) -> None:
    path = next(folder.rglob("*.metadata.json"))
    path.write_text(path.read_text().replace("_id_", "_ix_"))


def cut_manifest(folder: Path) -> None:
    path = folder / manifest.MANIFEST
    path.write_bytes(path.read_bytes()[:-10])


def newer_manifest(folder: Path) -> None:
    path = folder / manifest.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))


@pytest.mark.parametrize(
    "harm", [spoil_documents, cut_documents, lose_documents, spoil_indexes, cut_manifest, newer_manifest]
)
async def test_a_damaged_backup_is_found_before_anything_is_touched(
    store: Store, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    await fill(store, 50)
    await take_backup(store.client, store.databases, tmp_path / "b")
    harm(tmp_path / "b")
    before = await store.content()
    with pytest.raises(BackupError, match="damaged"):
        await restore_backup(store.client, store.databases, tmp_path / "b", replace=True)
    assert await store.content() == before


async def test_a_manifest_can_name_no_file_outside_its_folder(store: Store, tmp_path: Path) -> None:
    await fill(store, 5)
    taken = await take_backup(store.client, store.databases, tmp_path / "b")
    copy = taken.collections[0]
    copy.database, copy.collection = "..", "../../etc/passwd"
    assert (tmp_path / "b").resolve() in copy.data(tmp_path / "b").resolve().parents
