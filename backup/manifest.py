"""The manifest of a backup, and the files that record it.

`unfinished.json` is rewritten after every chunk that is on disk; `manifest.json` takes its place at the end. So a
folder with a `manifest.json` is a complete backup.
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
    """A part of a data file that is on disk; `last_id` is the `_id` of its last document, as extended JSON."""

    model_config = ConfigDict(extra="forbid")

    documents: int = Field(ge=1)
    size_bytes: int = Field(ge=1)
    sha256: str = Field(pattern=_SHA256)
    last_id: str


class CollectionCopy(BaseModel):
    """A collection's two files: concatenated BSON documents, and metadata. `sha256` is set once all is written."""

    model_config = ConfigDict(extra="forbid")

    service: str
    database: str
    collection: str
    metadata_sha256: str = Field(pattern=_SHA256)
    chunks: list[Chunk] = []
    sha256: str | None = Field(None, pattern=_SHA256)

    @property
    def documents(self) -> int:
        """The number of documents."""
        return sum(chunk.documents for chunk in self.chunks)

    @property
    def size_bytes(self) -> int:
        """The length of the data file."""
        return sum(chunk.size_bytes for chunk in self.chunks)

    def data(self, folder: Path) -> Path:
        """Returns the data file. Names are percent-encoded, so no manifest can name a file outside the folder."""
        return folder / _quoted(self.database) / f"{_quoted(self.collection)}.bson"

    def metadata(self, folder: Path) -> Path:
        """Returns the file with the collection's options and indexes."""
        return self.data(folder).with_suffix(".metadata.json")


class Manifest(BaseModel):
    """A backup: a snapshot at the cluster time (`cluster_time`, `cluster_time_increment`)."""

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
        """The cluster time of the snapshot."""
        return Timestamp(self.cluster_time, self.cluster_time_increment)

    @property
    def documents(self) -> int:
        """The number of documents in all collections."""
        return sum(copy.documents for copy in self.collections)

    @property
    def size_bytes(self) -> int:
        """The length of all data files."""
        return sum(copy.size_bytes for copy in self.collections)


def _quoted(name: str) -> str:
    quoted = quote(name, safe="")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def read(path: Path) -> Manifest:
    """Reads a manifest. Raises BackupError if the file cannot be read or is invalid."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BackupError(f"Cannot read {path}: {error.strerror}.") from error
    except ValidationError as error:
        raise BackupError(f"{path} is damaged, or was written by another version of Parley.") from error


def write(path: Path, manifest: Manifest) -> None:
    """Writes a manifest atomically and durably."""
    replace(path, manifest.model_dump_json(indent=1).encode())


def replace(path: Path, content: bytes) -> None:
    """Replaces a file atomically and durably, with mode 0600."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # or the new name might not survive a power failure
    finally:
        os.close(folder)


def digest(content: bytes) -> str:
    """Returns the SHA-256 of a small file's content, in hex."""
    return hashlib.sha256(content).hexdigest()


def blocks(path: Path, size_bytes: int, offset: int = 0) -> Iterator[bytes]:
    """Yields `size_bytes` of a file from an offset, in blocks of up to 1 MiB; less if the file ends earlier."""
    with path.open("rb") as file:
        file.seek(offset)
        remaining = size_bytes
        while remaining and (block := file.read(min(_BLOCK_BYTES, remaining))):
            remaining -= len(block)
            yield block
