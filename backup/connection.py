"""The client of backups, restores and migrations, and what its failures mean to people."""

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

_FIRST_ANSWER_SECONDS: Final = 5.0
_TIMEOUT_MS: Final = 60_000
_ATTEMPTS: Final = 6
_FIRST_PAUSE_SECONDS: Final = 0.5
_UNAUTHORIZED: Final = frozenset({13, 18})
_TOO_OLD: Final = frozenset({239, 246})
_MOVED_ON: Final = (
    "MongoDB no longer has the moment that the backup is of, or a collection was changed meanwhile. Remove the folder "
    "and begin anew; where it takes longer than MongoDB looks back, raise minSnapshotHistoryWindowInSeconds first."
)


@asynccontextmanager
async def connected(uri: str) -> AsyncIterator[Client]:
    """A client of a server that answers; its failures become BackupError on the way out."""
    try:
        async with _client(uri) as client:
            with pymongo.timeout(_FIRST_ANSWER_SECONDS):
                await client.admin.command("ping")
            yield client
    except PyMongoError as error:
        raise BackupError(explain(error)) from error


def _client(uri: str) -> Client:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote the address
            return AsyncMongoClient(
                uri, appname="parley-backup", w="majority", journal=True, timeoutMS=_TIMEOUT_MS, tz_aware=True
            )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise BackupError("That is no address of a MongoDB: mongodb://... or mongodb+srv://...") from error


def explain(error: PyMongoError) -> str:
    """A sentence about a failure, without what the driver says: that may hold the address, and it a password."""
    if isinstance(error, OperationFailure):
        if error.code in _TOO_OLD:
            return _MOVED_ON
        name = str((error.details or {}).get("codeName", error.code))
        if error.code in _UNAUTHORIZED:
            return f"MongoDB refuses the credentials, or what they may do is too little ({name})."
        return f"MongoDB refuses what it was asked ({name})."
    if error.timeout or isinstance(error, ConnectionFailure):
        return f"MongoDB does not answer ({type(error).__name__})."
    return f"MongoDB failed ({type(error).__name__})."


async def persistently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Repeats what may be repeated while the server can't be reached, as during an election, for about a minute."""
    for failures in range(_ATTEMPTS - 1):
        try:
            return await attempt()
        except ConnectionFailure:
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2.0**failures)
    return await attempt()
