"""Restores a backup: verifies every file, loads the documents, compares what MongoDB then holds, and builds indexes.

Until a restore is finished, its state in MongoDB records which backup it loads and how far it is. So an interrupted
restore resumes, and never writes on top of anything else. Indexes come last: loading is faster without them, and TTL
indexes remove nothing before it was compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import pymongo
from bson import json_util
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError

from backup import manifest
from backup.connection import Client, retry_while_unreachable
from backup.errors import BackupError
from backup.manifest import CollectionCopy, Manifest
from backup.pages import LATEST, pages
from backup.progress import Phase, Progress, Report, silent
from backup.restore_state import RestoreState

_BATCH_BYTES: Final = 4 << 20
_BATCH_DOCUMENTS: Final = 2_000
_INDEX_SECONDS: Final = 86_400.0
_DUPLICATE_KEY: Final = 11_000
_LENGTH_BYTES: Final = 4
_MIN_DOCUMENT_BYTES: Final = 5
_MAX_DOCUMENT_BYTES: Final = (16 << 20) + (16 << 10)


def read_backup(folder: Path) -> Manifest:
    """Returns the manifest of the finished backup in a folder. Raises BackupError if there is none."""
    path = folder / manifest.MANIFEST
    if path.exists():
        return manifest.read(path)
    if (folder / manifest.UNFINISHED).exists():
        raise BackupError(f"The backup in {folder} is not finished. Finish it with `parley backup --to {folder}`.")
    raise BackupError(f"No backup in {folder}.")


def check_files(folder: Path, backup: Manifest, report: Report = silent) -> None:
    """Reads every file. Raises BackupError if one is missing or differs from what was written."""
    for copy in backup.collections:
        _check_metadata(folder, copy)
        path, sha256, done = copy.data(folder), hashlib.sha256(), 0
        if not path.is_file() or path.stat().st_size != copy.size_bytes:
            raise BackupError(f"{path} is missing or has the wrong size. The backup is damaged.")
        for block in manifest.blocks(path, copy.size_bytes):
            sha256.update(block)
            done += len(block)
            report(Progress(Phase.CHECK, _name(copy), done, copy.size_bytes))
        if sha256.hexdigest() != copy.sha256:
            raise BackupError(f"{path} does not match its checksum. The backup is damaged.")


def _check_metadata(folder: Path, copy: CollectionCopy) -> None:
    path = copy.metadata(folder)
    if not path.is_file() or manifest.digest(path.read_bytes()) != copy.metadata_sha256:
        raise BackupError(f"{path} is missing or does not match its checksum. The backup is damaged.")


async def _no_op(_: Manifest) -> None:
    return None


async def restore_backup(
    client: Client,
    databases: Mapping[str, str],
    folder: Path,
    *,
    replace: bool = False,
    report: Report = silent,
    finish: Callable[[Manifest], Awaitable[None]] = _no_op,
) -> Manifest:
    """Restores a backup into databases that are empty or hold an unfinished restore of the same backup.

    Args:
        client: the server to write to.
        databases: the target database of each service.
        folder: the backup.
        replace: drop non-empty databases instead of failing.
        report: called with each step.
        finish: called when all collections are loaded, before the restore is marked finished. It must be idempotent: a
            resumed restore calls it again.

    Returns:
        The backup's manifest.

    Raises:
        BackupError: the restore failed; after an interruption, calling again resumes it.
    """
    backup = read_backup(folder)
    if missing := sorted(backup.databases.keys() - databases.keys()):
        raise BackupError(f"The backup holds data of {', '.join(missing)}, but no database is named for it.")
    check_files(folder, backup, report)
    targets = {service: databases[service] for service in backup.databases}
    state = RestoreState(client, targets, backup)
    try:
        await state.begin(replace=replace)
        restore = _RestoreContext(client, targets, folder, state, report)
        for copy in backup.collections:
            await _CollectionRestore(restore, copy).run()
        await finish(backup)
        await state.finish()
    except OSError as error:
        raise BackupError(f"Cannot read {folder}: {error.strerror}. Repeat the command to resume.") from error
    return backup


@dataclass(frozen=True, slots=True)
class _RestoreContext:
    """State shared by the restores of all collections."""

    client: Client
    databases: Mapping[str, str]
    folder: Path
    state: RestoreState
    report: Report


class _CollectionRestore:
    """The restore of one collection."""

    def __init__(self, restore: _RestoreContext, copy: CollectionCopy) -> None:
        self._restore = restore
        self._copy = copy
        self._file = copy.data(restore.folder)
        self._database = restore.client[restore.databases[copy.service]]
        self._metadata: dict[str, Any] = json_util.loads(copy.metadata(restore.folder).read_text())

    async def run(self) -> None:
        """Restores what an earlier run has not restored yet."""
        progress = await self._restore.state.read(self._copy)
        if not progress.get("finished"):
            await self._create()
            await self._load(progress.get("chunks", 0))
            await self._compare()
            await self._build_indexes()
            await self._restore.state.write(self._copy, {"finished": True})
        self._report(Phase.INDEX, 1, 1)

    async def _create(self) -> None:
        if self._copy.collection not in await self._database.list_collection_names():
            await self._database.command({"create": self._copy.collection, **self._metadata["options"]})

    async def _load(self, loaded: int) -> None:
        """Inserts the chunks after the first `loaded`. An interrupted run may have inserted part of the next one."""
        copy = self._copy
        done = sum(chunk.documents for chunk in copy.chunks[:loaded])
        with self._file.open("rb") as file:
            file.seek(sum(chunk.size_bytes for chunk in copy.chunks[:loaded]))
            for number, chunk in enumerate(copy.chunks[loaded:], loaded + 1):
                for batch in _batches(file, chunk.size_bytes):
                    await self._insert(batch)
                    done += len(batch)
                    self._report(Phase.LOAD, done, copy.documents)
                await self._restore.state.write(copy, {"chunks": number})

    async def _insert(self, batch: list[RawBSONDocument]) -> None:
        collection = self._database[self._copy.collection]
        try:
            await retry_while_unreachable(
                lambda: collection.insert_many(batch, ordered=False, bypass_document_validation=True)
            )
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(f["code"] != _DUPLICATE_KEY for f in failures):
                raise

    async def _compare(self) -> None:
        """Reads the collection back and compares it with the data file, byte by byte, by SHA-256."""
        copy, sha256, done = self._copy, hashlib.sha256(), 0
        async for page in pages(self._restore.client, self._database.name, copy.collection, LATEST):
            for document in page:
                sha256.update(document.raw)
            done += len(page)
            self._report(Phase.COMPARE, done, copy.documents)
        if sha256.hexdigest() != copy.sha256:
            await self._restore.state.invalidate()
            raise BackupError(
                f"{self._database.name}.{copy.collection} does not match the backup: something else writes to it. "
                "Stop the writer and restore again with --replace."
            )

    async def _build_indexes(self) -> None:
        indexes = [index for index in self._metadata["indexes"] if index["name"] != "_id_"]
        self._report(Phase.INDEX, 0, 1)
        if indexes:
            with pymongo.timeout(_INDEX_SECONDS):
                command = {"createIndexes": self._copy.collection, "indexes": indexes}
                await retry_while_unreachable(lambda: self._database.command(command))

    def _report(self, phase: Phase, done: int, total: int) -> None:
        self._restore.report(Progress(phase, _name(self._copy), done, total))


def _batches(file: BinaryIO, size_bytes: int) -> Iterator[list[RawBSONDocument]]:
    """Yields the next `size_bytes` of documents in batches that fit into one insert command."""
    batch: list[RawBSONDocument] = []
    size = 0
    while size_bytes:
        raw = _next_document(file)
        size_bytes -= len(raw)
        size += len(raw)
        batch.append(RawBSONDocument(raw))
        if size >= _BATCH_BYTES or len(batch) == _BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _next_document(file: BinaryIO) -> bytes:
    head = file.read(_LENGTH_BYTES)
    length = int.from_bytes(head, "little")
    if not _MIN_DOCUMENT_BYTES <= length <= _MAX_DOCUMENT_BYTES:
        raise BackupError("A data file of the backup is damaged.")
    raw = head + file.read(length - _LENGTH_BYTES)
    if len(raw) != length:
        raise BackupError("A data file of the backup is damaged.")
    return raw


def _name(copy: CollectionCopy) -> str:
    return f"{copy.service}.{copy.collection}"
