"""Migrations: changes of a service's database, such as indexes, that one process makes once.

A service's store lists its migrations, and runs the missing ones when it starts. The collection `migrations` records
which have been made, and a lease on making them. The lease expires by the database's clock, so other processes soon
take over from one that was killed, and run its unfinished migration again. So a migration must
- be idempotent, even when two processes run it at once: a process that was frozen may continue after its lease;
- leave the database usable for the previous version, as replicas of both versions run during an upgrade.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pymongo
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from chassis.process.logs import logger

COLLECTION: Final = "migrations"
UNFINISHED_RESTORE: Final = "unfinished_restore"
"""The collection that an unfinished restore leaves in the database of the service that starts first."""

LEASE_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1
_TIMEOUT_SECONDS: Final = 86_400.0  # a migration may take longer than the client's timeout
_LEASE: Final = {"_id": "lease"}
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

Database = AsyncDatabase[dict[str, Any]]

_log = logger("migrations")


class Migration(NamedTuple):
    """A migration: its permanent name, a summary for people, and the function that makes it."""

    name: str
    summary: str
    apply: Callable[[Database], Awaitable[None]]


class UnfinishedRestoreError(Exception):
    """The database holds only a part of a backup: a service would treat the rest as lost."""


async def pending(database: Database, migrations: Sequence[Migration]) -> list[Migration]:
    """Returns the migrations that have not been made, in order. Changes nothing."""
    made = {document["_id"] async for document in database[COLLECTION].find({}, {"_id": 1})}
    return [migration for migration in migrations if migration.name not in made]


async def migrate(
    database: Database, migrations: Sequence[Migration], *, lease_seconds: float = LEASE_SECONDS
) -> list[str]:
    """Makes all migrations, or waits until other processes have; returns the names of those that this process made.

    Raises:
        UnfinishedRestoreError: the database is being restored.
        PyMongoError: the database is unreachable or refused; another call runs the unfinished migration again.
    """
    if await database[UNFINISHED_RESTORE].find_one():
        raise UnfinishedRestoreError("the database is partly restored: finish the restore with `parley restore`")
    completed: list[str] = []
    awaited = False
    while missing := await pending(database, migrations):
        lease = _Lease(database, lease_seconds)
        if not await lease.acquire():
            if not awaited:
                _log.info("migrations_awaited", names=[migration.name for migration in missing])
            awaited = True
            await asyncio.sleep(_POLL_SECONDS)
            continue
        try:
            await _while_held(lease, _run_all(database, migrations, completed))
        finally:
            await lease.release()
    return completed


async def _while_held(lease: _Lease, work: Coroutine[None, None, None]) -> None:
    """Runs the work until it is done or the lease is lost, whichever comes first."""
    working, keeping = asyncio.create_task(work), asyncio.create_task(lease.keep())
    try:
        await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        else:
            _log.warning("migration_lease_lost")
    finally:
        for task in (working, keeping):
            task.cancel()
        await asyncio.gather(working, keeping, return_exceptions=True)


async def _run_all(database: Database, migrations: Sequence[Migration], completed: list[str]) -> None:
    for migration in await pending(database, migrations):
        await _run(database, migration)
        completed.append(migration.name)


async def _run(database: Database, migration: Migration) -> None:
    began = time.monotonic()
    _log.info("migration_begun", name=migration.name, summary=migration.summary)
    with pymongo.timeout(_TIMEOUT_SECONDS):
        await migration.apply(database)
    await database[COLLECTION].update_one(
        {"_id": migration.name}, {"$set": {"summary": migration.summary}, "$currentDate": {"time": True}}, upsert=True
    )
    _log.info("migration_made", name=migration.name, seconds=round(time.monotonic() - began, 3))


class _Lease:
    """The lease on making migrations of one database."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._collection = database[COLLECTION]
        self._seconds = seconds
        self._holder = secrets.token_hex(8)

    async def acquire(self) -> bool:
        """Acquires the lease unless another holder has it; reports success."""
        await self._collection.update_one(_LEASE, {"$setOnInsert": {"until": _NEVER}}, upsert=True)
        free = {
            "$or": [{"$lt": ["$until", "$$NOW"]}, {"$eq": ["$holder", self._holder]}]
        }  # its own, as the driver may repeat the command
        return await self._extend({**_LEASE, "$expr": free})

    async def keep(self) -> None:
        """Renews the lease until it is lost, or may be."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(self._seconds / 4)
            asked = time.monotonic()
            try:
                if not await self._extend({**_LEASE, "holder": self._holder}):
                    return
                renewed = asked
            except PyMongoError as error:
                _log.warning("migration_lease_not_renewed", error=type(error).__name__)
                if time.monotonic() - renewed > self._seconds:
                    return

    async def release(self) -> None:
        """Releases the lease if it is still held."""
        await self._collection.update_one({**_LEASE, "holder": self._holder}, {"$set": {"until": _NEVER}})

    async def _extend(self, condition: dict[str, Any]) -> bool:
        until = {"$add": ["$$NOW", int(self._seconds * 1_000)]}
        result = await self._collection.update_one(condition, [{"$set": {"holder": self._holder, "until": until}}])
        return result.matched_count == 1
