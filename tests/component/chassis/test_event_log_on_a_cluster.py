"""The event log on a real cluster, whose shards are on several nodes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis.crc import key_slot

from chassis.events.log import Entry, EventLog, LogError, LogTrimmedError, open_redis
from tests.component.valkey_cluster import RunningCluster, running_cluster

TIMEOUT = 30.0
ORGANIZATIONS = [f"org-{number}" for number in range(16)]


@pytest.fixture(scope="session")
async def cluster() -> AsyncIterator[RunningCluster]:
    with TemporaryDirectory(prefix="parley-cluster-") as folder:
        async with running_cluster(Path(folder)) as running:
            yield running


@pytest.fixture
async def log(cluster: RunningCluster) -> AsyncIterator[EventLog]:
    async with aclosing(open_redis(cluster.url)) as redis:
        yield EventLog(redis, f"test-{secrets.token_hex(8)}")


async def _take(batches: AsyncIterator[list[Entry] | LogTrimmedError], count: int) -> list[Entry]:
    """Reads the next `count` entries."""
    taken: list[Entry] = []
    async with asyncio.timeout(TIMEOUT):
        while len(taken) < count:
            part = await anext(batches)
            assert not isinstance(part, LogTrimmedError)
            taken += [entry for entry in part if not entry.is_mark]
    return taken


def _batches(rounds: int) -> list[tuple[str, bytes]]:
    return [(organization, b"%d" % number) for number in range(rounds) for organization in ORGANIZATIONS]


def _in_order(entries: list[Entry], rounds: int) -> bool:
    by_organization: dict[str, list[bytes]] = {}
    for entry in entries:
        by_organization.setdefault(entry.organization_id, []).append(entry.payload)
    wanted = [b"%d" % number for number in range(rounds)]
    return by_organization == dict.fromkeys(ORGANIZATIONS, wanted)


async def test_the_shards_are_on_several_nodes(cluster: RunningCluster) -> None:
    async with aclosing(open_redis(cluster.url)) as redis:
        log = EventLog(redis, "chat")
        slots = [key_slot(log.stream_key(shard).encode()) for shard in range(log.shards)]
    assert slots == [13_907, 9_842, 5_649, 1_584]
    assert {slot // 5_461 for slot in slots} == {0, 1, 2}


async def test_a_follower_gets_the_entries_of_all_shards_in_each_organizations_order(log: EventLog) -> None:
    async with aclosing(log.tail(await log.end())) as batches:
        await log.append(_batches(rounds=5))
        assert _in_order(await _take(batches, 5 * len(ORGANIZATIONS)), rounds=5)


async def test_a_position_is_resumed(log: EventLog) -> None:
    start = await log.end()
    await log.append(_batches(rounds=3))

    entries = await log.after(start)

    assert _in_order(entries, rounds=3)
    assert await log.after({entry.shard: entry.entry_id for entry in entries}) == []


async def test_a_group_reads_the_entries_of_all_shards_once(log: EventLog) -> None:
    await log.append(_batches(rounds=2))

    taken = [entry for name in ("a", "b", "a", "b") for entry in await log.read_group("group", name, block_ms=1)]

    assert _in_order(taken, rounds=2)
    assert await log.backlog("group") == len(taken)
    assert sorted(await log.claim("group", "c", idle_ms=0)) == sorted(taken)
    await log.ack("group", taken)
    assert await log.backlog("group") == 0


async def test_a_group_waits_for_entries(log: EventLog) -> None:
    await log.read_group("group", "a", block_ms=1)
    waiting = asyncio.create_task(log.read_group("group", "a", block_ms=int(TIMEOUT * 1_000)))
    await log.append([("acme", b"late")])
    async with asyncio.timeout(TIMEOUT):
        assert [entry.payload for entry in await waiting] == [b"late"]


async def test_a_follower_continues_after_a_node_was_away(cluster: RunningCluster, log: EventLog) -> None:
    """The node persists its data; meanwhile callers get errors."""
    async with aclosing(log.tail(await log.end())) as batches:
        await log.append(_batches(rounds=1))
        await _take(batches, len(ORGANIZATIONS))
        process = cluster.nodes[1].process
        process.kill()
        await process.wait_stopped()
        with pytest.raises(LogError):
            await log.append(_batches(rounds=1))
        await process.start()
        await process.wait_healthy()
        await _append_eventually(log, "back")

        async with asyncio.timeout(TIMEOUT):
            back: set[str] = set()
            while back != set(ORGANIZATIONS):
                part = await anext(batches)
                assert not isinstance(part, LogTrimmedError)
                back |= {entry.organization_id for entry in part if entry.payload == b"back"}


async def _append_eventually(log: EventLog, payload: str) -> None:
    async with asyncio.timeout(TIMEOUT):
        while True:
            try:
                await log.append([(organization, payload.encode()) for organization in ORGANIZATIONS])
            except LogError:
                await asyncio.sleep(0.1)
            else:
                return
