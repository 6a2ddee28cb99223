"""How presence's database came to be as it is, step by step; a step that was released is never changed."""

from __future__ import annotations

from typing import Final

from chassis.mongo.migrations import Database, Migration


async def _make_index(database: Database) -> None:
    await database["users"].create_index("present", name="present", partialFilterExpression={"present": True})


MIGRATIONS: Final = (Migration("0001", "the index of those who are present", _make_index),)
