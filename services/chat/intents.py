"""Intents and heartbeats: what lets others finish what a replica that died had begun.

Before a replica writes to a conversation it notes that in the store; it takes the note back when the conversation's
summary says that all was published. So between a commit and its publication there is always a note, and a janitor on
every replica deals with those of replicas that fell silent. The notes are in MongoDB and not in Redis because they
must outlive Redis: losing both the replica and Redis at once must not hide a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter

from chassis.logs import logger
from services.chat.state import ConversationState, States
from services.chat.store import ChatStore, StoreError

TAKEN_OVER = Counter("parley_chat_intents_taken_over_total", "Conversations finished for a replica that died.")
_BATCH: Final = 200

_log = logger("intents")


class Intents:
    """This replica's intents."""

    def __init__(self, store: ChatStore, replica: str) -> None:
        self._store = store
        self._replica = replica
        self._generation = 0

    async def cover(self, states: Iterable[ConversationState]) -> None:
        """Makes sure that there is an intent for each of these; call before writing to them."""
        bare = [state for state in states if not state.intent]
        if bare:
            self._generation += 1
            generation = self._generation
            await self._store.write_intents(
                self._replica, [state.conversation.conversation_id for state in bare], generation
            )
            for state in bare:
                state.intent = generation

    async def cover_new(self, conversation_id: str) -> int:
        """Notes an intent for a conversation that is about to be made; its state is to have the generation returned."""
        self._generation += 1
        await self._store.write_intents(self._replica, [conversation_id], self._generation)
        return self._generation

    async def drop(self, states: Iterable[ConversationState]) -> None:
        """Takes the intents of these back; call when nothing of them is under way.

        A state counts as bare before the store hears of it, and a later `cover` has another generation, so a drop
        never undoes a cover that came after it.
        """
        generations = {}
        for state in states:
            generations[state.conversation.conversation_id] = state.intent
            state.intent = 0
        await self._store.drop_intents(self._replica, generations)


class Janitor:
    """Says that this replica is alive, and finishes what silent ones had begun."""

    def __init__(
        self, store: ChatStore, states: States, intents: Intents, *, replica: str, timeout_seconds: float
    ) -> None:
        self._store = store
        self._states = states
        self._intents = intents
        self._replica = replica
        self._timeout_seconds = timeout_seconds

    async def run(self) -> None:
        """Works for ever; to be supervised."""
        while True:
            try:
                await self._work()
            except StoreError as error:
                _log.warning("janitor_failed", error=type(error).__name__)
            await asyncio.sleep(self._timeout_seconds / 3)

    async def _work(self) -> None:
        if not await self._store.beat(self._replica):
            await self._repeat_intents()
        for replica in await self._store.silent_replicas(self._timeout_seconds):
            if replica != self._replica:
                await self._take_over(replica)

    async def _repeat_intents(self) -> None:
        """Notes all intents again: this replica is new, or was paused so long that others dealt with its intents."""
        dirty = self._states.dirty()
        for state in dirty:
            state.intent = 0
        await self._intents.cover(dirty)

    async def _take_over(self, replica: str) -> None:
        """Makes a silent replica's intents our own: loading a conversation publishes what it finds unpublished."""
        taken: dict[str, int] = {}
        async for conversation_id, generation in self._store.intents_of(replica):
            taken[conversation_id] = generation
            if len(taken) == _BATCH:
                await self._take(replica, taken)
                taken = {}
        await self._take(replica, taken)
        await self._store.forget_replica(replica)
        _log.info("replica_taken_over", silent_replica=replica)

    async def _take(self, replica: str, generations: dict[str, int]) -> None:
        async with self._states.holding(generations, anew=True) as held:
            await self._intents.cover(held.values())
        await self._store.drop_intents(replica, generations)
        TAKEN_OVER.inc(len(generations))
