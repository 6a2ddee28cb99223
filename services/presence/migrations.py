"""The migrations of presence's database, in order. Never change one that has been released."""

from __future__ import annotations

from typing import Final

from chassis.mongo.migrations import Database, Migration


async def _make_index(database: Database) -> None:
    await database["users"].create_index("present", name="present", partialFilterExpression={"present": True})


MIGRATIONS: Final = (Migration("0001", "create the index of present users", _make_index),)
