"""Makes changes: decides on each on a fresh state, writes it behind the fence, and knows what became of it.

A write whose outcome is unknown is repeated until it is known. The entry's rev makes that safe: it can be taken only
once, so a repeat finds it free, taken by this very change, or taken by another. And nothing may be left in doubt: a
write that lands after everybody has stopped looking would be durable, and never be published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from prometheus_client import Counter

from chassis.backoff import Backoff
from chassis.errors import AbortedError
from chassis.process.logs import logger
from services.chat.conversation_cache import ConversationCache, ConversationState
from services.chat.domain import Change, ChangeSet, Conversation, Member
from services.chat.errors import not_found
from services.chat.intents import WriteIntents
from services.chat.publisher import Publisher
from services.chat.store import ChatStore, FenceError, StoreError

_ATTEMPTS: Final = 16
_BACKOFF: Final = Backoff(base_seconds=0.005, cap_seconds=0.25)

FENCED = Counter("parley_chat_commit_fenced_total", "Writes that lost to another and were numbered again.")
UNKNOWN = Counter("parley_chat_commit_unknown_total", "Writes whose outcome was unknown at first.")

_log = logger("commit")

Decide = Callable[[ConversationState], Awaitable[ChangeSet | None]]
"""Decides on a change: None when nothing is to be done, AppError when it may not be.

Called again after each lost race, so what it decided on is what is true when the change is written.
"""


class Changes:
    """Writes changes; one at a time of each conversation, which is for the mailboxes to see to."""

    def __init__(
        self, *, store: ChatStore, states: ConversationCache, intents: WriteIntents, publisher: Publisher
    ) -> None:
        self._store = store
        self._states = states
        self._intents = intents
        self._publisher = publisher

    async def make(self, conversation_id: str, organization_id: str, decide: Decide) -> ChangeSet | None:
        """Makes a change; returns what was written, or None when nothing was to be done.

        Raises:
            AppError: as `decide` says; CONVERSATION_NOT_FOUND, CONTENDED.
            StoreError: nothing was written.
        """
        for attempt in range(_ATTEMPTS):
            async with self._states.holding([conversation_id], anew=True) as states:
                state = states.get(conversation_id)
                if state is None or state.conversation.organization_id != organization_id:
                    raise not_found()
                changes = await decide(state)
                if changes is None:
                    return None
                await self._intents.cover([state])
                try:
                    written = await self._write(changes)
                finally:
                    state.hear_of(changes.change.rev)  # whatever became of it, the next use looks
                    self._publisher.mark_gap(state)
            if written:
                return changes
            FENCED.inc()
            await pause(attempt)
        raise AbortedError("CONTENDED", "others are changing this conversation too fast", retry_after_ms=200)

    async def create(self, conversation: Conversation, members: Sequence[Member], created: Change) -> None:
        """Makes a conversation, unless there is one of this id; loading it publishes its first log entry.

        Raises:
            StoreError: nothing was written.
        """
        conversation_id = conversation.conversation_id
        generation = await self._intents.cover_new(conversation_id)
        await _until_known(lambda: self._store.create_conversation(conversation, members, created))
        await _until_known(lambda: self._adopt(conversation_id, generation))

    async def _adopt(self, conversation_id: str, generation: int) -> None:
        async with self._states.holding([conversation_id], anew=True) as states:
            states[conversation_id].intent = generation

    async def _write(self, changes: ChangeSet) -> bool:
        """Whether the change was written; else another entry has its rev."""
        doubts = 0
        while True:
            try:
                if doubts and (taken := await self._at(changes.change)) is not None:
                    return taken
                await self._store.commit_change(changes)
            except FenceError:
                if not doubts:
                    return False
                await pause(doubts)  # what took the rev is there, and soon to be seen
            except StoreError as error:
                doubts += 1
                note_unknown(error)
                await pause(doubts)
            else:
                return True

    async def _at(self, change: Change) -> bool | None:
        """Whether the entry at the rev of this change is this change; None when there is none."""
        entries = await self._store.entries(change.conversation_id, change.rev - 1, 1)
        return None if not entries else isinstance(entries[0], Change) and _same(entries[0], change)


def _same(one: Change, other: Change) -> bool:
    return (one.kind, one.actor_id, one.time_ms, one.message_id) == (
        other.kind,
        other.actor_id,
        other.time_ms,
        other.message_id,
    )


async def _until_known(write: Callable[[], Awaitable[object]]) -> None:
    """Repeats a write that may be repeated until it is known to have been made."""
    doubts = 0
    while True:
        try:
            await write()
        except StoreError as error:
            doubts += 1
            note_unknown(error)
            await pause(doubts)
        else:
            return


def note_unknown(error: Exception) -> None:
    """Counts and logs a write whose outcome is unknown."""
    UNKNOWN.inc()
    _log.warning("commit_outcome_unknown", error=type(error).__name__)


async def pause(attempt: int) -> None:
    """Waits before another attempt, with full jitter."""
    await asyncio.sleep(_BACKOFF.delay_seconds(attempt))
