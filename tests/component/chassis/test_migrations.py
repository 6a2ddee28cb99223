"""Migrations are made once, in order, by one process at a time; what a killed one began is made by the next."""

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


def noting(name: str, seconds: float = 0.0) -> Migration:
    """A migration that notes each time it is made."""

    async def apply(database: Database) -> None:
        await asyncio.sleep(seconds)
        await database["steps"].insert_one({"step": name})

    return Migration(name, f"notes {name}", apply)


async def steps(database: Database) -> list[str]:
    return [document["step"] async for document in database["steps"].find().sort("_id", 1)]


async def test_many_processes_at_once_make_each_once_and_in_order(mongodb_uri: str, database: Database) -> None:
    migrations = [noting("0001", 0.2), noting("0002", 0.2), noting("0003")]
    clients = [AsyncMongoClient[dict[str, Any]](mongodb_uri) for _ in range(6)]
    made = await asyncio.gather(*(migrate(client[database.name], migrations) for client in clients))
    await asyncio.gather(*(client.close() for client in clients))
    assert await steps(database) == ["0001", "0002", "0003"]
    assert sorted(made) == [[]] * 5 + [["0001", "0002", "0003"]]


async def test_a_log_tells_what_a_process_that_does_not_start_yet_is_at(mongodb_uri: str, database: Database) -> None:
    with capture_logs() as told:

        async def until_awaited(_: Database) -> None:
            while not any(line["event"] == "migrations_awaited" for line in told):
                await asyncio.sleep(0.01)

        slow = Migration("0001", "ends when another process waits for it", until_awaited)
        async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as another:
            await asyncio.gather(*(migrate(d, [slow]) for d in (database, another[database.name])))
    own = [line for line in told if line.get("part") == "migrations"]  # services of other tests may still run
    events = [(line["event"], line.get("name") or line.get("names")) for line in own]
    assert ("migrations_awaited", ["0001"]) in events
    assert events.index(("migration_begun", "0001")) < events.index(("migration_made", "0001"))
    assert len(events) == 3


async def test_only_new_ones_are_made_later(database: Database) -> None:
    await migrate(database, [noting("0001")])
    assert await migrate(database, [noting("0001"), noting("0002")]) == ["0002"]
    assert await migrate(database, [noting("0001"), noting("0002")]) == []
    assert await steps(database) == ["0001", "0002"]


async def test_what_a_killed_process_began_is_made_by_the_next_when_its_lease_has_ended(
    mongodb_uri: str, database: Database
) -> None:
    arguments = (mongodb_uri, database.name, "2")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.component.chassis.half_way", *arguments), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    while await process.stdout.readline() != b"begun\n":  # its log comes first
        assert process.returncode is None
    process.kill()
    await process.communicate()
    assert [migration.name for migration in await pending(database, [noting("0001")])] == ["0001"]
    assert await migrate(database, [noting("0001")]) == ["0001"]
    assert await steps(database) == ["half-way", "0001"]


async def test_one_that_takes_longer_than_a_lease_keeps_others_out(database: Database) -> None:
    slow = noting("0001", 7.0)
    made = await asyncio.gather(*(migrate(database, [slow], lease_seconds=3.0) for _ in range(2)))
    assert sorted(made) == [[], ["0001"]]
    assert await steps(database) == ["0001"]


async def test_who_has_lost_the_lease_stops_and_leaves_it_to_the_holder(database: Database) -> None:
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


async def test_one_that_fails_is_made_again_by_the_next_and_those_before_it_are_not(database: Database) -> None:
    async def fail(database: Database) -> None:
        await database.command("nonsense")

    with pytest.raises(OperationFailure):
        await migrate(database, [noting("0001"), Migration("0002", "fails", fail)])
    assert await migrate(database, [noting("0001"), noting("0002")]) == ["0002"]
    assert await steps(database) == ["0001", "0002"]


async def test_a_database_that_is_being_restored_is_left_alone(database: Database) -> None:
    await database[UNFINISHED_RESTORE].insert_one({"_id": "restore"})
    with pytest.raises(UnfinishedRestoreError, match="parley restore"):
        await migrate(database, [noting("0001")])
    assert await steps(database) == []
    await database[UNFINISHED_RESTORE].drop()
    assert await migrate(database, [noting("0001")]) == ["0001"]


async def test_looking_changes_nothing(database: Database) -> None:
    assert len(await pending(database, [noting("0001"), noting("0002")])) == 2
    assert await database.list_collection_names() == []


@pytest.mark.parametrize("service", ALL)
async def test_a_services_migrations_may_be_repeated_and_are_in_order(database: Database, service: str) -> None:
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
    """Runs the command, with all services' databases named after this one."""
    names = [f"--database={service}={database.name}_{service}" for service in ALL]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "migrate", *names, *arguments),
        env={"PARLEY_MONGODB_URI": uri, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def test_the_command_tells_what_it_would_make_then_makes_it_then_has_nothing_to_do(
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


async def test_the_command_says_what_is_wrong(mongodb_uri: str, database: Database) -> None:
    status, printed = await parley("mongodb://ann:pass-word@127.0.0.1:1", database)
    assert (status, "does not answer" in printed, "pass-word" in printed) == (1, True, False), printed
    status, printed = await parley(mongodb_uri, database, "--database", "chat")
    assert (status, "is not SERVICE=NAME" in printed) == (1, True), printed
