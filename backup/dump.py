"""Takes a backup: dumps every collection at one cluster time into a folder; resumes an interrupted backup.

A resumed backup keeps the cluster time at which it started. If MongoDB no longer has that snapshot, the backup fails;
it never mixes two snapshots.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Final

from bson import json_util

from backup import catalog, manifest
from backup.connection import Client
from backup.errors import BackupError
from backup.manifest import Chunk, CollectionCopy, Manifest
from backup.pages import BEGINNING, DOCUMENTS, Page, pages, snapshot_at
from backup.progress import Phase, Progress, Report, silent

CHUNK_BYTES: Final = 64 << 20
"""The minimum size of a chunk. An interruption loses at most this much and one page."""


async def take_backup(
    client: Client,
    databases: Mapping[str, str],
    folder: Path,
    *,
    report: Report = silent,
    chunk_bytes: int = CHUNK_BYTES,
    page_documents: int = DOCUMENTS,
) -> Manifest:
    """Dumps the services' databases into a folder that is new, empty, or holds an unfinished backup of them.

    Args:
        client: the server to read from.
        databases: the database of each service.
        folder: where to write; created with mode 0700.
        report: called with each step.
        chunk_bytes: minimum size of a chunk, the unit of resumption.
        page_documents: maximum number of documents in a page.

    Returns:
        The manifest of the finished backup.

    Raises:
        BackupError: the backup failed; calling again resumes it where possible.
    """
    try:
        with _locked(folder):
            work = _load_unfinished(databases, folder) or await _start(client, databases, folder)
            backup = _DumpContext(client, work, folder, report, chunk_bytes, page_documents)
            for copy in work.collections:
                await _CollectionDump(backup, copy).run()
            manifest.write(folder / manifest.MANIFEST, work)
            (folder / manifest.UNFINISHED).unlink()
            return work
    except OSError as error:
        raise BackupError(f"Cannot write to {folder}: {error.strerror}. Repeat the command to resume.") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Creates the folder with mode 0700 and locks it against other backups."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupError(f"Another backup is writing to {folder}.") from error
    finally:
        os.close(descriptor)


def _load_unfinished(databases: Mapping[str, str], folder: Path) -> Manifest | None:
    """Returns the unfinished backup in the folder, or None if the folder is empty."""
    if (folder / manifest.MANIFEST).exists():
        raise BackupError(f"{folder} holds a finished backup. Choose another folder.")
    unfinished = folder / manifest.UNFINISHED
    if unfinished.exists():
        work = manifest.read(unfinished)
        if work.databases != databases:
            raise BackupError(f"{folder} holds an unfinished backup of other databases. Choose another folder.")
        return work
    if any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty and holds no backup. Choose another folder.")
    return None


async def _start(client: Client, databases: Mapping[str, str], folder: Path) -> Manifest:
    timestamp, entries = await catalog.choose_snapshot(client, databases)
    server: Any = await client.server_info()
    work = Manifest(
        backup_id=secrets.token_hex(16),
        parley_version=version("parley"),
        mongodb_version=str(server["version"]),
        time=datetime.fromtimestamp(timestamp.time, UTC),
        cluster_time=timestamp.time,
        cluster_time_increment=timestamp.inc,
        databases=dict(databases),
        collections=[_plan_collection(collection, folder) for collection in entries],
    )
    manifest.write(folder / manifest.UNFINISHED, work)
    return work


def _plan_collection(collection: catalog.Collection, folder: Path) -> CollectionCopy:
    content = collection.metadata.encode()
    copy = CollectionCopy(
        service=collection.service,
        database=collection.database,
        collection=collection.name,
        metadata_sha256=manifest.digest(content),
    )
    copy.metadata(folder).parent.mkdir(mode=0o700, exist_ok=True)
    manifest.replace(copy.metadata(folder), content)
    return copy


@dataclass(slots=True)
class _OpenChunk:
    """A chunk under construction."""

    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    documents: int = 0
    size_bytes: int = 0
    last_id: object = None

    def finished(self) -> Chunk:
        """Returns the finished chunk."""
        last_id = json_util.dumps({"_id": self.last_id}, json_options=json_util.CANONICAL_JSON_OPTIONS)
        return Chunk(
            documents=self.documents, size_bytes=self.size_bytes, sha256=self.sha256.hexdigest(), last_id=last_id
        )


@dataclass(frozen=True, slots=True)
class _DumpContext:
    """State shared by the dumps of all collections."""

    client: Client
    work: Manifest
    folder: Path
    report: Report
    chunk_bytes: int
    page_documents: int

    def save(self) -> None:
        """Records what is on disk in `unfinished.json`."""
        manifest.write(self.folder / manifest.UNFINISHED, self.work)


class _CollectionDump:
    """The dump of one collection."""

    def __init__(self, backup: _DumpContext, copy: CollectionCopy) -> None:
        self._backup = backup
        self._copy = copy
        self._sha256 = hashlib.sha256()
        self._total = 0

    async def run(self) -> None:
        """Dumps what is not on disk yet, chunk by chunk."""
        copy = self._copy
        self._total = await self._backup.client[copy.database][copy.collection].estimated_document_count()
        self._check_chunks()
        if self._is_complete():
            self._report(copy.documents)
            return
        copy.sha256 = None
        with _appending(copy.data(self._backup.folder), copy.size_bytes) as file:
            chunk = _OpenChunk()
            async for page in self._pages():
                self._append(file, page, chunk)
                if chunk.size_bytes >= self._backup.chunk_bytes:
                    self._finish(file, chunk)
                    chunk = _OpenChunk()
            if chunk.documents:
                self._finish(file, chunk)
        copy.sha256 = self._sha256.hexdigest()
        self._backup.save()

    def _is_complete(self) -> bool:
        path = self._copy.data(self._backup.folder)
        has_expected_size = path.exists() and path.stat().st_size == self._copy.size_bytes
        return has_expected_size and self._copy.sha256 == self._sha256.hexdigest()

    def _check_chunks(self) -> None:
        """Drops the first chunk whose file content has changed, and all after it, so that they are dumped again."""
        path, offset = self._copy.data(self._backup.folder), 0
        for index, chunk in enumerate(self._copy.chunks):
            file_sha256, chunk_sha256 = self._sha256.copy(), hashlib.sha256()
            for block in manifest.blocks(path, chunk.size_bytes, offset) if path.exists() else ():
                file_sha256.update(block)
                chunk_sha256.update(block)
            if chunk_sha256.hexdigest() != chunk.sha256:
                del self._copy.chunks[index:]
                return
            self._sha256 = file_sha256
            offset += chunk.size_bytes
            self._report(sum(chunk.documents for chunk in self._copy.chunks[: index + 1]))

    def _pages(self) -> AsyncIterator[Page]:
        copy = self._copy
        after = json_util.loads(copy.chunks[-1].last_id)["_id"] if copy.chunks else BEGINNING
        return pages(
            self._backup.client,
            copy.database,
            copy.collection,
            snapshot_at(self._backup.work.timestamp),
            after=after,
            documents=self._backup.page_documents,
        )

    def _append(self, file: BinaryIO, page: Page, chunk: _OpenChunk) -> None:
        for document in page:
            chunk.sha256.update(document.raw)
            self._sha256.update(document.raw)
            chunk.size_bytes += file.write(document.raw)
        chunk.documents += len(page)
        chunk.last_id = page[-1]["_id"]
        self._report(self._copy.documents + chunk.documents)

    def _finish(self, file: BinaryIO, chunk: _OpenChunk) -> None:
        """Flushes a chunk to disk and then records it."""
        file.flush()
        os.fsync(file.fileno())
        self._copy.chunks.append(chunk.finished())
        self._backup.save()

    def _report(self, done: int) -> None:
        name = f"{self._copy.service}.{self._copy.collection}"
        self._backup.report(Progress(Phase.COPY, name, done, max(done, self._total)))


@contextmanager
def _appending(path: Path, size_bytes: int) -> Iterator[BinaryIO]:
    """Opens a file with mode 0600 for appending after its first `size_bytes`; truncates the rest."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
        os.ftruncate(file.fileno(), size_bytes)
        file.seek(size_bytes)
        yield file
