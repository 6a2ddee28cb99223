"""A restored backup equals the original byte by byte, and is one consistent snapshot."""

from __future__ import annotations

import asyncio
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel

from backup import manifest
from backup.connection import Client
from backup.dump import take_backup
from backup.pages import LATEST, pages
from backup.progress import Phase, Progress
from backup.restore import restore_backup
from tests.component.backup.stores import Store, fill

ODD_IDS = [3, Int64(1 << 40), 2.5, "text", "", ObjectId(), b"bytes", datetime(2026, 1, 1, tzinfo=UTC), True, {"a": 1}]


async def fill_with_everything(store: Store) -> None:
    log = store.collection("chat", "log")
    values = ["ünïcode ☃", float("inf"), Decimal128("1.10"), Binary(b"\0", 4), None, [], {"deep": [{"er": 1}]}]
    await log.insert_many([{"_id": id_, "v": values[n % len(values)]} for n, id_ in enumerate(ODD_IDS)])
    await log.insert_one({"_id": "beyond python's years", "at": DatetimeMS(1 << 60)})
    await log.create_indexes(
        [
            IndexModel([("v", 1), ("at", -1)], name="pair"),
            IndexModel("k", unique=True, partialFilterExpression={"k": {"$type": "string"}}),
            IndexModel([("text", "text")], name="words"),
        ]
    )
    await store.collection("notify", "expiring").create_index("at", expireAfterSeconds=0)
    long_gone = datetime(2001, 1, 1, tzinfo=UTC)
    await store.collection("notify", "unexpired").insert_one({"_id": 1, "at": long_gone})
    await store.client[store.databases["notify"]].create_collection("with options", validator={"a": {"$exists": True}})
    await store.client[store.databases["notify"]].create_collection("a/b %2F", collation={"locale": "de"})


async def test_everything_comes_back_byte_by_byte_with_its_indexes_and_options(store: Store, tmp_path: Path) -> None:
    await fill_with_everything(store)
    before = await store.content()
    taken = await take_backup(store.client, store.databases, tmp_path / "b", page_documents=2)
    await store.destroy()
    restored = await restore_backup(store.client, store.databases, tmp_path / "b")
    assert await store.content() == before
    assert taken == restored
    infos = {i["name"]: i["options"] async for i in await store.client[store.databases["notify"]].list_collections()}
    assert infos["with options"] == {"validator": {"a": {"$exists": True}}}
    assert infos["a/b %2F"]["collation"]["locale"] == "de"


async def test_only_the_owner_may_read_the_files(store: Store, tmp_path: Path) -> None:
    await fill(store, 10)
    await take_backup(store.client, store.databases, tmp_path / "b")
    paths = [tmp_path / "b", *(tmp_path / "b").rglob("*")]
    assert len(paths) == 8
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


class PauseError(Exception):
    pass


async def test_every_page_is_of_one_moment_across_databases(store: Store, tmp_path: Path) -> None:
    """Transactions change both databases alike between pages; a mix of two snapshots would hold different sums."""
    await fill(store, 200)
    seen: set[tuple[str, int]] = set()

    def pause(step: Progress) -> None:
        before = len(seen)
        seen.add((step.name, step.done))
        if len(seen) > before and len(seen) % 3 == 0:
            raise PauseError

    async def change_both(number: int) -> None:
        async with store.client.start_session() as session, await session.start_transaction():
            for service, key in (("chat", 199 - number), ("notify", number)):
                things = store.collection(service, "things")
                await things.update_one({"_id": f"{key:06}"}, {"$inc": {"n": 1}}, session=session)

    changes = 0
    while not (tmp_path / "b" / manifest.MANIFEST).exists():
        changes += 1
        await change_both(changes)
        with suppress(PauseError):
            await take_backup(
                store.client, store.databases, tmp_path / "b", page_documents=10, chunk_bytes=1, report=pause
            )
    assert changes > 10
    await restore_backup(store.client, store.databases, tmp_path / "b", replace=True)
    sums = []
    for service in store.databases:
        documents = await store.collection(service, "things").find().to_list()
        sums.append((len(documents), sum(document["n"] for document in documents)))
    assert sums == [(200, sum(range(200)) + 1)] * 2


async def test_what_was_acknowledged_before_is_in_it_and_what_came_after_is_not(store: Store, tmp_path: Path) -> None:
    await fill(store, 50)
    late: list[asyncio.Task[None]] = []

    def report(_: Progress) -> None:
        if not late:
            late.append(asyncio.create_task(store.collection("notify", "things").insert_one({"_id": "late"})))

    taken = await take_backup(store.client, store.databases, tmp_path / "b", page_documents=5, report=report)
    await asyncio.gather(*late)
    assert taken.documents == 100


async def test_it_goes_to_databases_of_other_names_too(store: Store, client: Client, tmp_path: Path) -> None:
    await fill(store, 5)
    await take_backup(store.client, store.databases, tmp_path / "b")
    others = {service: f"{name}_other" for service, name in store.databases.items()}
    await restore_backup(client, others, tmp_path / "b")
    moved = Store(client, others)
    assert await moved.content() == await store.content()
    await moved.destroy()


async def test_reading_holds_one_page_at_a_time_and_misses_none(store: Store) -> None:
    await store.collection("chat", "log").insert_many([{"_id": id_} for id_ in ODD_IDS])
    documents: list[RawBSONDocument] = []
    async for page in pages(store.client, store.databases["chat"], "log", LATEST, documents=2):
        assert len(page) <= 2
        documents += page
    assert len({document.raw for document in documents}) == len(documents) == len(ODD_IDS)


async def test_progress_is_reported_for_each_phase(store: Store, tmp_path: Path) -> None:
    await fill(store, 30)
    steps: list[Progress] = []
    await take_backup(store.client, store.databases, tmp_path / "b", page_documents=10, report=steps.append)
    assert [(p.done, p.total) for p in steps if p.name == "chat.things"] == [(10, 30), (20, 30), (30, 30)]
    steps.clear()
    await restore_backup(store.client, store.databases, tmp_path / "b", replace=True, report=steps.append)
    last = {(p.phase, p.name): (p.done, p.total) for p in steps}
    assert {phase for phase, _ in last} == {Phase.CHECK, Phase.LOAD, Phase.COMPARE, Phase.INDEX}
    assert all(done == total for done, total in last.values())
