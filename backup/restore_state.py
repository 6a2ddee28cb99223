"""What a restore that is not finished leaves in MongoDB: of which backup it is, and how far it got.

All of it is one collection in one database, so that it goes in one step; services that find it do not start. It is
made when all databases are empty, and so what they hold while it is there is of that restore.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backup.connection import Client, persistently
from backup.errors import BackupError
from backup.manifest import CollectionCopy, Manifest
from chassis.mongo.migrations import UNFINISHED_RESTORE

_FIRST: Final = "auth"  # without it no other service does anything
_WHOLE: Final = {"_id": "restore"}


class Marks:
    """The marks of one restore into some databases, named by service."""

    def __init__(self, client: Client, databases: Mapping[str, str], backup: Manifest) -> None:
        self._client = client
        self._databases = dict(databases)
        self._backup_id = backup.backup_id
        first = _FIRST if _FIRST in databases else min(databases)
        self._collection = client[databases[first]][UNFINISHED_RESTORE]

    async def begin(self, *, replace: bool) -> None:
        """Begins, or goes on; raises BackupError where the databases hold anything else that isn't to be replaced."""
        mark: Mapping[str, Any] | None = await self._collection.find_one(_WHOLE)
        own = mark is not None and (mark["backup_id"], mark["databases"]) == (self._backup_id, self._databases)
        if own:
            return
        if replace:
            for database in self._databases.values():
                await self._client.drop_database(database)
        elif mark is not None:
            raise BackupError(
                "The databases hold an unfinished restore of another backup, or one that something else wrote to. "
                "Finish it, or remove what they hold with --replace."
            )
        for service, database in self._databases.items():
            if await self._client[database].list_collection_names():
                raise BackupError(
                    f"The database {database!r} of {service} is not empty; --replace removes what it holds."
                )
        await self._collection.insert_one({**_WHOLE, "backup_id": self._backup_id, "databases": self._databases})

    async def spoil(self) -> None:
        """Notes that this restore can't go on."""
        await self._collection.update_one(_WHOLE, {"$set": {"backup_id": ""}})

    async def end(self) -> None:
        """Notes that all is done."""
        await self._collection.drop()

    async def of(self, copy: CollectionCopy) -> Mapping[str, Any]:
        """How far a collection is: `chunks` that are loaded, whether it is `finished`."""
        return await persistently(lambda: self._collection.find_one(_key(copy))) or {}

    async def move(self, copy: CollectionCopy, state: Mapping[str, Any]) -> None:
        """Notes how far a collection is."""
        await persistently(lambda: self._collection.update_one(_key(copy), {"$set": state}, upsert=True))


def _key(copy: CollectionCopy) -> dict[str, str]:
    return {"_id": f"{copy.service}.{copy.collection}"}
