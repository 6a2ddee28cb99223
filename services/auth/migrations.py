"""The migrations of auth's database. A released migration never changes."""

from __future__ import annotations

from typing import Final

from chassis.mongo.migrations import Database, Migration


async def _make_indexes(database: Database) -> None:
    organizations, users, sessions = (database[name] for name in ("organizations", "users", "sessions"))
    # Optional fields with unique values.
    for collection, field in ((organizations, "trusted_issuers.issuer"), (users, "email_key")):
        await collection.create_index(field, unique=True, partialFilterExpression={field: {"$type": "string"}})
    await users.create_index(["organization_id", "name_key", "user_id"])
    await users.create_index(["organization_id", "search"])
    await sessions.create_index("expire_time", expireAfterSeconds=0)
    await sessions.create_index(["organization_id", "user_id"])


async def _index_requests(database: Database) -> None:
    for name in ("organizations", "users"):
        present = {"requests.id": {"$exists": True}}
        await database[name].create_index("requests.id", unique=True, partialFilterExpression=present)


MIGRATIONS: Final = (
    Migration("0001", "the indexes of organizations, users and sessions", _make_indexes),
    Migration("0002", "the indexes of request ids", _index_requests),
)
