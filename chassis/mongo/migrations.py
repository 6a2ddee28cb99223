"""Changes of a service's database, such as indexes, that are made once, by whichever process comes first.

A service's store lists its migrations, and asks for them when it starts. The database says which have been made, in the
collection `migrations`, and who makes them now: a lease that ends by the database's own clock, so that a process that
was killed half-way keeps nobody waiting for long. Whoever takes over makes what was begun again. So a migration must
- come to the same when it is made twice, even by two at once: one that was frozen may go on after its lease;
- leave the database such that the version before can use it, for replicas of both run at once during an upgrade.
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
"""The collection that a restore has in the database of the service that starts first, until it is finished."""

LEASE_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
_LONGEST_SECONDS: Final = 86_400.0  # a migration may take long: the client's own deadline is not for it
_LEASE: Final = {"_id": "lease"}
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

Database = AsyncDatabase[dict[str, Any]]

_log = logger("migrations")


class Migration(NamedTuple):
    """A change: its name, for ever, what it does, for people, and how it is made."""

    name: str
    summary: str
    apply: Callable[[Database], Awaitable[None]]


class UnfinishedRestoreError(Exception):
    """The database holds a part of a backup; whoever works with it would take the rest for lost."""


async def pending(database: Database, migrations: Sequence[Migration]) -> list[Migration]:
    """Those that have not been made, in their order. Changes nothing."""
    made = {document["_id"] async for document in database[COLLECTION].find({}, {"_id": 1})}
    return [migration for migration in migrations if migration.name not in made]


async def migrate(
    database: Database, migrations: Sequence[Migration], *, lease_seconds: float = LEASE_SECONDS
) -> list[str]:
    """Sees to it that all have been made, by this process or by others; gives the names of those it made itself.

    Raises:
        UnfinishedRestoreError: the database is being restored.
        PyMongoError: the database can't be reached, or refuses; what was being made is made again by whoever is next.
    """
    if await database[UNFINISHED_RESTORE].find_one():
        raise UnfinishedRestoreError("the database is being restored: finish that first, with `parley restore`")
    own: list[str] = []
    awaited = False
    while missing := await pending(database, migrations):
        lease = _Lease(database, lease_seconds)
        if not await lease.acquire():
            if not awaited:
                _log.info("migrations_awaited", names=[migration.name for migration in missing])
            awaited = True
            await asyncio.sleep(_LOOK_SECONDS)
            continue
        try:
            await _while_held(lease, _make_all(database, migrations, own))
        finally:
            await lease.release()
    return own


async def _while_held(lease: _Lease, work: Coroutine[None, None, None]) -> None:
    """Works until it is done or the lease has ended, whichever comes first."""
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


async def _make_all(database: Database, migrations: Sequence[Migration], own: list[str]) -> None:
    for migration in await pending(database, migrations):
        await _make(database, migration)
        own.append(migration.name)


async def _make(database: Database, migration: Migration) -> None:
    began = time.monotonic()
    _log.info("migration_begun", name=migration.name, summary=migration.summary)
    with pymongo.timeout(_LONGEST_SECONDS):
        await migration.apply(database)
    await database[COLLECTION].update_one(
        {"_id": migration.name}, {"$set": {"summary": migration.summary}, "$currentDate": {"time": True}}, upsert=True
    )
    _log.info("migration_made", name=migration.name, seconds=round(time.monotonic() - began, 3))


class _Lease:
    """The right to make migrations of one database."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._collection = database[COLLECTION]
        self._seconds = seconds
        self._holder = secrets.token_hex(8)

    async def acquire(self) -> bool:
        """Takes it, unless another holder's has not ended."""
        await self._collection.update_one(_LEASE, {"$setOnInsert": {"until": _NEVER}}, upsert=True)
        free = {
            "$or": [{"$lt": ["$until", "$$NOW"]}, {"$eq": ["$holder", self._holder]}]
        }  # its own: the driver repeats
        return await self._extend({**_LEASE, "$expr": free})

    async def keep(self) -> None:
        """Renews it; returns when it has ended, or may have."""
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
        """Gives it back, if it is still held."""
        await self._collection.update_one({**_LEASE, "holder": self._holder}, {"$set": {"until": _NEVER}})

    async def _extend(self, condition: dict[str, Any]) -> bool:
        until = {"$add": ["$$NOW", int(self._seconds * 1_000)]}
        result = await self._collection.update_one(condition, [{"$set": {"holder": self._holder, "until": until}}])
        return result.matched_count == 1
