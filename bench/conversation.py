"""The messages of one conversation in flight: measures them, and fails if one is lost, repeated or out of order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from bench.sockets import BenchError, Socket
from bench.window import Window


class Conversation:
    """One sender and its listeners.

    Args:
        conversation_id: the conversation.
        sender: the connection that sends.
        listeners: one connection for each other member.
        window: takes the measurements.
        on_acknowledged: called after each acknowledgement, for example to send the next message.
        in_order: whether the system promises an order; otherwise only that each message arrives once.
    """

    def __init__(
        self,
        conversation_id: str,
        sender: Socket,
        listeners: Sequence[Socket],
        window: Window,
        on_acknowledged: Callable[[Conversation], None],
        *,
        in_order: bool,
    ) -> None:
        self._id = conversation_id
        self._sender = sender
        self._window = window
        self._on_acknowledged = on_acknowledged
        self._sent_at: list[float] = [0.0]  # by message number, from 1
        self._acknowledged = 0
        self._sockets = (sender, *listeners)
        self._reached: list[int] = [0] * len(listeners)  # messages received by each listener
        sender.acknowledged = self._acked
        for index, listener in enumerate(listeners):
            listener.received = self._in_order(index) if in_order else self._in_any_order(index)

    def send(self, at: float | None = None) -> None:
        """Sends the next message; `at` is when it was due, if not now."""
        number = len(self._sent_at)
        self._sent_at.append(time.perf_counter() if at is None else at)
        self._sender.send(self._id, number)

    def _acked(self, number: int) -> None:
        self._acknowledged += 1
        self._window.record_acknowledgement(self._sent_at[number])
        self._on_acknowledged(self)

    def _in_order(self, index: int) -> Callable[[int], None]:
        reached, sent_at, record = self._reached, self._sent_at, self._window.record_delivery

        def receive(number: int) -> None:
            if number != reached[index] + 1:
                raise BenchError(f"message {number} arrived after {reached[index]}: lost, repeated or out of order")
            reached[index] = number
            record(sent_at[number])

        return receive

    def _in_any_order(self, index: int) -> Callable[[int], None]:
        reached, sent_at, record = self._reached, self._sent_at, self._window.record_delivery
        seen: set[int] = set()

        def receive(number: int) -> None:
            if number in seen:
                raise BenchError(f"message {number} arrived twice")
            seen.add(number)
            reached[index] += 1
            record(sent_at[number])

        return receive

    @property
    def settled(self) -> bool:
        """Whether every message sent is acknowledged and has reached every listener. Raises BenchError."""
        for socket in self._sockets:
            if socket.failure is not None:
                raise socket.failure
            if socket.closed:
                raise BenchError("a connection was closed")
        sent = len(self._sent_at) - 1
        return self._acknowledged == sent and all(reached == sent for reached in self._reached)

    def explain(self) -> str:
        """Describes the missing messages."""
        sent = len(self._sent_at) - 1
        least = min(self._reached, default=sent)
        return f"of {sent} messages, {self._acknowledged} were acknowledged and a listener received only {least}"


async def all_settled(conversations: Iterable[Conversation], seconds: float = 30.0) -> None:
    """Waits until no message is in flight. Raises BenchError if one does not arrive in time."""
    unsettled = list(conversations)
    deadline = time.perf_counter() + seconds
    while unsettled := [conversation for conversation in unsettled if not conversation.settled]:
        if time.perf_counter() > deadline:
            raise BenchError(unsettled[0].explain())
        await asyncio.sleep(0.05)
