"""Queues messages and changes by conversation: in order, and with at most one write in flight per conversation.

Two concurrent writes to one conversation could leave a hole in its log, if the later one is written and the earlier one
is not. So a writer keeps a conversation until the outcome of its write is known; the others take other conversations.

A conversation with repeated unknown outcomes is quarantined: something in the store may block it, such as a transaction
that a dead process left open. Quarantined conversations are taken one at a time and alone, so that they delay no other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from chassis.errors import AppError
from services.chat.domain import Message
from services.chat.sequencing import Draft

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

T = TypeVar("T")

Outcome = Message | AppError
"""The message that a draft became, or an error."""


@dataclass(slots=True)
class SendItem:
    """A message to send. `complete` is called once.

    Attributes:
        attempts: the number of attempts that left it unsent.
        unknown_outcomes: the number of attempts with an unknown outcome.
        trace: the span of its call, if that is traced.
    """

    draft: Draft
    complete: Callable[[Outcome], None]
    completed: bool = False
    reply_checked: bool = False
    attempts: int = 0
    unknown_outcomes: int = 0
    trace: SpanContext | None = None


@dataclass(slots=True)
class ChangeItem(Generic[T]):
    """A change, which is written alone."""

    make: Callable[[], Awaitable[T]]
    done: asyncio.Future[T]


class Batch(NamedTuple):
    """What a writer takes, with the conversations that it keeps: one change, or messages."""

    conversation_ids: list[str]
    change: ChangeItem[Any] | None
    sends: list[SendItem]
    quarantined: bool = False


class WriteQueue:
    """The queues of all conversations with pending items."""

    def __init__(self) -> None:
        self._boxes: dict[str, deque[SendItem | ChangeItem[Any]]] = {}
        self._ready: deque[str] = deque()  # conversations that no writer keeps
        self._quarantined: deque[str] = deque()  # also not kept by a writer
        self._quarantined_is_taken = False
        self._quarantined_was_last = False
        self._wake = asyncio.Event()

    def put(self, conversation_id: str, item: SendItem | ChangeItem[Any]) -> None:
        """Queues an item behind those of its conversation."""
        box = self._boxes.get(conversation_id)
        if box is None:
            self._boxes[conversation_id] = deque((item,))
            self._ready.append(conversation_id)
            self._wake.set()
        else:
            box.append(item)

    async def take(self, max_sends: int) -> Batch:
        """Waits for work, and returns it: the change at the front, or up to `max_sends` messages of any conversations.

        The caller passes the batch to `release` afterwards.
        """
        while not self._ready and (self._quarantined_is_taken or not self._quarantined):
            self._wake.clear()
            await self._wake.wait()
        may_take_quarantined = bool(self._quarantined) and not self._quarantined_is_taken
        if may_take_quarantined and not (self._ready and self._quarantined_was_last):
            return self._take_quarantined(max_sends)
        self._quarantined_was_last = False
        batch = Batch([], None, [])
        while self._ready and len(batch.sends) < max_sends:
            conversation_id = self._ready[0]
            box = self._boxes[conversation_id]
            if isinstance(first := box[0], ChangeItem):
                if batch.sends:
                    break
                box.popleft()
                return Batch([self._ready.popleft()], first, [])
            batch.conversation_ids.append(self._ready.popleft())
            while box and len(batch.sends) < max_sends and isinstance(item := box[0], SendItem):
                batch.sends.append(item)
                box.popleft()
        return batch

    def _take_quarantined(self, max_sends: int) -> Batch:
        conversation_id = self._quarantined.popleft()
        box = self._boxes[conversation_id]
        self._quarantined_is_taken = self._quarantined_was_last = True
        batch = Batch([conversation_id], None, [], quarantined=True)
        while box and len(batch.sends) < max_sends and isinstance(item := box[0], SendItem):
            batch.sends.append(item)
            box.popleft()
        return batch

    def release(self, batch: Batch, unsent: Iterable[SendItem] = ()) -> None:
        """Ends a batch. Unsent messages return to the front of their queues, and the conversations to the back."""
        for item in reversed(list(unsent)):
            self._boxes[item.draft.conversation_id].appendleft(item)
        if batch.quarantined:
            self._quarantined_is_taken = False
        for conversation_id in batch.conversation_ids:
            box = self._boxes[conversation_id]
            if not box:
                del self._boxes[conversation_id]
            elif isinstance(first := box[0], SendItem) and first.unknown_outcomes > 1:
                self._quarantined.append(conversation_id)
            else:
                self._ready.append(conversation_id)
        if self._ready or self._quarantined:
            self._wake.set()
