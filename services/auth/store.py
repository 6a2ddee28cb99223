"""Opens auth's database, and maps its failures to errors.

The only module of auth that imports pymongo; `user_store`, `session_store`, `organization_store` and `key_store` each
know a collection. Writes are acknowledged by a majority and journaled. Their methods raise UnavailableError
(STORE_UNAVAILABLE) while MongoDB is unavailable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from pymongo import ASCENDING, AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, DuplicateKeyError, PyMongoError

from chassis.errors import UnavailableError
from chassis.mongo.migrations import migrate
from chassis.mongo.store_metrics import store_listeners
from services.auth.migrations import MIGRATIONS

_TIMEOUT_MS: Final = 10_000
_RETRY_AFTER_MS: Final = 1_000

__all__ = [
    "ASCENDING",
    "Database",
    "Document",
    "DuplicateKeyError",
    "Transaction",
    "key_pattern",
    "open_database",
    "reaching",
]

P = ParamSpec("P")
T = TypeVar("T")
Document = dict[str, Any]
Database = AsyncDatabase[Document]
Transaction = AsyncClientSession
"""The session of a transaction, which its calls share."""


def reaching(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Makes a method raise UnavailableError (STORE_UNAVAILABLE) if MongoDB can't be reached in time."""

    @wraps(method)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except PyMongoError as error:
            if not (error.timeout or isinstance(error, ConnectionFailure)):
                raise
            raise UnavailableError(
                "STORE_UNAVAILABLE", "the database is unavailable", retry_after_ms=_RETRY_AFTER_MS
            ) from error

    return call


@asynccontextmanager
async def open_database(uri: str, name: str) -> AsyncIterator[Database]:
    """Yields the database after running missing migrations, and closes it on exit."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        uri,
        appname="parley-auth",
        w="majority",
        journal=True,
        readConcernLevel="majority",
        tz_aware=True,
        timeoutMS=_TIMEOUT_MS,
        event_listeners=store_listeners(),
    )
    async with client:
        database = client[name]
        await migrate(database, MIGRATIONS)
        yield database


def key_pattern(error: DuplicateKeyError) -> Mapping[str, Any]:
    """Returns the fields of the index on which a document collided."""
    pattern: Mapping[str, Any] = (error.details or {}).get("keyPattern", {})
    return pattern
