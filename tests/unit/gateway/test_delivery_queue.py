"""A payload that takes a lookup keeps its place: each connection receives all payloads in order."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import UnavailableError
from gateway.connections.delivery_queue import MAX_WAITING, DeliveryQueue
from gateway.dialects.base import Deferred, Payloads
from gateway.sessions.background_tasks import BackgroundTasks, running_background_tasks
from gateway.sessions.user_client import UserClient
from gateway.wire import close_codes
from tests.unit.gateway.dialects.services import Services
from tests.unit.gateway.fixtures import RecordingConnection, native_wire_format

AWAY = UnavailableError("AUTH_UNAVAILABLE", "the directory is away")


class Harness:
    """A queue, and connections that receive numbers: at once, or after a lookup that the test ends."""

    def __init__(self, tasks: BackgroundTasks) -> None:
        self.queue = DeliveryQueue(Services().upstreams, tasks)
        self.connections = [RecordingConnection(native_wire_format()) for _ in range(2)]
        self.lookups: list[asyncio.Future[Payloads]] = []
        self.expected: list[list[int]] = [[], []]
        self._count = 0

    def deliver(self, index: int) -> None:
        """Delivers a number without a lookup."""
        self._count += 1
        self.expected[index].append(self._count)
        self.queue.deliver(self.connections[index], (b"%d" % self._count,))

    def deliver_nothing(self, index: int) -> None:
        """Delivers no payloads."""
        self.queue.deliver(self.connections[index], ())

    def deliver_later(self, index: int, outcome: str) -> None:
        """Delivers a number after a lookup, which succeeds, finds nothing, or fails."""
        self._count += 1
        number = self._count
        if outcome == "well":
            self.expected[index].append(number)
        answered: asyncio.Future[Payloads] = asyncio.get_running_loop().create_future()
        self.lookups.append(answered)

        async def run(_: UserClient) -> Payloads:
            await answered
            if outcome == "fails":
                raise AWAY
            if outcome == "breaks":
                raise ZeroDivisionError
            return (b"%d" % number,) if outcome == "well" else ()

        self.queue.deliver(self.connections[index], Deferred(run))

    def answer(self, number: int) -> None:
        """Ends a lookup."""
        if number < len(self.lookups) and not self.lookups[number].done():
            self.lookups[number].set_result(())

    async def received(self) -> list[list[int]]:
        """Ends all lookups, and returns what each connection received."""
        for number in range(len(self.lookups)):
            self.answer(number)
        async with asyncio.timeout(20):
            while self.queue.waiting:
                await asyncio.sleep(0)
        return [connection.frames for connection in self.connections]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["tell", "nothing"]), st.integers(0, 1)),
        st.tuples(st.sampled_from(["well", "empty", "fails", "breaks"]), st.integers(0, 1)),
        st.tuples(st.just("answer"), st.integers(0, 12)),
        st.tuples(st.just("wait"), st.integers(0, 4)),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_every_connection_gets_all_its_events_in_order(steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(steps))


async def play(steps: list[tuple[str, int]]) -> None:
    async with running_background_tasks() as tasks:
        harness = Harness(tasks)
        for step, number in steps:
            if step == "tell":
                harness.deliver(number)
            elif step == "nothing":
                harness.deliver_nothing(number)
            elif step == "answer":
                harness.answer(number)
            elif step == "wait":
                for _ in range(number):
                    await asyncio.sleep(0)
            else:
                harness.deliver_later(number, step)
        assert await harness.received() == harness.expected


async def test_a_connection_without_a_lookup_gets_events_at_once_while_another_waits() -> None:
    async with running_background_tasks() as tasks:
        harness = Harness(tasks)
        harness.deliver_later(0, "well")
        harness.deliver(0)
        harness.deliver(1)
        assert [connection.frames for connection in harness.connections] == [[], [3]]
        assert harness.connections[0] in harness.queue.waiting
        assert harness.connections[1] not in harness.queue.waiting
        assert await harness.received() == [[1, 2], [3]]


async def test_one_lookup_of_a_connection_is_under_way_at_a_time() -> None:
    async with running_background_tasks() as tasks:
        harness = Harness(tasks)
        for _ in range(5):
            harness.deliver_later(0, "well")
        await asyncio.sleep(0)
        assert len(tasks) == 1
        harness.answer(1)
        await asyncio.sleep(0)
        assert harness.connections[0].frames == []
        await harness.received()


async def test_a_line_that_grows_too_long_is_given_up_with_its_connection() -> None:
    async with running_background_tasks() as tasks:
        harness = Harness(tasks)
        harness.deliver_later(0, "well")
        harness.deliver_later(1, "well")
        for _ in range(MAX_WAITING - 1):
            harness.deliver(0)
        assert harness.connections[0].closed_with is None
        harness.deliver(0)
        assert harness.connections[0].closed_with == close_codes.TOO_SLOW
        assert harness.connections[0] not in harness.queue.waiting
        assert await harness.received() == [[], [2]]
        async with asyncio.timeout(20):
            while len(tasks):
                await asyncio.sleep(0)
        assert harness.connections[0].written == []  # its lookup ends too late
