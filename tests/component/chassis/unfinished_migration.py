"""Runs a migration that prints "begun" and never ends, for tests to kill."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from pymongo import AsyncMongoClient

from chassis.mongo.migrations import Database, Migration, migrate


async def _begin(database: Database) -> None:
    await database["steps"].insert_one({"step": "unfinished"})
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def main(uri: str, database: str, lease_seconds: float) -> None:
    """Runs the migration of `test_migrations`."""
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        await migrate(client[database], [Migration("0001", "one", _begin)], lease_seconds=lease_seconds)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
