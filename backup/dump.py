"""Makes a backup: copies every collection as of one moment into a folder, and goes on where it was interrupted.

A backup that was interrupted stays of the moment at which it began. Where MongoDB no longer has that moment, it can't
be finished, and says so; it never mixes two moments.
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
from backup.pages import BEGINNING, DOCUMENTS, Page, at, pages
from backup.progress import Phase, Progress, Report, silent

CHUNK_BYTES: Final = 64 << 20
"""What is lost of the work when it is interrupted, at most, and one more page."""


async def take_backup(
    client: Client,
    databases: Mapping[str, str],
    folder: Path,
    *,
    report: Report = silent,
    chunk_bytes: int = CHUNK_BYTES,
    page_documents: int = DOCUMENTS,
) -> Manifest:
    """Copies the services' databases into a folder that is new, empty, or holds this very backup, unfinished.

    Raises:
        BackupError: a sentence that says why not; asked again, it goes on where it was, if it can.
    """
    try:
        with _held(folder):
            work = _unfinished(databases, folder) or await _new(client, databases, folder)
            backup = _Backup(client, work, folder, report, chunk_bytes, page_documents)
            for copy in work.collections:
                await _Copying(backup, copy).run()
            manifest.write(folder / manifest.MANIFEST, work)
            (folder / manifest.UNFINISHED).unlink()
            return work
    except OSError as error:
        raise BackupError(f"{folder} can't be written to: {error.strerror}. Ask again to go on.") from error


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Makes the folder, for its owner alone, and keeps others from it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupError(f"Another backup is being written to {folder}.") from error
    finally:
        os.close(descriptor)


def _unfinished(databases: Mapping[str, str], folder: Path) -> Manifest | None:
    """The backup that is unfinished in the folder; None where the folder is empty."""
    if (folder / manifest.MANIFEST).exists():
        raise BackupError(f"{folder} holds a finished backup. Name another folder.")
    unfinished = folder / manifest.UNFINISHED
    if unfinished.exists():
        work = manifest.read(unfinished)
        if work.databases != databases:
            raise BackupError(f"{folder} holds an unfinished backup of other databases. Name another folder.")
        return work
    if any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty, and holds no backup. Name another folder.")
    return None


async def _new(client: Client, databases: Mapping[str, str], folder: Path) -> Manifest:
    timestamp, found = await catalog.moment(client, databases)
    server: Any = await client.server_info()
    work = Manifest(
        backup_id=secrets.token_hex(16),
        parley_version=version("parley"),
        mongodb_version=str(server["version"]),
        time=datetime.fromtimestamp(timestamp.time, UTC),
        cluster_time=timestamp.time,
        cluster_time_increment=timestamp.inc,
        databases=dict(databases),
        collections=[_planned(collection, folder) for collection in found],
    )
    manifest.write(folder / manifest.UNFINISHED, work)
    return work


def _planned(collection: catalog.Collection, folder: Path) -> CollectionCopy:
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
class _Begun:
    """A chunk that is being written."""

    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    documents: int = 0
    size_bytes: int = 0
    last_id: object = None

    def chunk(self) -> Chunk:
        """The chunk, to be noted."""
        last_id = json_util.dumps({"_id": self.last_id}, json_options=json_util.CANONICAL_JSON_OPTIONS)
        return Chunk(
            documents=self.documents, size_bytes=self.size_bytes, sha256=self.sha256.hexdigest(), last_id=last_id
        )


@dataclass(frozen=True, slots=True)
class _Backup:
    """What the copying of all collections has in common."""

    client: Client
    work: Manifest
    folder: Path
    report: Report
    chunk_bytes: int
    page_documents: int

    def save(self) -> None:
        """Notes what is on disk."""
        manifest.write(self.folder / manifest.UNFINISHED, self.work)


class _Copying:
    """The copying of one collection."""

    def __init__(self, backup: _Backup, copy: CollectionCopy) -> None:
        self._backup = backup
        self._copy = copy
        self._sha256 = hashlib.sha256()
        self._total = 0

    async def run(self) -> None:
        """Copies what is not on disk yet, chunk by chunk."""
        copy = self._copy
        self._total = await self._backup.client[copy.database][copy.collection].estimated_document_count()
        self._check_chunks()
        if self._is_whole():
            self._tell(copy.documents)
            return
        copy.sha256 = None
        with _appending(copy.data(self._backup.folder), copy.size_bytes) as file:
            begun = _Begun()
            async for page in self._pages():
                self._append(file, page, begun)
                if begun.size_bytes >= self._backup.chunk_bytes:
                    self._finish(file, begun)
                    begun = _Begun()
            if begun.documents:
                self._finish(file, begun)
        copy.sha256 = self._sha256.hexdigest()
        self._backup.save()

    def _is_whole(self) -> bool:
        path = self._copy.data(self._backup.folder)
        is_as_long = path.exists() and path.stat().st_size == self._copy.size_bytes
        return is_as_long and self._copy.sha256 == self._sha256.hexdigest()

    def _check_chunks(self) -> None:
        """Keeps the chunks that are on disk as they were written; what comes after the first other one is redone."""
        path, offset = self._copy.data(self._backup.folder), 0
        for index, chunk in enumerate(self._copy.chunks):
            whole, own = self._sha256.copy(), hashlib.sha256()
            for block in manifest.blocks(path, chunk.size_bytes, offset) if path.exists() else ():
                whole.update(block)
                own.update(block)
            if own.hexdigest() != chunk.sha256:
                del self._copy.chunks[index:]
                return
            self._sha256 = whole
            offset += chunk.size_bytes
            self._tell(sum(chunk.documents for chunk in self._copy.chunks[: index + 1]))

    def _pages(self) -> AsyncIterator[Page]:
        copy = self._copy
        after = json_util.loads(copy.chunks[-1].last_id)["_id"] if copy.chunks else BEGINNING
        return pages(
            self._backup.client,
            copy.database,
            copy.collection,
            at(self._backup.work.timestamp),
            after=after,
            documents=self._backup.page_documents,
        )

    def _append(self, file: BinaryIO, page: Page, begun: _Begun) -> None:
        for document in page:
            begun.sha256.update(document.raw)
            self._sha256.update(document.raw)
            begun.size_bytes += file.write(document.raw)
        begun.documents += len(page)
        begun.last_id = page[-1]["_id"]
        self._tell(self._copy.documents + begun.documents)

    def _finish(self, file: BinaryIO, begun: _Begun) -> None:
        """Notes a chunk when it is on disk."""
        file.flush()
        os.fsync(file.fileno())
        self._copy.chunks.append(begun.chunk())
        self._backup.save()

    def _tell(self, done: int) -> None:
        name = f"{self._copy.service}.{self._copy.collection}"
        self._backup.report(Progress(Phase.COPY, name, done, max(done, self._total)))


@contextmanager
def _appending(path: Path, size_bytes: int) -> Iterator[BinaryIO]:
    """A file of which so much is kept and the rest is cut off, readable by its owner alone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
        os.ftruncate(file.fileno(), size_bytes)
        file.seek(size_bytes)
        yield file
