"""The MongoDB client of backups, restores and migrations, and error texts for its failures."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError, ConnectionFailure, InvalidURI, OperationFailure, PyMongoError

from backup.errors import BackupError

Client = AsyncMongoClient[dict[str, Any]]
T = TypeVar("T")

_PING_SECONDS: Final = 5.0
_TIMEOUT_MS: Final = 60_000
_ATTEMPTS: Final = 6
_FIRST_PAUSE_SECONDS: Final = 0.5
_UNAUTHORIZED: Final = frozenset({13, 18})
_TOO_OLD: Final = frozenset({239, 246})
_SNAPSHOT_GONE: Final = (
    "MongoDB no longer has the snapshot that this backup reads, or a collection was dropped or recreated meanwhile. "
    "Remove the folder and start a new backup. If it takes longer than MongoDB keeps history, raise "
    "minSnapshotHistoryWindowInSeconds first."
)


@asynccontextmanager
async def connected(uri: str) -> AsyncIterator[Client]:
    """Yields a client of a server that has answered a ping; driver errors become BackupError on exit."""
    try:
        async with _client(uri) as client:
            with pymongo.timeout(_PING_SECONDS):
                await client.admin.command("ping")
            yield client
    except PyMongoError as error:
        raise BackupError(explain(error)) from error


def _client(uri: str) -> Client:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings quote the URI
            return AsyncMongoClient(
                uri, appname="parley-backup", w="majority", journal=True, timeoutMS=_TIMEOUT_MS, tz_aware=True
            )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise BackupError("Invalid MongoDB URI: expected mongodb://... or mongodb+srv://...") from error


def explain(error: PyMongoError) -> str:
    """Describes a failure without the driver's text, which may contain the URI and its password."""
    if isinstance(error, OperationFailure):
        if error.code in _TOO_OLD:
            return _SNAPSHOT_GONE
        name = str((error.details or {}).get("codeName", error.code))
        if error.code in _UNAUTHORIZED:
            return f"MongoDB rejected the credentials, or they lack a privilege ({name})."
        return f"MongoDB rejected a command ({name})."
    if error.timeout or isinstance(error, ConnectionFailure):
        return f"MongoDB does not answer ({type(error).__name__})."
    return f"MongoDB failed ({type(error).__name__})."


async def retry_while_unreachable(attempt: Callable[[], Awaitable[T]]) -> T:
    """Retries an idempotent call on connection failures, such as during an election.

    Makes 6 attempts; the pauses between them add up to 15.5 s, and each attempt may take up to the client's timeout.
    """
    for failures in range(_ATTEMPTS - 1):
        try:
            return await attempt()
        except ConnectionFailure:
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2.0**failures)
    return await attempt()
