"""Opens auth's database, and maps its failures to errors.

The only module of auth that imports pymongo; `user_store`, `session_store`, `organization_store` and `key_store` each
know a collection. Writes are acknowledged by a majority and journaled. Their methods raise UnavailableError
(STORE_UNAVAILABLE) while MongoDB is unavailable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from pymongo import ASCENDING, AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern

from chassis.errors import UnavailableError
from chassis.mongo import request_ids
from chassis.mongo.migrations import migrate
from chassis.mongo.store_metrics import store_listeners
from services.auth.migrations import MIGRATIONS

_TIMEOUT_MS: Final = 10_000
_RETRY_AFTER_MS: Final = 1_000

__all__ = [
    "ASCENDING",
    "WITHOUT_REQUESTS",
    "Database",
    "Document",
    "DuplicateKeyError",
    "RequestPerformedError",
    "Transaction",
    "find_by_request",
    "insert_once",
    "key_pattern",
    "open_database",
    "reaching",
    "request_entry",
    "set_once",
    "without_request",
]

P = ParamSpec("P")
T = TypeVar("T")
Document = dict[str, Any]
Database = AsyncDatabase[Document]
Transaction = AsyncClientSession
"""The session of a transaction, which its calls share."""

WITHOUT_REQUESTS: Final = {request_ids.FIELD: 0}
"""The projection of a document without the digests of its requests."""


class RequestPerformedError(Exception):
    """The request was performed already, on this document or another one of the collection; nothing was written."""


def request_entry(digest: bytes | None, time: datetime) -> Document:
    """Returns the fields of a new document that record the request that creates it."""
    return {} if digest is None else {request_ids.FIELD: [{"id": digest, "at": time}]}


def set_once(digest: bytes | None, fields: Document, *, pending: str = "", outcome: str = "") -> list[Document]:
    """Returns the update that sets fields and records the request; filter by `without_request` as well.

    Args:
        digest: the request; None to record none.
        fields: the new values.
        pending: what is left to do for the request; empty for nothing.
        outcome: what the request does; empty to record nothing of it.
    """
    values = {name: {"$literal": value} for name, value in fields.items()}
    details: dict[str, Any] = {
        name: detail for name, detail in {"pending": pending, "outcome": outcome}.items() if detail
    }
    return [request_ids.set_once(digest, values, **details)]


def without_request(digest: bytes | None) -> Document:
    """Returns the condition that a document has no record of a request from the last 24 hours."""
    return {} if digest is None else {"$nor": [request_ids.performed(digest)]}


async def find_by_request(collection: AsyncCollection[Document], digest: bytes) -> Document | None:
    """Returns the document with the record of a request of the last 24 hours, and of its requests that record alone.

    The read is linearizable: it also finds a record that a concurrent request has just collided with.
    """
    latest = collection.with_options(read_concern=ReadConcern("linearizable"))
    document = await latest.find_one(request_ids.performed(digest))
    if document is not None:
        document[request_ids.FIELD] = [request for request in document[request_ids.FIELD] if request["id"] == digest]
    return document


async def insert_once(collection: AsyncCollection[Document], document: Document, digest: bytes | None) -> None:
    """Inserts a document with the record of a request, in place of an older record that another document still has.

    Raises:
        DuplicateKeyError: also if another document has a record of the last 24 hours.
    """
    try:
        await collection.insert_one(document)
    except DuplicateKeyError as error:
        if digest is None or f"{request_ids.FIELD}.id" not in key_pattern(error):
            raise
        forget: Document = {"$pull": {request_ids.FIELD: {"id": digest}}}
        if not (await collection.update_one(request_ids.expired(digest), forget)).modified_count:
            raise
        await collection.insert_one(document)


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
