"""A Socket.IO client receives events in order and once, however polling, the upgrade and events interleave."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.connections.connection import Connection
from tests.unit.gateway.socketio_harness import (
    Poller,
    SocketIoHarness,
    WebSocketClient,
    joining,
    nothing_logged,
    open_harness,
)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.integers(1, 3)),
        st.tuples(st.just("wait"), st.integers(0, 6)),
        st.tuples(st.sampled_from(["poll", "go on"]), st.just(0)),
    ),
    max_size=40,
)


class Upgrading:
    """A client that polls and upgrades to a WebSocket as Socket.IO clients do, one step at a time."""

    def __init__(self, harness: SocketIoHarness) -> None:
        self._harness = harness
        self._poller = Poller(harness)
        self._socket: WebSocketClient | None = None
        self._polling: asyncio.Task[list[str]] | None = None
        self._is_over = False
        self.received: list[int] = []
        self._sent = 0

    async def join(self) -> Connection:
        """Joins by polling."""
        await self._poller.open()
        await self._poller.post(joining())
        assert (await self._poller.poll())[0].startswith("40")
        return self._harness.dispatcher.open[0]

    def send(self, connection: Connection, count: int) -> None:
        """Sends it several events at once."""
        numbers = range(self._sent, self._sent + count)
        self._sent += count
        connection.send(tuple(b'2["counted",%d]' % number for number in numbers))

    def poll(self) -> None:
        """Polls, unless a poll is in progress or the upgrade is complete."""
        self._look()
        if self._polling is None and not self._is_over:
            self._polling = asyncio.create_task(self._poller.poll())

    def upgrade(self) -> None:
        """Takes the next step of the upgrade."""
        self._look()
        if self._socket is None:
            self._socket = WebSocketClient(self._harness, self._poller.sid)
            self._socket.send("2probe")
        elif self._polling is None and not self._is_over and "3probe" in self._socket.take():
            self._socket.send("5")
            self._is_over = True

    def _look(self) -> None:
        if self._polling is not None and self._polling.done():
            self._receive(self._polling.result())
            self._polling = None

    def _receive(self, packets: list[str]) -> None:
        self.received += [json.loads(packet[2:])[1] for packet in packets if packet.startswith("42")]

    def _receive_more(self) -> None:
        self._look()
        if self._socket is not None and not self._is_over:
            self.upgrade()  # polls return nothing more once the upgrade has begun
        if self._socket is not None and self._is_over:
            self._receive(self._socket.take())
        elif len(self.received) < self._sent:
            self.poll()

    async def receive_all(self) -> None:
        """Continues until it has received every event."""
        for _ in range(2_000):
            if len(self.received) == self._sent:
                break
            self._receive_more()
            await asyncio.sleep(0)
        if self._is_over and self._socket is not None:
            for _ in range(20):
                await asyncio.sleep(0)
            self._receive(self._socket.take())  # no event comes twice
        if self._polling is not None:
            self._polling.cancel()
        assert self.received == list(range(self._sent))


@settings(max_examples=250, deadline=None)
@given(STEPS)
def test_all_comes_in_order_and_once(steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(steps))


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_all_comes_in_order_also_when_the_upgrade_is_made_to_its_end(steps: list[tuple[str, int]]) -> None:
    over: list[Any] = []
    for step in steps:
        over += [step, ("go on", 0)]
    asyncio.run(play([*over, *([("wait", 6), ("poll", 0), ("go on", 0)] * 4), *steps]))


async def play(steps: list[tuple[str, int]]) -> None:
    with nothing_logged():
        async with open_harness() as harness:
            client = Upgrading(harness)
            connection = await client.join()
            for step, count in steps:
                if step == "tell":
                    client.send(connection, count)
                elif step == "wait":
                    for _ in range(count):
                        await asyncio.sleep(0)
                elif step == "poll":
                    client.poll()
                else:
                    client.upgrade()
            await client.receive_all()
