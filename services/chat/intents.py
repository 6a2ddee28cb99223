"""Write intents and replica leases, which let other replicas finish the work of a replica that died.

Before a replica writes to a conversation, it records an intent in the store. It removes the intent once the
conversation's summary says that everything was published. So between a commit and its publication there is always an
intent, and the recovery loop of every replica handles those of dead replicas. Intents are in MongoDB and not in Redis
because they must survive Redis: losing a replica and Redis at the same time must not hide a message.

Intents belong to a lease. Each process creates a lease with an id of its own, so that nobody takes the intents of a
process for those of its successor. A lease that was declared dead stays dead: a replica that was only paused creates
another one. It doesn't write under the old one, because it stops trusting a lease before others may declare it dead.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable

from chassis.process.logs import logger
from services.chat.conversation_cache import ConversationCache, ConversationState
from services.chat.store import ChatStore

_log = logger("intents")


class ReplicaLease:
    """This replica's lease: the time during which no other replica may declare it dead.

    Args:
        store: where leases are.
        replica: the replica's name, the same after a restart; no two running replicas share one.
        timeout_seconds: others declare the lease dead if it was not renewed for this long.
        clock: monotonic seconds.
        on_created: called with the id of a lease that was created, before anything is written under it.
    """

    def __init__(
        self,
        store: ChatStore,
        *,
        replica: str,
        timeout_seconds: float,
        clock: Callable[[], float],
        on_created: Callable[[str], Awaitable[None]],
    ) -> None:
        self._store = store
        self._replica = replica
        self._trusted_seconds = timeout_seconds / 2
        self._clock = clock
        self._on_created = on_created
        self._trusted_until = 0.0
        self._renewing = asyncio.Lock()
        self.lease_id = ""

    async def renew(self) -> None:
        """Renews the lease, or creates another one if there is none or it was declared dead. Raises StoreError."""
        async with self._renewing:
            await self._renew()

    async def ensure(self) -> None:
        """Renews the lease unless that was done recently; call before writing under it. Raises StoreError."""
        if self._clock() >= self._trusted_until:
            async with self._renewing:
                if self._clock() >= self._trusted_until:
                    await self._renew()

    async def _renew(self) -> None:
        start = self._clock()
        if not self.lease_id or not await self._store.renew_lease(self.lease_id):
            await self._create()
        self._trusted_until = start + self._trusted_seconds

    async def _create(self) -> None:
        lease_id = f"{self._replica}-{secrets.token_hex(4)}"
        await self._store.create_lease(lease_id, self._replica)
        if self.lease_id:
            _log.warning("replica_was_declared_dead")
        self.lease_id = lease_id
        await self._on_created(lease_id)


class WriteIntents:
    """This replica's lease and intents.

    Args:
        store, cache: the collaborators.
        replica, timeout_seconds, clock: see ReplicaLease.
    """

    def __init__(
        self,
        store: ChatStore,
        cache: ConversationCache,
        *,
        replica: str,
        timeout_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._cache = cache
        self._generation = 0
        self._lease = ReplicaLease(
            store, replica=replica, timeout_seconds=timeout_seconds, clock=clock, on_created=self._record_again
        )

    async def renew_lease(self) -> None:
        """See ReplicaLease.renew."""
        await self._lease.renew()

    async def _record_again(self, lease_id: str) -> None:
        """Records intents under a new lease for all conversations that are not finished."""
        unfinished = self._cache.unfinished()
        for state in unfinished:
            state.intent = 0
        await self._record(lease_id, unfinished)

    async def ensure(self, states: Iterable[ConversationState]) -> None:
        """Records an intent for each state that has none; call before writing to them. Raises StoreError."""
        await self._lease.ensure()
        await self._record(self._lease.lease_id, [state for state in states if not state.intent])

    async def _record(self, lease_id: str, states: list[ConversationState]) -> None:
        if states:
            self._generation += 1
            generation = self._generation
            await self._store.write_intents(
                lease_id, [state.conversation.conversation_id for state in states], generation
            )
            for state in states:
                state.intent = generation

    async def record_new(self, conversation_id: str) -> int:
        """Records an intent for a conversation that is about to be created. Raises StoreError.

        Returns:
            The generation, which the caller sets as the intent of the conversation's state.
        """
        await self._lease.ensure()
        self._generation += 1
        generation = self._generation
        await self._store.write_intents(self._lease.lease_id, [conversation_id], generation)
        return generation

    async def remove(self, states: Iterable[ConversationState]) -> None:
        """Removes the intents of these states; call when no write to them is in flight. Raises StoreError.

        A state counts as having no intent before the store is updated, and a later `ensure` writes another generation.
        So a removal never undoes an `ensure` that follows it.
        """
        generations = {}
        for state in states:
            generations[state.conversation.conversation_id] = state.intent
            state.intent = 0
        await self._store.remove_intents(self._lease.lease_id, generations)

    async def release_lease(self) -> None:
        """Deletes the lease if nothing is unfinished; else it expires, and another replica finishes the work."""
        if self._lease.lease_id and not self._cache.unfinished():
            await self._store.delete_lease(self._lease.lease_id)
