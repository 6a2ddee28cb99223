"""How notify's database came to be as it is, step by step; a step that was released is never changed."""

from __future__ import annotations

from typing import Final

from chassis.mongo.migrations import Database, Migration

_LATEST_FIRST: Final = (("latest.time", -1), ("_id", -1))


async def _make_indexes(database: Database) -> None:
    notifications = database["notifications"]
    # Listings and counts begin with the organization and the user, so one user's never touch another's entries.
    # A listing, latest first; tombstones and bare marks are left out.
    await notifications.create_index(
        ["organization_id", "user_id", *_LATEST_FIRST], name="listing", partialFilterExpression={"listed": True}
    )
    # The unread ones: their number, which this covers, and their listing. Small: most notifications get read.
    await notifications.create_index(
        ["organization_id", "user_id", "unread", *_LATEST_FIRST],
        name="unread",
        partialFilterExpression={"unread": True},
    )
    # The mentions of a message, whose text must go when the message's does.
    await notifications.create_index("subject", name="subject", partialFilterExpression={"subject": {"$exists": True}})
    # The retention; what is unread has no such time, and stays.
    await notifications.create_index("expire_at", name="retention", expireAfterSeconds=0, sparse=True)
    await database["deletions"].create_index("expire_at", expireAfterSeconds=0)


MIGRATIONS: Final = (
    Migration("0001", "the indexes of notifications, and when they and noted deletions expire", _make_indexes),
)
