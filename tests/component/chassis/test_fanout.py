"""Subscribers that disconnect and resume while the log grows get all of their events, in order and once."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress

import pytest
from parley.chat.v1 import event_pb2
from parley.stream.v1.stream_pb2 import Attachments, Cursors, UserKey

from chassis.contract.validator import validate
from chassis.errors import InvalidArgumentError, UnavailableError
from chassis.events.fanout import FanOut
from chassis.events.log import EventLog, open_redis
from services.chat.bus import parse, route

ORGANIZATIONS = [f"org-{n}" for n in range(8)]
TIMEOUT = 60.0

Log = tuple[EventLog, FanOut[event_pb2.Event]]


@pytest.fixture
async def log(redis_url: str) -> AsyncIterator[Log]:
    """A log, and a fan-out that follows it."""
    async with aclosing(open_redis(redis_url)) as writing, aclosing(open_redis(redis_url)) as following:
        name = f"test-{secrets.token_hex(8)}"
        fanout = FanOut(EventLog(following, name), parse, route)
        await fanout.start()
        running = asyncio.create_task(fanout.run())
        appending = EventLog(writing, name)
        yield appending, fanout
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await writing.delete(*(appending.stream_key(shard) for shard in range(appending.shards)))


async def append(log: EventLog, numbers: Sequence[int]) -> None:
    """Appends a numbered event for Ann in every organization."""
    for number in numbers:
        entries = []
        for organization in ORGANIZATIONS:
            event = event_pb2.Event(organization_id=organization, recipients=["ann"], origin=str(number))
            entries.append((organization, event_pb2.EventBatch(events=[event]).SerializeToString()))
        await log.append(entries)


async def requests(cursors: dict[int, str], until: asyncio.Event) -> AsyncIterator[event_pb2.SubscribeRequest]:
    """Yields the requests of a gateway that attaches Ann in every organization."""
    keys = [UserKey(organization_id=organization, user_id="ann") for organization in ORGANIZATIONS]
    yield event_pb2.SubscribeRequest(
        attachments=Attachments(add=keys, request_sequence=1), resume_cursors=Cursors(shards=cursors)
    )
    await until.wait()


class Gateway:
    """A gateway that sometimes loses its stream, and resumes at its position."""

    def __init__(self, fanout: FanOut[event_pb2.Event], positions: dict[int, str], seed: int) -> None:
        self._fanout = fanout
        self._random = random.Random(seed)  # noqa: S311  # reproducible
        self.positions = positions
        self.received: dict[str, list[int]] = {organization: [] for organization in ORGANIZATIONS}
        self.lost = 0
        self.streams = 0

    async def run(self, last: int) -> None:
        """Opens streams until it has received everything."""
        while any(not numbers or numbers[-1] < last for numbers in self.received.values()):
            await self._stream(last, self._random.randrange(1, 12))

    async def _stream(self, last: int, responses: int) -> None:
        self.streams += 1
        done = asyncio.Event()
        async with aclosing(self._fanout.serve(requests(self.positions, done))) as stream:
            async for _, events, positions, lost in stream:
                for event in events:
                    self.received[event.organization_id].append(int(event.origin))
                self.positions |= positions.shards if positions else {}
                self.lost += lost
                responses -= 1
                if not responses or all(numbers and numbers[-1] >= last for numbers in self.received.values()):
                    break
        done.set()
        await asyncio.sleep(self._random.random() / 50)


async def test_gateways_that_keep_losing_their_streams_miss_nothing(log: Log) -> None:
    appending, fanout = log
    start = await appending.end()
    numbers = range(1, 301)
    gateways = [Gateway(fanout, dict(start), seed) for seed in range(6)]
    async with asyncio.timeout(TIMEOUT), asyncio.TaskGroup() as group:
        for gateway in gateways:
            group.create_task(gateway.run(numbers[-1]))
        for begin in range(0, len(numbers), 5):
            await append(appending, numbers[begin : begin + 5])
            await asyncio.sleep(0.005)
    assert sum(gateway.streams for gateway in gateways) > len(gateways)
    for gateway in gateways:
        assert not gateway.lost
        for received in gateway.received.values():
            assert sorted(set(received)) == list(numbers)
            assert received == sorted(received)  # no repeats: a response's position covers its events


async def test_a_stopping_fan_out_accepts_no_stream(log: Log) -> None:
    _, fanout = log
    await fanout.drain()
    with pytest.raises(UnavailableError, match="SHUTTING_DOWN"):
        await anext(fanout.serve(requests({}, asyncio.Event())))


async def test_a_malformed_later_request_ends_the_stream(log: Log) -> None:
    _, fanout = log

    async def badly() -> AsyncIterator[event_pb2.SubscribeRequest]:
        yield event_pb2.SubscribeRequest(attachments=Attachments(request_sequence=1))
        malformed = event_pb2.SubscribeRequest(attachments=Attachments(add=[UserKey()]))
        validate(malformed)  # raises, as the interceptor does while the stream is read
        yield malformed

    with pytest.raises(InvalidArgumentError):
        async for _ in fanout.serve(badly()):
            pass
