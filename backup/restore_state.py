"""The state that an unfinished restore keeps in MongoDB: which backup it restores, and its progress.

It is a single collection, so that one drop removes it. Services that find it do not start. It is created while all
databases are empty, so whatever they hold while it exists comes from that restore.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backup.connection import Client, retry_while_unreachable
from backup.errors import BackupError
from backup.manifest import CollectionCopy, Manifest
from chassis.mongo.migrations import UNFINISHED_RESTORE

_FIRST: Final = "auth"  # no other service works without it
_RESTORE: Final = {"_id": "restore"}


class RestoreState:
    """The state of one restore into the services' databases."""

    def __init__(self, client: Client, databases: Mapping[str, str], backup: Manifest) -> None:
        self._client = client
        self._databases = dict(databases)
        self._backup_id = backup.backup_id
        first = _FIRST if _FIRST in databases else min(databases)
        self._collection = client[databases[first]][UNFINISHED_RESTORE]

    async def begin(self, *, replace: bool) -> None:
        """Starts or resumes the restore.

        Raises:
            BackupError: the databases hold something else and `replace` is false.
        """
        state: Mapping[str, Any] | None = await self._collection.find_one(_RESTORE)
        if state is not None and (state["backup_id"], state["databases"]) == (self._backup_id, self._databases):
            return
        if replace:
            for database in self._databases.values():
                await self._client.drop_database(database)
        elif state is not None:
            raise BackupError(
                "The databases hold an unfinished restore of another backup, or one that something else wrote to. "
                "Finish it, or drop their content with --replace."
            )
        for service, database in self._databases.items():
            if await self._client[database].list_collection_names():
                raise BackupError(f"The {service} database {database!r} is not empty; --replace drops its content.")
        await self._collection.insert_one({**_RESTORE, "backup_id": self._backup_id, "databases": self._databases})

    async def invalidate(self) -> None:
        """Marks the restore as one that cannot be resumed."""
        await self._collection.update_one(_RESTORE, {"$set": {"backup_id": ""}})

    async def finish(self) -> None:
        """Removes the state: the restore is complete."""
        await self._collection.drop()

    async def read(self, copy: CollectionCopy) -> Mapping[str, Any]:
        """Returns a collection's progress: the number of `chunks` loaded, and whether it is `finished`."""
        return await retry_while_unreachable(lambda: self._collection.find_one(_key(copy))) or {}

    async def write(self, copy: CollectionCopy, progress: Mapping[str, Any]) -> None:
        """Records a collection's progress."""
        await retry_while_unreachable(lambda: self._collection.update_one(_key(copy), {"$set": progress}, upsert=True))


def _key(copy: CollectionCopy) -> dict[str, str]:
    return {"_id": f"{copy.service}.{copy.collection}"}
