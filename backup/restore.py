"""Puts a backup back: checks every file first, loads, compares what MongoDB then has, and builds the indexes last.

While a restore is not finished, marks in MongoDB say of which backup it is, and how far. So it goes on where it was
interrupted, and never on top of anything else. Indexes come last: loading is faster without, and nothing
that is past its time is removed before it was compared.
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
from backup.connection import Client, persistently
from backup.errors import BackupError
from backup.manifest import CollectionCopy, Manifest
from backup.pages import LATEST, pages
from backup.progress import Phase, Progress, Report, silent
from backup.restore_state import Marks

_BATCH_BYTES: Final = 4 << 20
_BATCH_DOCUMENTS: Final = 2_000
_INDEX_SECONDS: Final = 86_400.0
_DUPLICATE_KEY: Final = 11_000
_LENGTH_BYTES: Final = 4
_LEAST_DOCUMENT_BYTES: Final = 5
_MOST_DOCUMENT_BYTES: Final = (16 << 20) + (16 << 10)


def read_backup(folder: Path) -> Manifest:
    """The manifest of the finished backup in a folder."""
    path = folder / manifest.MANIFEST
    if path.exists():
        return manifest.read(path)
    if (folder / manifest.UNFINISHED).exists():
        raise BackupError(f"The backup in {folder} is not finished. Finish it first: `parley backup --to {folder}`.")
    raise BackupError(f"There is no backup in {folder}.")


def check_files(folder: Path, backup: Manifest, report: Report = silent) -> None:
    """Reads every file, and raises BackupError where one is missing or not what was written."""
    for copy in backup.collections:
        _check_metadata(folder, copy)
        path, sha256, done = copy.data(folder), hashlib.sha256(), 0
        if not path.is_file() or path.stat().st_size != copy.size_bytes:
            raise BackupError(f"{path} is missing, or not as long as it was. The backup is damaged.")
        for block in manifest.blocks(path, copy.size_bytes):
            sha256.update(block)
            done += len(block)
            report(Progress(Phase.CHECK, _name(copy), done, copy.size_bytes))
        if sha256.hexdigest() != copy.sha256:
            raise BackupError(f"{path} is not what was written. The backup is damaged.")


def _check_metadata(folder: Path, copy: CollectionCopy) -> None:
    path = copy.metadata(folder)
    if not path.is_file() or manifest.digest(path.read_bytes()) != copy.metadata_sha256:
        raise BackupError(f"{path} is missing, or not what was written. The backup is damaged.")


async def _nothing(_: Manifest) -> None:
    return None


async def restore_backup(
    client: Client,
    databases: Mapping[str, str],
    folder: Path,
    *,
    replace: bool = False,
    report: Report = silent,
    finish: Callable[[Manifest], Awaitable[None]] = _nothing,
) -> Manifest:
    """Loads a backup into databases, named by service, that are empty or hold the beginning of this very restore.

    Args:
        client: the server's.
        databases: where each service's collections go.
        folder: the backup.
        replace: remove what the databases hold, instead of refusing.
        report: told of each step.
        finish: called when all is loaded, before the restore counts as finished; so it may be called again.

    Raises:
        BackupError: why not; after an interruption, asking again goes on where it was.
    """
    backup = read_backup(folder)
    if missing := sorted(backup.databases.keys() - databases.keys()):
        raise BackupError(f"The backup has data of {', '.join(missing)}, for which no database is named.")
    check_files(folder, backup, report)
    targets = {service: databases[service] for service in backup.databases}
    marks = Marks(client, targets, backup)
    try:
        await marks.begin(replace=replace)
        restore = _Restore(client, targets, folder, marks, report)
        for copy in backup.collections:
            await _Loading(restore, copy).run()
        await finish(backup)
        await marks.end()
    except OSError as error:
        raise BackupError(f"{folder} can't be read: {error.strerror}. Ask again to go on.") from error
    return backup


@dataclass(frozen=True, slots=True)
class _Restore:
    """What the loading of all collections has in common."""

    client: Client
    databases: Mapping[str, str]
    folder: Path
    marks: Marks
    report: Report


class _Loading:
    """The loading of one collection."""

    def __init__(self, restore: _Restore, copy: CollectionCopy) -> None:
        self._restore = restore
        self._copy = copy
        self._file = copy.data(restore.folder)
        self._database = restore.client[restore.databases[copy.service]]
        self._metadata: dict[str, Any] = json_util.loads(copy.metadata(restore.folder).read_text())

    async def run(self) -> None:
        """Does what is left of it."""
        mark = await self._restore.marks.of(self._copy)
        if not mark.get("finished"):
            await self._create()
            await self._load(mark.get("chunks", 0))
            await self._compare()
            await self._build_indexes()
            await self._restore.marks.move(self._copy, {"finished": True})
        self._tell(Phase.INDEX, 1, 1)

    async def _create(self) -> None:
        if self._copy.collection not in await self._database.list_collection_names():
            await self._database.command({"create": self._copy.collection, **self._metadata["options"]})

    async def _load(self, loaded: int) -> None:
        """Inserts chunk by chunk. Of the first one some may be there already, from before an interruption."""
        copy = self._copy
        done = sum(chunk.documents for chunk in copy.chunks[:loaded])
        with self._file.open("rb") as file:
            file.seek(sum(chunk.size_bytes for chunk in copy.chunks[:loaded]))
            for number, chunk in enumerate(copy.chunks[loaded:], loaded + 1):
                for batch in _batches(file, chunk.size_bytes):
                    await self._insert(batch)
                    done += len(batch)
                    self._tell(Phase.LOAD, done, copy.documents)
                await self._restore.marks.move(copy, {"chunks": number})

    async def _insert(self, batch: list[RawBSONDocument]) -> None:
        collection = self._database[self._copy.collection]
        try:
            await persistently(lambda: collection.insert_many(batch, ordered=False, bypass_document_validation=True))
        except BulkWriteError as error:
            problems = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(p["code"] != _DUPLICATE_KEY for p in problems):
                raise

    async def _compare(self) -> None:
        """Reads back what is there; byte by byte it must be what is in the file."""
        copy, sha256, done = self._copy, hashlib.sha256(), 0
        async for page in pages(self._restore.client, self._database.name, copy.collection, LATEST):
            for document in page:
                sha256.update(document.raw)
            done += len(page)
            self._tell(Phase.COMPARE, done, copy.documents)
        if sha256.hexdigest() != copy.sha256:
            await self._restore.marks.spoil()
            raise BackupError(
                f"What {self._database.name}.{copy.collection} holds now is not what the backup has: something else "
                "writes to it. Stop that, and restore anew with --replace."
            )

    async def _build_indexes(self) -> None:
        indexes = [index for index in self._metadata["indexes"] if index["name"] != "_id_"]
        self._tell(Phase.INDEX, 0, 1)
        if indexes:
            with pymongo.timeout(_INDEX_SECONDS):
                command = {"createIndexes": self._copy.collection, "indexes": indexes}
                await persistently(lambda: self._database.command(command))

    def _tell(self, phase: Phase, done: int, total: int) -> None:
        self._restore.report(Progress(phase, _name(self._copy), done, total))


def _batches(file: BinaryIO, size_bytes: int) -> Iterator[list[RawBSONDocument]]:
    """The next documents of a file, up to so many bytes, in batches that one command can carry."""
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
    if not _LEAST_DOCUMENT_BYTES <= length <= _MOST_DOCUMENT_BYTES:
        raise BackupError("A file of the backup is damaged.")
    raw = head + file.read(length - _LENGTH_BYTES)
    if len(raw) != length:
        raise BackupError("A file of the backup is damaged.")
    return raw


def _name(copy: CollectionCopy) -> str:
    return f"{copy.service}.{copy.collection}"
