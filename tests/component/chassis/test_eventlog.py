"""The event log on a real Valkey: who reads it misses nothing, or is told so."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from chassis.events import log as eventlog
from chassis.events.log import START, Entry, EventLog, LogTrimmedError, is_position, open_redis, position_key

TIMEOUT = 20.0


@pytest.fixture
async def log(redis_url: str) -> AsyncIterator[EventLog]:
    """A log of its own, in one shard."""
    async with aclosing(open_redis(redis_url)) as redis:
        made = EventLog(redis, f"test-{secrets.token_hex(8)}", shards=1)
        yield made
        await redis.delete(made.stream_key(0))


async def lose(log: EventLog) -> None:
    """What a Valkey does that starts anew."""
    await log._redis.delete(log.stream_key(0))


async def append(log: EventLog, *payloads: bytes) -> None:
    await log.append([("acme", payload) for payload in payloads])


async def read(log: EventLog, position: str) -> list[bytes]:
    return [entry.payload for entry in await log.after({0: position})]


async def test_a_reader_gets_what_came_after_its_position(log: EventLog) -> None:
    start = (await log.end())[0]
    await append(log, b"1", b"2", b"3")
    first, *_ = await log.after({0: start})
    assert await read(log, start) == [b"1", b"2", b"3"]
    assert await read(log, first.entry_id) == [b"2", b"3"]
    assert await read(log, (await log.end())[0]) == []


async def test_one_turn_reads_a_bounded_number_of_entries(log: EventLog) -> None:
    start = (await log.end())[0]
    await append(log, *(str(n).encode() for n in range(eventlog._READ_COUNT + 10)))
    entries = await log.after({0: start})
    assert len(entries) == eventlog._READ_COUNT
    assert len(await log.after({0: entries[-1].entry_id})) == 10


async def test_the_end_of_an_empty_log_is_a_position_too_and_so_can_be_lost(log: EventLog) -> None:
    start = (await log.end())[0]
    assert start != START
    assert await read(log, start) == []
    await append(log, b"seen by nobody")
    await lose(log)
    with pytest.raises(LogTrimmedError) as lost:
        await log.after({0: start})
    assert lost.value.shards == (0,)


@pytest.mark.parametrize("since", ["nothing", "later entries", "entries of a clock that went back"])
async def test_a_position_of_a_log_that_was_lost_is_noticed(log: EventLog, since: str) -> None:
    await append(log, b"old")
    position = (await log.end())[0]
    await lose(log)
    if since != "nothing":
        milliseconds, _ = position_key(position)
        number = milliseconds + 1 if since == "later entries" else milliseconds - 60_000
        await log._redis.xadd(log.stream_key(0), {"o": "acme", "p": b"new"}, id=f"{number}-0")
    with pytest.raises(LogTrimmedError):
        await log.after({0: position})


async def test_a_shard_that_there_is_not_is_lost(log: EventLog) -> None:
    with pytest.raises(LogTrimmedError):
        await log.after({7: "1-1"})


class Following:
    """What a reader that follows the log has been given."""

    def __init__(self, log: EventLog, position: str) -> None:
        self._entries = log.tail({0: position})

    async def next(self) -> list[bytes] | LogTrimmedError:
        """Waits for the next news that isn't a mere mark."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                found = await anext(self._entries)
                if isinstance(found, LogTrimmedError):
                    return found
                if payloads := [entry.payload for entry in found if not entry.is_mark]:
                    return payloads


@pytest.mark.parametrize("clock", ["goes on", "went back"])
async def test_whoever_follows_is_told_of_a_loss_though_the_connection_held(
    log: EventLog, clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(eventlog, "_BLOCK_MS", 100)
    await append(log, b"old")
    position = (await log.end())[0]
    reader = Following(log, position)
    await append(log, b"one")
    assert await reader.next() == [b"one"]
    await lose(log)
    milliseconds, _ = position_key(position)
    number = milliseconds + 60_000 if clock == "goes on" else milliseconds - 60_000
    await log._redis.xadd(log.stream_key(0), {"o": "acme", "p": b"two"}, id=f"{number}-0")
    assert isinstance(await reader.next(), LogTrimmedError)
    assert await reader.next() == [b"two"]


async def test_a_loss_of_everything_is_noticed_without_anything_new(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(eventlog, "_BLOCK_MS", 100)
    reader = Following(log, (await log.end())[0])
    await lose(log)
    assert isinstance(await reader.next(), LogTrimmedError)
    await append(log, b"new")
    assert await reader.next() == [b"new"]


async def test_a_quiet_shard_gets_a_mark_so_that_positions_stay_young(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(eventlog, "_BLOCK_MS", 50)
    async with aclosing(open_redis(redis_url)) as redis:
        log = EventLog(redis, f"test-{secrets.token_hex(8)}", shards=1, retention_seconds=1.0)
        async with asyncio.timeout(TIMEOUT):
            async for found in log.tail(await log.end()):
                assert isinstance(found, list) and isinstance(found[0], Entry)
                assert all(entry.is_mark for entry in found)
                break
        await redis.delete(log.stream_key(0))


@pytest.mark.parametrize("text", ["", "abc", "1", "-1-0", "1-2-3", "1-", "-", "$", "+", "(1-1", "9" * 19 + "-0", "٣-1"])
def test_what_is_no_position_is_known_by_its_form(text: str) -> None:
    assert not is_position(text)


def test_positions_are_known_by_their_form() -> None:
    assert all(map(is_position, (START, "1700000000000-0", "1-12")))


async def test_a_groups_backlog_is_what_it_has_not_acknowledged_taken_or_not(log: EventLog) -> None:
    assert await log.backlog("readers") == 0
    await log.read_group("readers", "one", block_ms=1)
    await append(log, b"1", b"2", b"3")
    assert await log.backlog("readers") == 3
    first, *_ = await log.read_group("readers", "one", count=1, block_ms=1)
    assert await log.backlog("readers") == 3
    await log.ack("readers", [first])
    assert await log.backlog("readers") == 2
