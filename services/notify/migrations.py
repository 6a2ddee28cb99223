"""The migrations of notify's database, in order. Never change one that has been released."""

from __future__ import annotations

from typing import Final

from chassis.mongo.migrations import Database, Migration

_LATEST_FIRST: Final = (("latest.time", -1), ("_id", -1))


async def _make_indexes(database: Database) -> None:
    notifications = database["notifications"]
    # The indexes of listings and counts begin with organization and user, so a query scans only its own user's entries.
    # Listings, latest first, without tombstones and documents that only hold marks.
    await notifications.create_index(
        ["organization_id", "user_id", *_LATEST_FIRST], name="listing", partialFilterExpression={"listed": True}
    )
    # Unread notifications: covers their count, and serves their listing. Small, as most notifications get read.
    await notifications.create_index(
        ["organization_id", "user_id", "unread", *_LATEST_FIRST],
        name="unread",
        partialFilterExpression={"unread": True},
    )
    # The mentions of a message: their text is removed when the message is deleted.
    await notifications.create_index("subject", name="subject", partialFilterExpression={"subject": {"$exists": True}})
    # The retention. Unread notifications have no expire_at, and stay.
    await notifications.create_index("expire_at", name="retention", expireAfterSeconds=0, sparse=True)
    await database["deletions"].create_index("expire_at", expireAfterSeconds=0)


MIGRATIONS: Final = (
    Migration("0001", "create the indexes and the expiry of notifications and deletions", _make_indexes),
)
