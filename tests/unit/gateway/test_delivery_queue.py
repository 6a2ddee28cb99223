"""What takes a lookup keeps its place: a connection is told everything in order, whatever the lookups do."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import UnavailableError
from gateway.connections.delivery_queue import MAX_WAITING, DeliveryQueue
from gateway.dialects.base import Deferred, Payloads
from gateway.sessions.commands import UserCalls
from gateway.sessions.user_client import BackgroundTasks, running_background_tasks
from gateway.wire import close_codes
from tests.unit.gateway.fixtures import RecordingConnection, native_wire_format

AWAY = UnavailableError("AUTH_UNAVAILABLE", "the directory is away")


class Told:
    """Lines, and connections that are told numbers: at once, or after a lookup that ends when it is told to."""

    def __init__(self, tasks: BackgroundTasks) -> None:
        self.delivery_queue = DeliveryQueue(lambda _, run, answer: tasks.start("event", run(None), answer))  # type: ignore[arg-type]
        self.connections = [RecordingConnection(native_wire_format()) for _ in range(2)]
        self.lookups: list[asyncio.Future[Payloads]] = []
        self.expected: list[list[int]] = [[], []]
        self._count = 0

    def tell(self, index: int) -> None:
        """Tells something that is known."""
        self._count += 1
        self.expected[index].append(self._count)
        self.delivery_queue.tell(self.connections[index], (b"%d" % self._count,))

    def tell_nothing(self, index: int) -> None:
        """Tells something of which there is nothing to say."""
        self.delivery_queue.tell(self.connections[index], ())

    def tell_later(self, index: int, outcome: str) -> None:
        """Tells something that takes a lookup: it goes well, finds nothing to say, or fails."""
        self._count += 1
        number = self._count
        if outcome == "well":
            self.expected[index].append(number)
        answered: asyncio.Future[Payloads] = asyncio.get_running_loop().create_future()
        self.lookups.append(answered)

        async def run(_: UserCalls) -> Payloads:
            await answered
            if outcome == "fails":
                raise AWAY
            if outcome == "breaks":
                raise ZeroDivisionError
            return (b"%d" % number,) if outcome == "well" else ()

        self.delivery_queue.tell(self.connections[index], Deferred(run))

    def answer(self, number: int) -> None:
        """Ends a lookup."""
        if number < len(self.lookups) and not self.lookups[number].done():
            self.lookups[number].set_result(())

    async def everything(self) -> list[list[int]]:
        """Ends all lookups; what each connection was told."""
        for number in range(len(self.lookups)):
            self.answer(number)
        async with asyncio.timeout(20):
            while self.delivery_queue.waiting:
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
def test_everybody_is_told_everything_in_order(steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(steps))


async def play(steps: list[tuple[str, int]]) -> None:
    async with running_background_tasks() as tasks:
        told = Told(tasks)
        for step, number in steps:
            if step == "tell":
                told.tell(number)
            elif step == "nothing":
                told.tell_nothing(number)
            elif step == "answer":
                told.answer(number)
            elif step == "wait":
                for _ in range(number):
                    await asyncio.sleep(0)
            else:
                told.tell_later(number, step)
        assert await told.everything() == told.expected


async def test_who_waits_for_nothing_is_told_at_once_also_while_another_waits() -> None:
    async with running_background_tasks() as tasks:
        told = Told(tasks)
        told.tell_later(0, "well")
        told.tell(0)
        told.tell(1)
        assert [connection.frames for connection in told.connections] == [[], [3]]
        assert told.connections[0] in told.delivery_queue.waiting
        assert told.connections[1] not in told.delivery_queue.waiting
        assert await told.everything() == [[1, 2], [3]]


async def test_one_lookup_of_a_connection_is_under_way_at_a_time() -> None:
    async with running_background_tasks() as tasks:
        told = Told(tasks)
        for _ in range(5):
            told.tell_later(0, "well")
        await asyncio.sleep(0)
        assert len(tasks) == 1
        told.answer(1)
        await asyncio.sleep(0)
        assert told.connections[0].frames == []
        await told.everything()


async def test_a_line_that_grows_too_long_is_given_up_with_its_connection() -> None:
    async with running_background_tasks() as tasks:
        told = Told(tasks)
        told.tell_later(0, "well")
        told.tell_later(1, "well")
        for _ in range(MAX_WAITING - 1):
            told.tell(0)
        assert told.connections[0].closed_with is None
        told.tell(0)
        assert told.connections[0].closed_with == close_codes.TOO_SLOW
        assert told.connections[0] not in told.delivery_queue.waiting
        assert await told.everything() == [[], [2]]
        async with asyncio.timeout(20):
            while len(tasks):
                await asyncio.sleep(0)
        assert told.connections[0].written == []  # what was looked up for it comes too late
