"""The committer: takes what members send and change, and has it written by a few writers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from prometheus_client import Gauge

from chassis.errors import AppError, ResourceExhaustedError, UnavailableError
from chassis.process.tracing import current_trace
from services.chat.change_writer import Changes, Decide
from services.chat.conversation_cache import ConversationCache
from services.chat.domain import Change, ChangeSet, Conversation, Member
from services.chat.intents import WriteIntents
from services.chat.publisher import Publisher
from services.chat.sequencing import Draft
from services.chat.store import ChatStore
from services.chat.write_queue import ChangeItem, Outcome, SendItem, WriteQueue
from services.chat.writer import Writer

T = TypeVar("T")

WAITING = Gauge("parley_chat_commit_waiting", "Messages and changes that wait or are being written.")


class Committer:
    """Takes sends and changes, and has them written.

    Args:
        store, states, intents, publisher: what it works with.
        writers: how many writes may be in flight.
        capacity: how many sends and changes may wait; beyond that they are refused.
        now_ms: the time, as Unix milliseconds.
    """

    def __init__(
        self,
        *,
        store: ChatStore,
        states: ConversationCache,
        intents: WriteIntents,
        publisher: Publisher,
        writers: int,
        capacity: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._capacity = capacity
        self._waiting = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        WAITING.set_function(lambda: self._waiting)
        self._changes = Changes(store=store, states=states, intents=intents, publisher=publisher)
        self._mailboxes = WriteQueue()
        self._writers = [
            Writer(
                self._mailboxes,
                store=store,
                states=states,
                intents=intents,
                publisher=publisher,
                now_ms=now_ms,
                done=self._done,
            )
            for _ in range(writers)
        ]

    def send(self, draft: Draft, settle: Callable[[Outcome], None]) -> None:
        """Takes a message; `settle` is called once, when it is durable or failed. Conversations keep their order."""
        try:
            self._admit()
        except AppError as error:
            settle(error)
            return
        self._mailboxes.put(draft.conversation_id, SendItem(draft, settle, trace=current_trace()))

    async def change(self, conversation_id: str, organization_id: str, decide: Decide) -> ChangeSet | None:
        """Makes a change; see `Changes.make`. Goes on when the caller goes away.

        Raises:
            AppError: also OVERLOADED and SHUTTING_DOWN.
        """
        return await self._in_turn(
            conversation_id, lambda: self._changes.make(conversation_id, organization_id, decide)
        )

    async def create(self, conversation: Conversation, members: Sequence[Member], created: Change) -> None:
        """Makes a conversation; see `Changes.create`. Goes on when the caller goes away.

        Raises:
            AppError: OVERLOADED, SHUTTING_DOWN.
        """
        await self._in_turn(conversation.conversation_id, lambda: self._changes.create(conversation, members, created))

    async def _in_turn(self, conversation_id: str, make: Callable[[], Awaitable[T]]) -> T:
        self._admit()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._mailboxes.put(conversation_id, ChangeItem(make, done))
        return await done

    def _admit(self) -> None:
        if self._closed:
            raise UnavailableError("SHUTTING_DOWN", "this replica is stopping", retry_after_ms=100)
        if self._waiting >= self._capacity:
            raise ResourceExhaustedError("OVERLOADED", "too many messages are waiting", retry_after_ms=500)
        self._waiting += 1
        self._idle.clear()

    def _done(self, count: int) -> None:
        self._waiting -= count
        if not self._waiting:
            self._idle.set()

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """The writers' loops, to be supervised."""
        return {f"writer-{index}": writer.run for index, writer in enumerate(self._writers)}

    async def close(self) -> None:
        """Takes nothing more, and waits for what was taken."""
        self._closed = True
        await self._idle.wait()
