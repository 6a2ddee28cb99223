"""What there is to copy: which collections, how they were made, which indexes they have; and at which moment."""

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
    """A collection: whose, its name, and `metadata` as mongodump writes it."""

    service: str
    database: str
    name: str
    metadata: str


async def collections(client: Client, databases: Mapping[str, str]) -> list[Collection]:
    """All collections of the services' databases; raises BackupError where a database has none."""
    found: list[Collection] = []
    for service, database in databases.items():
        infos = [info async for info in await client[database].list_collections()]
        own = [info for info in infos if info["type"] == "collection" and not info["name"].startswith("system.")]
        if not own:
            raise BackupError(
                f"There is no database {database!r} for {service}; --database {service}=NAME names another."
            )
        if any(info["name"] == UNFINISHED_RESTORE for info in own):
            raise BackupError(f"The database {database!r} holds a restore that is not finished. Finish that first.")
        for info in sorted(own, key=lambda info: str(info["name"])):
            indexes = [dict(index) async for index in await client[database][info["name"]].list_indexes()]
            found.append(Collection(service, database, info["name"], _metadata(info, indexes)))
    return found


def _metadata(info: Mapping[str, Any], indexes: list[dict[str, Any]]) -> str:
    document = {
        "options": info["options"],
        "indexes": sorted(indexes, key=lambda index: str(index["name"])),
        "uuid": info["info"]["uuid"].hex(),
        "collectionName": info["name"],
        "type": "collection",
    }
    return json_util.dumps(document, json_options=json_util.CANONICAL_JSON_OPTIONS)


async def moment(client: Client, databases: Mapping[str, str]) -> tuple[Timestamp, list[Collection]]:
    """A cluster time after all that was acknowledged so far, and the collections that there were at it."""
    for _ in range(_ATTEMPTS):
        before = await collections(client, databases)
        reply = await client.admin.command("hello")
        if "setName" not in reply and reply.get("msg") != "isdbgrid":
            raise BackupError("This MongoDB is no replica set; only those can be read as of one moment.")
        if await collections(client, databases) == before:
            return reply["operationTime"], before
    raise BackupError("Collections or indexes are being made or removed all the time. Try again when that is over.")
