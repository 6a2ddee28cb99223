"""Intents and lives: what lets others finish what a replica that died had begun.

Before a replica writes to a conversation it notes that in the store; it takes the note back when the conversation's
summary says that all was published. So between a commit and its publication there is always a note, and a janitor on
every replica deals with those of replicas that fell silent. The notes are in MongoDB and not in Redis because they
must outlive Redis: losing both the replica and Redis at once must not hide a message.

Every life of a replica has a name of its own: what a process left is not taken for the work of the one that follows
it. A life that was declared dead never comes back; a replica that was merely paused goes on under a new name. It
doesn't write under the old one, for it holds a lease that ends before others may declare it dead.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import Counter

from chassis.process.logs import logger
from services.chat.conversation_cache import ConversationCache, ConversationState
from services.chat.store import ChatStore, StoreError

TAKEN_OVER = Counter("parley_chat_intents_taken_over_total", "Conversations finished for a replica that died.")
_BATCH: Final = 200

_log = logger("intents")


class WriteIntents:
    """This replica's life and its intents.

    Args:
        store, states: what it works with.
        replica: the replica's name, the same in every life; no two that are alive have the same.
        timeout_seconds: after how long without a sign of life it is dead.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: ChatStore,
        states: ConversationCache,
        *,
        replica: str,
        timeout_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._states = states
        self._replica = replica
        self._lease_seconds = timeout_seconds / 2
        self._clock = clock
        self._life = ""
        self._lease_ends = 0.0
        self._living = asyncio.Lock()
        self._generation = 0

    async def live(self) -> None:
        """Gives a sign of life, and so renews the lease; takes a new name where others declared this replica dead."""
        async with self._living:
            await self._renew()

    async def _renew(self) -> None:
        asked = self._clock()
        if not self._life or not await self._store.renew_life(self._life):
            await self._begin_life()
        self._lease_ends = asked + self._lease_seconds

    async def _begin_life(self) -> None:
        life = f"{self._replica}-{secrets.token_hex(4)}"
        await self._store.begin_life(life, self._replica)
        if self._life:
            _log.warning("replica_was_declared_dead")
        self._life = life
        dirty = self._states.dirty()
        for state in dirty:
            state.intent = 0
        await self._note(dirty)

    async def _ensure_lease(self) -> None:
        if self._clock() >= self._lease_ends:
            async with self._living:
                if self._clock() >= self._lease_ends:
                    await self._renew()

    async def cover(self, states: Iterable[ConversationState]) -> None:
        """Makes sure that there is an intent for each of these; call before writing to them."""
        await self._ensure_lease()
        await self._note([state for state in states if not state.intent])

    async def _note(self, bare: list[ConversationState]) -> None:
        if bare:
            self._generation += 1
            generation = self._generation
            await self._store.write_intents(
                self._life, [state.conversation.conversation_id for state in bare], generation
            )
            for state in bare:
                state.intent = generation

    async def cover_new(self, conversation_id: str) -> int:
        """Notes an intent for a conversation that is about to be made; its state is to have the generation returned."""
        await self._ensure_lease()
        self._generation += 1
        generation = self._generation
        await self._store.write_intents(self._life, [conversation_id], generation)
        return generation

    async def drop(self, states: Iterable[ConversationState]) -> None:
        """Takes the intents of these back; call when nothing of them is under way.

        A state counts as bare before the store hears of it, and a later `cover` has another generation, so a drop
        never undoes a cover that came after it.
        """
        generations = {}
        for state in states:
            generations[state.conversation.conversation_id] = state.intent
            state.intent = 0
        await self._store.drop_intents(self._life, generations)

    async def retire(self) -> None:
        """Ends this life when it leaves nothing to do; else others find it silent, and finish what it had begun."""
        if self._life and not self._states.dirty():
            await self._store.end_life(self._life)


class RecoveryLoop:
    """Keeps this replica alive, and finishes what silent ones had begun."""

    def __init__(
        self, store: ChatStore, states: ConversationCache, intents: WriteIntents, *, timeout_seconds: float
    ) -> None:
        self._store = store
        self._states = states
        self._intents = intents
        self._timeout_seconds = timeout_seconds

    async def run(self) -> None:
        """Works for ever; to be supervised."""
        while True:
            try:
                await self._intents.live()
                for life in await self._store.declare_dead(self._timeout_seconds):
                    await self._take_over(life)
            except StoreError as error:
                _log.warning("janitor_failed", error=type(error).__name__)
            await asyncio.sleep(self._timeout_seconds / 4)

    async def _take_over(self, life: str) -> None:
        """Makes a dead life's intents our own: loading a conversation publishes what it finds unpublished."""
        await self._store.end_sessions_of(life)
        count = 0
        while intents := await self._store.intents_of(life, _BATCH):
            async with self._states.holding(intents, anew=True) as held:
                await self._intents.cover(held.values())
            await self._store.drop_intents(life, intents)
            count += len(intents)
            TAKEN_OVER.inc(len(intents))
            await self._intents.live()
        await self._store.end_life(life)
        _log.info("replica_taken_over", life=life, conversations=count)
