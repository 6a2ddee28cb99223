"""What a client of Socket.IO is told comes in order, and once, however polling, the upgrade and events interleave."""

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
    """A client that polls and goes over to a WebSocket, as those of Socket.IO do: step by step, when it is told to."""

    def __init__(self, harness: SocketIoHarness) -> None:
        self._harness = harness
        self._poller = Poller(harness)
        self._socket: WebSocketClient | None = None
        self._polling: asyncio.Task[list[str]] | None = None
        self._is_over = False
        self.heard: list[int] = []
        self._told = 0

    async def join(self) -> Connection:
        """Joins by polling."""
        await self._poller.open()
        await self._poller.post(joining())
        assert (await self._poller.poll())[0].startswith("40")
        return self._harness.dispatcher.open[0]

    def tell(self, connection: Connection, count: int) -> None:
        """Has the gateway tell it something, several things at once."""
        numbers = range(self._told, self._told + count)
        self._told += count
        connection.send(tuple(b'2["told",%d]' % number for number in numbers))

    def poll(self) -> None:
        """Asks what has come, unless it does so already, or does it no more."""
        self._look()
        if self._polling is None and not self._is_over:
            self._polling = asyncio.create_task(self._poller.poll())

    def go_on(self) -> None:
        """The next step of the upgrade."""
        self._look()
        if self._socket is None:
            self._socket = WebSocketClient(self._harness, self._poller.sid)
            self._socket.say("2probe")
        elif self._polling is None and not self._is_over and "3probe" in self._socket.take():
            self._socket.say("5")
            self._is_over = True

    def _look(self) -> None:
        if self._polling is not None and self._polling.done():
            self._hear(self._polling.result())
            self._polling = None

    def _hear(self, packets: list[str]) -> None:
        self.heard += [json.loads(packet[2:])[1] for packet in packets if packet.startswith("42")]

    def _hear_more(self) -> None:
        self._look()
        if self._socket is not None and not self._is_over:
            self.go_on()  # nothing more comes by polling once it is begun
        if self._socket is not None and self._is_over:
            self._hear(self._socket.take())
        elif len(self.heard) < self._told:
            self.poll()

    async def hear_all(self) -> None:
        """Goes on until it has heard everything; a message without an end is behind it all."""
        for _ in range(2_000):
            if len(self.heard) == self._told:
                break
            self._hear_more()
            await asyncio.sleep(0)
        if self._is_over and self._socket is not None:
            for _ in range(20):
                await asyncio.sleep(0)
            self._hear(self._socket.take())  # nothing comes twice
        if self._polling is not None:
            self._polling.cancel()
        assert self.heard == list(range(self._told))


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
                    client.tell(connection, count)
                elif step == "wait":
                    for _ in range(count):
                        await asyncio.sleep(0)
                elif step == "poll":
                    client.poll()
                else:
                    client.go_on()
            await client.hear_all()
