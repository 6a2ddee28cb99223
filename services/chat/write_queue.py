"""What waits to be written, in a mailbox for each conversation: in order, and never in two hands at once.

Two writes in flight for one conversation could leave a hole, when the later is written and the earlier is not. So
whoever takes from a mailbox keeps it until the outcome is known; everything else that waits is there for the next.

A conversation whose outcome was unknown more than once is a suspect: something in the store may be in its way, such as
a transaction that a dead process left open. Suspects are taken one at a time and alone, so that they hold nobody up.
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
"""Where a draft landed, or why it did not."""


@dataclass(slots=True)
class SendItem:
    """A message to be sent. `settle` is called once.

    Attributes:
        attempts: how often it was left over.
        doubts: after how many attempts it was unknown whether it was written.
        trace: what its call is traced as, if it is.
    """

    draft: Draft
    settle: Callable[[Outcome], None]
    settled: bool = False
    reply_checked: bool = False
    attempts: int = 0
    doubts: int = 0
    trace: SpanContext | None = None


@dataclass(slots=True)
class ChangeItem(Generic[T]):
    """A change to be made, with nothing beside it."""

    make: Callable[[], Awaitable[T]]
    done: asyncio.Future[T]


class Taken(NamedTuple):
    """What was taken, and of which conversations: one change, or sends."""

    conversation_ids: list[str]
    change: ChangeItem[Any] | None
    sends: list[SendItem]
    suspect: bool = False


class WriteQueue:
    """The mailboxes of all conversations for which something waits."""

    def __init__(self) -> None:
        self._boxes: dict[str, deque[SendItem | ChangeItem[Any]]] = {}
        self._ready: deque[str] = deque()  # those in nobody's hands
        self._suspects: deque[str] = deque()  # likewise
        self._suspect_is_out = False
        self._suspect_was_last = False
        self._wake = asyncio.Event()

    def put(self, conversation_id: str, item: SendItem | ChangeItem[Any]) -> None:
        """Queues an item; those of one conversation keep their order."""
        box = self._boxes.get(conversation_id)
        if box is None:
            self._boxes[conversation_id] = deque((item,))
            self._ready.append(conversation_id)
            self._wake.set()
        else:
            box.append(item)

    async def take(self, most: int) -> Taken:
        """Waits for something to do: the change that is first in line, or so many sends of any conversations.

        To be given back.
        """
        while not self._ready and (self._suspect_is_out or not self._suspects):
            self._wake.clear()
            await self._wake.wait()
        may_be_suspect = bool(self._suspects) and not self._suspect_is_out
        if may_be_suspect and not (self._ready and self._suspect_was_last):
            return self._take_suspect(most)
        self._suspect_was_last = False
        taken = Taken([], None, [])
        while self._ready and len(taken.sends) < most:
            conversation_id = self._ready[0]
            box = self._boxes[conversation_id]
            if isinstance(first := box[0], ChangeItem):
                if taken.sends:
                    break
                box.popleft()
                return Taken([self._ready.popleft()], first, [])
            taken.conversation_ids.append(self._ready.popleft())
            while box and len(taken.sends) < most and isinstance(item := box[0], SendItem):
                taken.sends.append(item)
                box.popleft()
        return taken

    def _take_suspect(self, most: int) -> Taken:
        conversation_id = self._suspects.popleft()
        box = self._boxes[conversation_id]
        self._suspect_is_out = self._suspect_was_last = True
        taken = Taken([conversation_id], None, [], suspect=True)
        while box and len(taken.sends) < most and isinstance(item := box[0], SendItem):
            taken.sends.append(item)
            box.popleft()
        return taken

    def give_back(self, taken: Taken, left: Iterable[SendItem] = ()) -> None:
        """Lets go of what was taken; what is left over goes to the front of its mailbox, and that behind the others."""
        for item in reversed(list(left)):
            self._boxes[item.draft.conversation_id].appendleft(item)
        if taken.suspect:
            self._suspect_is_out = False
        for conversation_id in taken.conversation_ids:
            box = self._boxes[conversation_id]
            if not box:
                del self._boxes[conversation_id]
            elif isinstance(first := box[0], SendItem) and first.doubts > 1:
                self._suspects.append(conversation_id)
            else:
                self._ready.append(conversation_id)
        if self._ready or self._suspects:
            self._wake.set()
