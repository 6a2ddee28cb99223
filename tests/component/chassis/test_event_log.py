"""The event log on a real Valkey: readers miss nothing, or detect the loss."""

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
    """A log with one shard."""
    async with aclosing(open_redis(redis_url)) as redis:
        new = EventLog(redis, f"test-{secrets.token_hex(8)}", shards=1)
        yield new
        await redis.delete(new.stream_key(0))


async def lose(log: EventLog) -> None:
    """Loses the log's data, as a restarted Valkey does."""
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


async def test_one_read_returns_a_bounded_number_of_entries(log: EventLog) -> None:
    start = (await log.end())[0]
    await append(log, *(str(n).encode() for n in range(eventlog._READ_COUNT + 10)))
    entries = await log.after({0: start})
    assert len(entries) == eventlog._READ_COUNT
    assert len(await log.after({0: entries[-1].entry_id})) == 10


async def test_the_end_of_an_empty_log_is_a_position_whose_loss_is_detected(log: EventLog) -> None:
    start = (await log.end())[0]
    assert start != START
    assert await read(log, start) == []
    await append(log, b"never read")
    await lose(log)
    with pytest.raises(LogTrimmedError) as lost:
        await log.after({0: start})
    assert lost.value.shards == (0,)


@pytest.mark.parametrize("since", ["nothing", "later entries", "entries of a clock that went back"])
async def test_a_position_of_a_lost_log_is_detected(log: EventLog, since: str) -> None:
    await append(log, b"old")
    position = (await log.end())[0]
    await lose(log)
    if since != "nothing":
        milliseconds, _ = position_key(position)
        number = milliseconds + 1 if since == "later entries" else milliseconds - 60_000
        await log._redis.xadd(log.stream_key(0), {"o": "acme", "p": b"new"}, id=f"{number}-0")
    with pytest.raises(LogTrimmedError):
        await log.after({0: position})


async def test_a_shard_that_does_not_exist_is_lost(log: EventLog) -> None:
    with pytest.raises(LogTrimmedError):
        await log.after({7: "1-1"})


class Following:
    """A reader that follows the log."""

    def __init__(self, log: EventLog, position: str) -> None:
        self._entries = log.tail({0: position})

    async def next(self) -> list[bytes] | LogTrimmedError:
        """Waits for the next entries other than marks, or a loss."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                batch = await anext(self._entries)
                if isinstance(batch, LogTrimmedError):
                    return batch
                if payloads := [entry.payload for entry in batch if not entry.is_mark]:
                    return payloads


@pytest.mark.parametrize("clock", ["goes on", "went back"])
async def test_a_follower_detects_a_loss_without_a_broken_connection(
    log: EventLog, clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "_CHECK_SECONDS", 0.0)
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


async def test_a_loss_of_everything_is_detected_without_new_entries(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(eventlog, "_BLOCK_MS", 100)
    reader = Following(log, (await log.end())[0])
    await lose(log)
    assert isinstance(await reader.next(), LogTrimmedError)
    await append(log, b"new")
    assert await reader.next() == [b"new"]


async def test_a_quiet_shard_gets_a_mark_so_that_positions_stay_recent(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(eventlog, "_BLOCK_MS", 50)
    async with aclosing(open_redis(redis_url)) as redis:
        log = EventLog(redis, f"test-{secrets.token_hex(8)}", shards=1, retention_seconds=1.0)
        async with asyncio.timeout(TIMEOUT):
            async for batch in log.tail(await log.end()):
                assert isinstance(batch, list) and isinstance(batch[0], Entry)
                assert all(entry.is_mark for entry in batch)
                break
        await redis.delete(log.stream_key(0))


@pytest.mark.parametrize("text", ["", "abc", "1", "-1-0", "1-2-3", "1-", "-", "$", "+", "(1-1", "9" * 19 + "-0", "٣-1"])
def test_texts_of_another_form_are_no_positions(text: str) -> None:
    assert not is_position(text)


def test_entry_ids_are_positions() -> None:
    assert all(map(is_position, (START, "1700000000000-0", "1-12")))


async def test_a_groups_backlog_is_what_it_has_not_acknowledged_read_or_not(log: EventLog) -> None:
    assert await log.backlog("readers") == 0
    await log.read_group("readers", "one", block_ms=1)
    await append(log, b"1", b"2", b"3")
    assert await log.backlog("readers") == 3
    first, *_ = await log.read_group("readers", "one", count=1, block_ms=1)
    assert await log.backlog("readers") == 3
    await log.ack("readers", [first])
    assert await log.backlog("readers") == 2
