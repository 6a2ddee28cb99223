"""Migrations run once, in order, in one process at a time; the next process repeats one that was interrupted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure
from structlog.testing import capture_logs

from chassis.mongo.migrations import (
    COLLECTION,
    UNFINISHED_RESTORE,
    Database,
    Migration,
    UnfinishedRestoreError,
    migrate,
    pending,
)
from services.auth.migrations import MIGRATIONS as AUTH
from services.chat.migrations import MIGRATIONS as CHAT
from services.notify.migrations import MIGRATIONS as NOTIFY
from services.presence.migrations import MIGRATIONS as PRESENCE

ALL = {"auth": AUTH, "chat": CHAT, "notify": NOTIFY, "presence": PRESENCE}


@pytest.fixture
async def database(mongodb_uri: str, database_name: str) -> AsyncIterator[Database]:
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:
        yield client[database_name]
        await client.drop_database(database_name)


def recording(name: str, seconds: float = 0.0) -> Migration:
    """Returns a migration that records each time it runs."""

    async def apply(database: Database) -> None:
        await asyncio.sleep(seconds)
        await database["steps"].insert_one({"step": name})

    return Migration(name, f"records {name}", apply)


async def steps(database: Database) -> list[str]:
    return [document["step"] async for document in database["steps"].find().sort("_id", 1)]


async def test_concurrent_processes_make_each_migration_once_and_in_order(mongodb_uri: str, database: Database) -> None:
    migrations = [recording("0001", 0.2), recording("0002", 0.2), recording("0003")]
    clients = [AsyncMongoClient[dict[str, Any]](mongodb_uri) for _ in range(6)]
    results = await asyncio.gather(*(migrate(client[database.name], migrations) for client in clients))
    await asyncio.gather(*(client.close() for client in clients))
    assert await steps(database) == ["0001", "0002", "0003"]
    assert sorted(results) == [[]] * 5 + [["0001", "0002", "0003"]]


async def test_the_log_shows_why_a_process_has_not_started(mongodb_uri: str, database: Database) -> None:
    with capture_logs() as logs:

        async def until_awaited(_: Database) -> None:
            while not any(line["event"] == "migrations_awaited" for line in logs):
                await asyncio.sleep(0.01)

        slow = Migration("0001", "ends when another process waits for it", until_awaited)
        async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as another:
            await asyncio.gather(*(migrate(d, [slow]) for d in (database, another[database.name])))
    own = [line for line in logs if line.get("part") == "migrations"]  # services of other tests may still run
    events = [(line["event"], line.get("name") or line.get("names")) for line in own]
    assert ("migrations_awaited", ["0001"]) in events
    assert events.index(("migration_begun", "0001")) < events.index(("migration_made", "0001"))
    assert len(events) == 3


async def test_later_runs_make_new_migrations_only(database: Database) -> None:
    await migrate(database, [recording("0001")])
    assert await migrate(database, [recording("0001"), recording("0002")]) == ["0002"]
    assert await migrate(database, [recording("0001"), recording("0002")]) == []
    assert await steps(database) == ["0001", "0002"]


async def test_a_killed_processs_migration_is_repeated_once_its_lease_expired(
    mongodb_uri: str, database: Database
) -> None:
    arguments = (mongodb_uri, database.name, "2")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.component.chassis.unfinished_migration", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    while await process.stdout.readline() != b"begun\n":  # its log comes first
        assert process.returncode is None
    process.kill()
    await process.communicate()
    assert [migration.name for migration in await pending(database, [recording("0001")])] == ["0001"]
    assert await migrate(database, [recording("0001")]) == ["0001"]
    assert await steps(database) == ["unfinished", "0001"]


async def test_a_migration_longer_than_the_lease_keeps_the_lease(database: Database) -> None:
    slow = recording("0001", 7.0)
    results = await asyncio.gather(*(migrate(database, [slow], lease_seconds=3.0) for _ in range(2)))
    assert sorted(results) == [[], ["0001"]]
    assert await steps(database) == ["0001"]


async def test_a_process_that_lost_the_lease_stops(database: Database) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: Database) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(migrate(database, [Migration("0001", "hangs", hang)], lease_seconds=1.0))
    await begun.wait()
    await database[COLLECTION].update_one(
        {"_id": "lease"}, [{"$set": {"holder": "another", "until": {"$add": ["$$NOW", 600_000]}}}]
    )
    await ended.wait()
    await database[COLLECTION].insert_one({"_id": "0001"})
    assert await waiting == []
    lease = await database[COLLECTION].find_one({"_id": "lease"})
    assert lease is not None
    assert lease["holder"] == "another"


async def test_a_failed_migration_is_repeated_and_those_before_it_are_not(database: Database) -> None:
    async def fail(database: Database) -> None:
        await database.command("nonsense")

    with pytest.raises(OperationFailure):
        await migrate(database, [recording("0001"), Migration("0002", "fails", fail)])
    assert await migrate(database, [recording("0001"), recording("0002")]) == ["0002"]
    assert await steps(database) == ["0001", "0002"]


async def test_a_partly_restored_database_is_not_migrated(database: Database) -> None:
    await database[UNFINISHED_RESTORE].insert_one({"_id": "restore"})
    with pytest.raises(UnfinishedRestoreError, match="parley restore"):
        await migrate(database, [recording("0001")])
    assert await steps(database) == []
    await database[UNFINISHED_RESTORE].drop()
    assert await migrate(database, [recording("0001")]) == ["0001"]


async def test_listing_pending_migrations_changes_nothing(database: Database) -> None:
    assert len(await pending(database, [recording("0001"), recording("0002")])) == 2
    assert await database.list_collection_names() == []


@pytest.mark.parametrize("service", ALL)
async def test_a_services_migrations_are_idempotent_and_numbered_in_order(database: Database, service: str) -> None:
    migrations = ALL[service]
    assert await migrate(database, migrations) == [migration.name for migration in migrations]
    assert [m.name for m in migrations] == [f"{number:04}" for number in range(1, len(migrations) + 1)]
    before = await indexes(database)
    await database[COLLECTION].drop()
    await migrate(database, migrations)
    assert await indexes(database) == before
    assert len(before) >= 1


async def indexes(database: Database) -> dict[str, Any]:
    names = set(await database.list_collection_names()) - {COLLECTION}
    return {name: await database[name].index_information() for name in names}


async def parley(uri: str, database: Database, *arguments: str) -> tuple[int, str]:
    """Runs `parley migrate` with databases named after this one."""
    names = [f"--database={service}={database.name}_{service}" for service in ALL]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "migrate", *names, *arguments),
        env={"PARLEY_MONGODB_URI": uri, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def test_the_command_shows_pending_migrations_makes_them_and_then_has_nothing_to_do(
    mongodb_uri: str, database: Database
) -> None:
    status, printed = await parley(mongodb_uri, database, "--dry-run")
    assert (status, printed.count("pending")) == (0, sum(map(len, ALL.values()))), printed
    assert "chat 0001: the collections, the log's fence" in printed
    existing = await database.client.list_database_names()
    assert [name for name in existing if name.startswith(database.name)] == []
    status, printed = await parley(mongodb_uri, database)
    assert (status, printed.count(": applied")) == (0, sum(map(len, ALL.values()))), printed
    status, printed = await parley(mongodb_uri, database, "--dry-run")
    assert (status, printed.count("nothing to do")) == (0, len(ALL)), printed
    for service in ALL:
        await database.client.drop_database(f"{database.name}_{service}")


async def test_the_command_reports_errors(mongodb_uri: str, database: Database) -> None:
    status, printed = await parley("mongodb://ann:pass-word@127.0.0.1:1", database)
    assert (status, "does not answer" in printed, "pass-word" in printed) == (1, True, False), printed
    status, printed = await parley(mongodb_uri, database, "--database", "chat")
    assert (status, "is not SERVICE=NAME" in printed) == (1, True), printed
