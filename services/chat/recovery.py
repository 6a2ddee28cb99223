"""The recovery loop, which keeps this replica's lease and finishes the work of replicas that died."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import Counter

from chassis.process.logs import logger
from services.chat.conversation_cache import ConversationCache
from services.chat.intents import WriteIntents
from services.chat.store import ChatStore, StoreError

TAKEN_OVER = Counter(
    "parley_chat_intents_taken_over_total", "Conversations that this replica finished for a dead replica."
)
_BATCH: Final = 200

_log = logger("intents")


class RecoveryLoop:
    """Renews this replica's lease, and takes over the intents of expired leases.

    Args:
        store, cache, intents: the collaborators.
        timeout_seconds: a lease that was not renewed for this long expires.
    """

    def __init__(
        self, store: ChatStore, cache: ConversationCache, intents: WriteIntents, *, timeout_seconds: float
    ) -> None:
        self._store = store
        self._cache = cache
        self._intents = intents
        self._timeout_seconds = timeout_seconds

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._intents.renew_lease()
                for lease_id in await self._store.expire_leases(self._timeout_seconds):
                    await self._take_over(lease_id)
            except StoreError as error:
                _log.warning("recovery_failed", error=type(error).__name__)
            await asyncio.sleep(self._timeout_seconds / 4)

    async def _take_over(self, lease_id: str) -> None:
        """Makes the intents of an expired lease ours; loading a conversation publishes what it finds unpublished."""
        await self._store.kill_sessions_of(lease_id)
        count = 0
        while intents := await self._store.intents_of(lease_id, _BATCH):
            async with self._cache.acquire(intents, refresh=True) as states:
                await self._intents.ensure(states.values())
            await self._store.remove_intents(lease_id, intents)
            count += len(intents)
            TAKEN_OVER.inc(len(intents))
            await self._intents.renew_lease()
        await self._store.delete_lease(lease_id)
        _log.info("replica_taken_over", lease=lease_id, conversations=count)
