"""Messages of one conversation on their way: who sent when, who has it, and that nothing is lost or comes twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from bench.sockets import BenchError, Socket
from bench.window import Window


class Conversation:
    """One sender, and those who listen.

    Args:
        conversation_id: which.
        sender: who sends.
        listeners: everyone else's connections, one each.
        window: what measures.
        then: called after each acknowledgement, such as to send the next.
        in_order: whether the system promises an order; else only that everything comes once.
    """

    def __init__(
        self,
        conversation_id: str,
        sender: Socket,
        listeners: Sequence[Socket],
        window: Window,
        then: Callable[[Conversation], None],
        *,
        in_order: bool,
    ) -> None:
        self._id = conversation_id
        self._sender = sender
        self._window = window
        self._then = then
        self._sent_at: list[float] = [0.0]  # by number, from 1
        self._acknowledged = 0
        self._sockets = (sender, *listeners)
        self._reached: list[int] = [0] * len(listeners)  # how many messages came to each
        sender.acknowledged = self._acked
        for index, listener in enumerate(listeners):
            listener.received = self._in_order(index) if in_order else self._in_any_order(index)

    def send(self, at: float | None = None) -> None:
        """Sends the next message; `at` is when it was to be sent, when that is not now."""
        number = len(self._sent_at)
        self._sent_at.append(time.perf_counter() if at is None else at)
        self._sender.send(self._id, number)

    def _acked(self, number: int) -> None:
        self._acknowledged += 1
        self._window.acked(self._sent_at[number])
        self._then(self)

    def _in_order(self, index: int) -> Callable[[int], None]:
        reached, sent_at, came = self._reached, self._sent_at, self._window.came

        def receive(number: int) -> None:
            if number != reached[index] + 1:
                raise BenchError(f"message {number} came after {reached[index]}: lost, twice or out of order")
            reached[index] = number
            came(sent_at[number])

        return receive

    def _in_any_order(self, index: int) -> Callable[[int], None]:
        reached, sent_at, came = self._reached, self._sent_at, self._window.came
        seen: set[int] = set()

        def receive(number: int) -> None:
            if number in seen:
                raise BenchError(f"message {number} came twice")
            seen.add(number)
            reached[index] += 1
            came(sent_at[number])

        return receive

    @property
    def settled(self) -> bool:
        """Whether everything that was sent is acknowledged, and everybody has it. Raises BenchError."""
        for socket in self._sockets:
            if socket.failure is not None:
                raise socket.failure
            if socket.closed:
                raise BenchError("a connection was closed")
        sent = len(self._sent_at) - 1
        return self._acknowledged == sent and all(reached == sent for reached in self._reached)

    def explain(self) -> str:
        """What is missing."""
        sent = len(self._sent_at) - 1
        least = min(self._reached, default=sent)
        return f"of {sent} messages {self._acknowledged} were acknowledged, and somebody has only {least}"


async def all_settled(conversations: Iterable[Conversation], seconds: float = 30.0) -> None:
    """Waits until nothing is on its way any more. Raises BenchError when something never arrives."""
    left = list(conversations)
    deadline = time.perf_counter() + seconds
    while left := [conversation for conversation in left if not conversation.settled]:
        if time.perf_counter() > deadline:
            raise BenchError(left[0].explain())
        await asyncio.sleep(0.05)
