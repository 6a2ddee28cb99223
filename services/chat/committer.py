"""The committer, which queues messages and changes for a fixed number of writers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from prometheus_client import Gauge

from chassis.errors import AppError, ResourceExhaustedError, UnavailableError
from chassis.process.tracing import current_trace
from services.chat.change_writer import ChangeWriter, Decide
from services.chat.conversation_cache import ConversationCache
from services.chat.domain import Change, ChangeSet, Conversation, Member
from services.chat.intents import WriteIntents
from services.chat.publisher import Publisher
from services.chat.sequencing import Draft
from services.chat.store import ChatStore
from services.chat.write_queue import ChangeItem, Outcome, SendItem, WriteQueue
from services.chat.writer import Writer

T = TypeVar("T")

WAITING = Gauge("parley_chat_commit_waiting", "Messages and changes queued or in flight.")


class Committer:
    """Queues messages and changes, and runs the writers that commit them.

    Args:
        store, cache, intents, publisher: the collaborators.
        writers: the number of concurrent writes.
        capacity: the most messages and changes that may wait; more are rejected.
        now_ms: returns the time, in Unix ms.
    """

    def __init__(
        self,
        *,
        store: ChatStore,
        cache: ConversationCache,
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
        self._change_writer = ChangeWriter(store=store, cache=cache, intents=intents, publisher=publisher)
        self._queue = WriteQueue()
        self._writers = [
            Writer(
                self._queue,
                store=store,
                cache=cache,
                intents=intents,
                publisher=publisher,
                now_ms=now_ms,
                done=self._done,
            )
            for _ in range(writers)
        ]

    def send(self, draft: Draft, complete: Callable[[Outcome], None]) -> None:
        """Queues a message behind those of its conversation; calls `complete` once, when it is durable or failed."""
        try:
            self._admit()
        except AppError as error:
            complete(error)
            return
        self._queue.put(draft.conversation_id, SendItem(draft, complete, trace=current_trace()))

    async def outcome(self, draft: Draft) -> Outcome:
        """Queues a message, and returns its outcome."""
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def complete(outcome: Outcome) -> None:
            if not done.done():  # else the caller was cancelled
                done.set_result(outcome)

        self.send(draft, complete)
        return await done

    async def change(
        self, conversation_id: str, organization_id: str, decide: Decide, change_id: str = ""
    ) -> ChangeSet:
        """Writes a change; see `ChangeWriter.write`. Continues if the caller is cancelled.

        Raises:
            AppError: also OVERLOADED, SHUTTING_DOWN.
        """
        return await self._in_turn(
            conversation_id, lambda: self._change_writer.write(conversation_id, organization_id, decide, change_id)
        )

    async def create(self, conversation: Conversation, members: Sequence[Member], created: Change) -> None:
        """Creates a conversation; see `ChangeWriter.create`. Continues if the caller is cancelled.

        Raises:
            AppError: OVERLOADED, SHUTTING_DOWN.
        """
        await self._in_turn(
            conversation.conversation_id, lambda: self._change_writer.create(conversation, members, created)
        )

    async def _in_turn(self, conversation_id: str, make: Callable[[], Awaitable[T]]) -> T:
        self._admit()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put(conversation_id, ChangeItem(make, done))
        return await done

    def _admit(self) -> None:
        if self._closed:
            raise UnavailableError("SHUTTING_DOWN", "this replica is shutting down", retry_after_ms=100)
        if self._waiting >= self._capacity:
            raise ResourceExhaustedError("OVERLOADED", "too many messages are queued", retry_after_ms=500)
        self._waiting += 1
        self._idle.clear()

    def _done(self, count: int) -> None:
        self._waiting -= count
        if not self._waiting:
            self._idle.set()

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Returns the writers' loops by name."""
        return {f"writer-{index}": writer.run for index, writer in enumerate(self._writers)}

    async def close(self) -> None:
        """Rejects new work, and waits until everything queued is done."""
        self._closed = True
        await self._idle.wait()
