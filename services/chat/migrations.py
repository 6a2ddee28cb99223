"""The migrations of chat's database. A released migration never changes."""

from __future__ import annotations

from typing import Final

from chassis.mongo.migrations import Database, Migration

_COLLECTIONS: Final = ("log", "conversations", "members", "intents", "replicas")
_NAMESPACE_EXISTS: Final = 48
_REQUESTS_KEPT_SECONDS: Final = 7 * 86_400  # clients are promised 24 hours


async def _make_collections(database: Database) -> None:
    for name in _COLLECTIONS:  # transactions need them there
        await database.command("create", name, allowable_errors=[_NAMESPACE_EXISTS])
    log, members, intents = (database[name] for name in ("log", "members", "intents"))
    await log.create_index(["c", "r"], name="fence", unique=True)
    # History by seq; change entries have no seq and are not indexed.
    await log.create_index(["c", "s"], name="history", unique=True, partialFilterExpression={"s": {"$gt": 0}})
    # A covering index for a user's conversations.
    await members.create_index(["o", "u", "c"])
    for field in ("c", "p"):
        await intents.create_index(field)


async def _create_requests(database: Database) -> None:
    await database.command("create", "requests", allowable_errors=[_NAMESPACE_EXISTS])
    await database["requests"].create_index("at", expireAfterSeconds=_REQUESTS_KEPT_SECONDS)


async def _create_versions(database: Database) -> None:
    await database.command("create", "versions", allowable_errors=[_NAMESPACE_EXISTS])
    await database["versions"].create_index(["m", "r"])
    await database["log"].create_index(["c", "s"], name="pinned", partialFilterExpression={"pin": True})


async def _create_drafts_and_schedule(database: Database) -> None:
    drafts, scheduled = database["drafts"], database["scheduled"]
    await drafts.create_index(["o", "u", "at"])
    await drafts.create_index("gone", expireAfterSeconds=_REQUESTS_KEPT_SECONDS)
    await scheduled.create_index(["at"], name="due", partialFilterExpression={"state": 0})
    await scheduled.create_index(["o", "u", "at"], name="own", partialFilterExpression={"state": 0})
    await scheduled.create_index("done", expireAfterSeconds=_REQUESTS_KEPT_SECONDS)


MIGRATIONS: Final = (
    Migration("0001", "the collections, the log's fence, and the other indexes", _make_collections),
    Migration("0002", "the requests that changed nothing in a log", _create_requests),
    Migration("0003", "the texts that edited messages had, and the index of pinned messages", _create_versions),
    Migration("0004", "drafts and scheduled messages", _create_drafts_and_schedule),
)
