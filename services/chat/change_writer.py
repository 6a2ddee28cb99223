"""Writes changes: decides each on a fresh state, commits it behind the fence, and determines its outcome.

A write with an unknown outcome is repeated until the outcome is known. The entry's rev makes this safe: only one entry
can have it, so a repeat finds it free, taken by this change, or taken by another. No outcome may stay unknown: a write
that lands after its replica stopped looking would be durable, but never published.
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
from services.chat.domain import Change, ChangeKind, ChangeSet, Conversation, Member
from services.chat.errors import not_found
from services.chat.intents import WriteIntents
from services.chat.publisher import Publisher
from services.chat.store import ChatStore, FenceError, StoreError

_ATTEMPTS: Final = 16
_BACKOFF: Final = Backoff(base_seconds=0.005, cap_seconds=0.25)

CONFLICTS = Counter(
    "parley_chat_commit_conflicts_total", "Writes that conflicted with another write and were sequenced again."
)
UNKNOWN = Counter("parley_chat_commit_unknown_total", "Writes whose outcome was unknown after the first attempt.")

_log = logger("commit")

Decide = Callable[[ConversationState], Awaitable[ChangeSet]]
"""Decides on a change; see `ConversationState.unchanged` if there is nothing to do. Raises AppError to reject it.

Called again after each conflict, so it has always seen the state that its change is committed on.
"""


class ChangeWriter:
    """Writes changes. The write queue ensures that there is only one write at a time for each conversation."""

    def __init__(
        self, *, store: ChatStore, cache: ConversationCache, intents: WriteIntents, publisher: Publisher
    ) -> None:
        self._store = store
        self._cache = cache
        self._intents = intents
        self._publisher = publisher

    async def write(self, conversation_id: str, organization_id: str, decide: Decide, change_id: str = "") -> ChangeSet:
        """Writes a change, once for each change id.

        The log's index of ids rejects a second entry with the same id. Whether there is one is read after the state:
        then either the state and the entry are both seen, or the commit conflicts with the entry.

        Args:
            conversation_id, organization_id: the conversation.
            decide: decides on the change.
            change_id: see `change_id_of`; empty if repeating the request is not idempotent.

        Returns:
            What was written, or what an earlier request with the same change id has written.

        Raises:
            AppError: as `decide` raises; CONVERSATION_NOT_FOUND, CONTENDED.
            StoreError: nothing was written.
        """
        for attempt in range(_ATTEMPTS):
            async with self._cache.acquire([conversation_id], refresh=True) as states:
                state = states.get(conversation_id)
                if state is None or state.conversation.organization_id != organization_id:
                    raise not_found()
                if change_id and (first := await self._store.outcome(conversation_id, change_id)) is not None:
                    return ChangeSet(first)
                changes = await decide(state)
                changes.change.change_id = change_id
                if changes.change.kind is ChangeKind.UNCHANGED:
                    await self._store.commit_private(changes)
                    return changes
                await self._intents.ensure([state])
                try:
                    written = await self._write(changes)
                finally:
                    state.observe_rev(changes.change.rev)  # whatever the outcome, the next use reloads the state
                    self._publisher.mark_dirty(state)
            if written:
                return changes
            CONFLICTS.inc()
            await back_off(attempt)
        raise AbortedError("CONTENDED", "too many concurrent changes to this conversation", retry_after_ms=200)

    async def create(self, conversation: Conversation, members: Sequence[Member], created: Change) -> None:
        """Creates a conversation unless it exists. Loading it afterwards publishes its first log entry.

        Raises:
            AppError: CONTENDED.
            StoreError: nothing was written.
        """
        conversation_id = conversation.conversation_id
        generation = await self._intents.record_new(conversation_id)
        await _until_known(lambda: self._store.create_conversation(conversation, members, created))
        await _until_known(lambda: self._set_intent(conversation_id, generation))

    async def _set_intent(self, conversation_id: str, generation: int) -> None:
        """Sets the intent of a new conversation, which may not be visible yet if another replica created it."""
        for attempt in range(_ATTEMPTS):
            async with self._cache.acquire([conversation_id], refresh=True) as states:
                if state := states.get(conversation_id):
                    state.intent = generation
                    return
            await back_off(attempt)
        raise AbortedError("CONTENDED", "another replica is creating this conversation", retry_after_ms=200)

    async def _write(self, changes: ChangeSet) -> bool:
        """Returns whether the change was written; else another entry has its rev."""
        unknown_outcomes = 0
        while True:
            try:
                if unknown_outcomes and (taken := await self._at(changes.change)) is not None:
                    return taken
                await self._store.commit_change(changes)
            except FenceError:
                if not unknown_outcomes:
                    return False
                await back_off(unknown_outcomes)  # the entry that has the rev will be visible soon
            except StoreError as error:
                unknown_outcomes += 1
                record_unknown_outcome(error)
                await back_off(unknown_outcomes)
            else:
                return True

    async def _at(self, change: Change) -> bool | None:
        """Returns whether the entry at this change's rev is this change; None if there is no entry."""
        entries = await self._store.entries(change.conversation_id, change.rev - 1, 1)
        return None if not entries else isinstance(entries[0], Change) and _same(entries[0], change)


def _same(one: Change, other: Change) -> bool:
    return (one.change_id, one.kind, one.actor_id, one.time_ms, one.message_id) == (
        other.change_id,
        other.kind,
        other.actor_id,
        other.time_ms,
        other.message_id,
    )


async def _until_known(write: Callable[[], Awaitable[object]]) -> None:
    """Repeats an idempotent write until it is known to have succeeded."""
    unknown_outcomes = 0
    while True:
        try:
            await write()
        except StoreError as error:
            unknown_outcomes += 1
            record_unknown_outcome(error)
            await back_off(unknown_outcomes)
        else:
            return


def record_unknown_outcome(error: Exception) -> None:
    """Counts and logs a write whose outcome is unknown."""
    UNKNOWN.inc()
    _log.warning("commit_outcome_unknown", error=type(error).__name__)


async def back_off(attempt: int) -> None:
    """Sleeps before the next attempt."""
    await asyncio.sleep(_BACKOFF.delay_seconds(attempt))
