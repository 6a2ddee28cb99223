"""The collections to back up, with their options and indexes, and the cluster time at which to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bson import json_util
from bson.timestamp import Timestamp

from backup.connection import Client
from backup.errors import BackupError
from chassis.mongo.migrations import UNFINISHED_RESTORE

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of a service; `metadata` is the content of mongodump's metadata file."""

    service: str
    database: str
    name: str
    metadata: str


async def collections(client: Client, databases: Mapping[str, str]) -> list[Collection]:
    """Returns all collections of the services' databases, by name within each service.

    Raises:
        BackupError: a database has no collections, or holds an unfinished restore.
    """
    entries: list[Collection] = []
    for service, database in databases.items():
        infos = [info async for info in await client[database].list_collections()]
        own = [info for info in infos if info["type"] == "collection" and not info["name"].startswith("system.")]
        if not own:
            raise BackupError(
                f"The {service} database {database!r} does not exist; name another with --database {service}=NAME."
            )
        if any(info["name"] == UNFINISHED_RESTORE for info in own):
            raise BackupError(f"The database {database!r} holds an unfinished restore. Finish the restore first.")
        for info in sorted(own, key=lambda info: str(info["name"])):
            indexes = [dict(index) async for index in await client[database][info["name"]].list_indexes()]
            entries.append(Collection(service, database, info["name"], _metadata(info, indexes)))
    return entries


def _metadata(info: Mapping[str, Any], indexes: list[dict[str, Any]]) -> str:
    document = {
        "options": info["options"],
        "indexes": sorted(indexes, key=lambda index: str(index["name"])),
        "uuid": info["info"]["uuid"].hex(),
        "collectionName": info["name"],
        "type": "collection",
    }
    return json_util.dumps(document, json_options=json_util.CANONICAL_JSON_OPTIONS)


async def choose_snapshot(client: Client, databases: Mapping[str, str]) -> tuple[Timestamp, list[Collection]]:
    """Returns a cluster time that includes all writes acknowledged so far, and the collections that exist at it.

    Raises:
        BackupError: the server is no replica set, or collections keep changing.
    """
    for _ in range(_ATTEMPTS):
        before = await collections(client, databases)
        reply = await client.admin.command("hello")
        if "setName" not in reply and reply.get("msg") != "isdbgrid":
            raise BackupError(
                "This MongoDB is not a replica set. Snapshot reads need a replica set or a sharded cluster."
            )
        if await collections(client, databases) == before:
            return reply["operationTime"], before
    raise BackupError("Collections or indexes keep changing. Retry when migrations have finished.")
