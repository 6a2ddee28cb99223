"""The proxy injects the requested faults, and otherwise forwards bytes unchanged."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.proxy import Link, LinkCondition

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PAYLOAD = bytes(range(256)) * 4_000


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echoes bytes until the client closes or breaks the connection."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()[:2]
    link = Link("test", lambda: address)
    await link.open()
    yield link
    await link.close()
    server.close()


@asynccontextmanager
async def connected(link: Link) -> AsyncIterator[Pair]:
    reader, writer = await asyncio.open_connection(*link.address)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def echoed(pair: Pair, data: bytes) -> bytes:
    reader, writer = pair
    writer.write(data)
    async with asyncio.timeout(20):
        return await reader.readexactly(len(data))


async def test_bytes_pass_unchanged_and_in_order(link: Link) -> None:
    async with connected(link) as pair:
        assert await echoed(pair, PAYLOAD) == PAYLOAD


async def test_delay_delays_and_keeps_the_order_also_when_it_ends(link: Link) -> None:
    async with connected(link) as pair:
        await echoed(pair, b"before")
        link.change(LinkCondition(delay_seconds=0.2), 1.0, random.Random(1))
        began = time.monotonic()
        assert await echoed(pair, b"later") == b"later"
        assert time.monotonic() - began >= 0.4
        pair[1].write(b"one ")
        await asyncio.sleep(0.05)
        link.clear()
        assert await echoed(pair, b"two") == b"one"
        async with asyncio.timeout(20):
            assert await pair[0].readexactly(4) == b" two"


async def test_slow_reads_hold_the_sender_back_and_lose_nothing(link: Link) -> None:
    async with connected(link) as pair:
        await echoed(pair, b"before")
        link.change(LinkCondition(bytes_per_second=1_000), 1.0, random.Random(1))
        much = PAYLOAD * 16  # more than the kernel's own buffers take
        pair[1].write(much)
        await asyncio.sleep(0.3)
        assert pair[1].transport.get_write_buffer_size() > 0
        link.clear()
        async with asyncio.timeout(20):
            assert await pair[0].readexactly(len(much)) == much


async def test_half_open_connections_stay_silent_and_new_ones_work(link: Link) -> None:
    async with connected(link) as pair:
        await echoed(pair, b"before")
        link.silence(1.0, random.Random(1))
        async with connected(link) as meanwhile:
            meanwhile[1].write(b"never arrives")
            link.clear()
            pair[1].write(b"neither does this")
            for reader, _ in (pair, meanwhile):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await reader.read(1)
        async with connected(link) as after:
            assert await echoed(after, b"well") == b"well"


async def test_cut_ends_a_share_of_the_connections(link: Link) -> None:
    pairs = [await asyncio.open_connection(*link.address) for _ in range(20)]
    for pair in pairs:
        await echoed(pair, b"before")
    link.cut(0.5, random.Random(1))
    alive = []
    for pair in pairs:
        try:
            alive.append(await echoed(pair, b"after"))
        except (ConnectionError, asyncio.IncompleteReadError):
            continue
    assert 0 < len(alive) < len(pairs)
    for _, writer in pairs:
        writer.transport.abort()


async def test_closing_one_side_closes_the_other_after_all_bytes(link: Link) -> None:
    async with connected(link) as pair:
        pair[1].write(b"last words")
        async with asyncio.timeout(20):
            assert await pair[0].readexactly(10) == b"last words"
        pair[1].close()
        while link.connections:
            await asyncio.sleep(0.01)
