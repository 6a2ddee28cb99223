"""What must be in a backup, and what is in one that is not finished: the file beside the data that says so.

`unfinished.json` is replaced after every chunk that is on disk; `manifest.json` takes its place at the end. So a folder
with a manifest is a whole backup.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from bson.timestamp import Timestamp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backup.errors import BackupError

MANIFEST: Final = "manifest.json"
UNFINISHED: Final = "unfinished.json"
_BLOCK_BYTES: Final = 1 << 20
_SHA256: Final = r"^[0-9a-f]{64}$"


class Chunk(BaseModel):
    """A part of a file that is on disk; `last_id` is that of its last document, as extended JSON."""

    model_config = ConfigDict(extra="forbid")

    documents: int = Field(ge=1)
    size_bytes: int = Field(ge=1)
    sha256: str = Field(pattern=_SHA256)
    last_id: str


class CollectionCopy(BaseModel):
    """A collection's two files: its documents one after the other, and how it was made. `sha256` when it is whole."""

    model_config = ConfigDict(extra="forbid")

    service: str
    database: str
    collection: str
    metadata_sha256: str = Field(pattern=_SHA256)
    chunks: list[Chunk] = []
    sha256: str | None = Field(None, pattern=_SHA256)

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return sum(chunk.documents for chunk in self.chunks)

    @property
    def size_bytes(self) -> int:
        """How long the file of documents is."""
        return sum(chunk.size_bytes for chunk in self.chunks)

    def data(self, folder: Path) -> Path:
        """The file of documents. Names are quoted: no file is outside the folder, whatever a manifest says."""
        return folder / _quoted(self.database) / f"{_quoted(self.collection)}.bson"

    def metadata(self, folder: Path) -> Path:
        """The file that says how the collection was made, and which indexes it has."""
        return self.data(folder).with_suffix(".metadata.json")


class Manifest(BaseModel):
    """A backup. All of it is as it was at (`cluster_time`, `cluster_time_increment`)."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    backup_id: str = Field(min_length=1)
    parley_version: str
    mongodb_version: str
    time: datetime
    cluster_time: int
    cluster_time_increment: int
    databases: dict[str, str]
    collections: list[CollectionCopy]

    @property
    def timestamp(self) -> Timestamp:
        """The moment that it is of."""
        return Timestamp(self.cluster_time, self.cluster_time_increment)

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return sum(copy.documents for copy in self.collections)

    @property
    def size_bytes(self) -> int:
        """How many bytes of documents there are."""
        return sum(copy.size_bytes for copy in self.collections)


def _quoted(name: str) -> str:
    quoted = quote(name, safe="")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def read(path: Path) -> Manifest:
    """Reads a manifest. Raises BackupError where it can't be read or says what it can't."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BackupError(f"{path} can't be read: {error.strerror}.") from error
    except ValidationError as error:
        raise BackupError(f"{path} is damaged, or of another version of Parley.") from error


def write(path: Path, manifest: Manifest) -> None:
    """Puts a manifest in place, whole or not at all, and on disk."""
    replace(path, manifest.model_dump_json(indent=1).encode())


def replace(path: Path, content: bytes) -> None:
    """Puts a file in place, readable by its owner alone, whole or not at all, and on disk."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes sure that a folder's new names survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(content: bytes) -> str:
    """The SHA-256 of something small."""
    return hashlib.sha256(content).hexdigest()


def blocks(path: Path, size_bytes: int, offset: int = 0) -> Iterator[bytes]:
    """A part of a file, block by block; less where the file ends before."""
    with path.open("rb") as file:
        file.seek(offset)
        left = size_bytes
        while left and (block := file.read(min(_BLOCK_BYTES, left))):
            left -= len(block)
            yield block
