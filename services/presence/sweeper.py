"""Makes up for what died: gateways that fell silent, and what Redis lost."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace

from chassis.errors import UnavailableError
from chassis.process.logs import logger
from services.presence.bus import PresenceBus, SessionChange, Settlement
from services.presence.domain import UserState
from services.presence.publisher import Publisher
from services.presence.sessions import Timeouts
from services.presence.store import PresenceStore

_log = logger("sweeper")


class Sweeper:
    """Looks for dead gateways and for losses, in every replica; of each, one replica at a time takes care.

    Args:
        bus: where sessions are held.
        store: knows who was there when Redis lost everything.
        publisher: is woken when sessions were closed.
        times: see `Timeouts`.
        sweep_seconds: how often it looks.
        takeover_seconds: after how long another replica goes on with what one began.
    """

    def __init__(
        self,
        bus: PresenceBus,
        store: PresenceStore,
        publisher: Publisher,
        times: Timeouts,
        *,
        sweep_seconds: float,
        takeover_seconds: float,
    ) -> None:
        self._bus = bus
        self._store = store
        self._publisher = publisher
        self._times = times
        self._sweep_seconds = sweep_seconds
        self._takeover_ms = int(takeover_seconds * 1_000)

    async def run(self) -> None:
        """Sweeps for ever; to be supervised.

        While Redis or all replicas were away no gateway could be heard, so each has a whole lease again from then on.
        """
        in_touch_since: float | None = None
        while True:
            try:
                await self._bus.ping()
                in_touch_since = in_touch_since or time.monotonic()
                heard_all = time.monotonic() - in_touch_since >= self._times.lease_ms / 1_000
                for shard in self._bus.shards:
                    if heard_all:
                        await self._close_silent(shard)
                    await self._make_up(shard)
            except UnavailableError as error:
                in_touch_since = None
                _log.warning("sweep_postponed", reason=error.reason)
            await asyncio.sleep(self._sweep_seconds)

    async def _close_silent(self, shard: int) -> None:
        for gateway_id in await self._bus.expired(shard):
            attachment = f"swept-{secrets.token_hex(8)}"
            until_ms = await self._bus.take_over(shard, gateway_id, attachment, lease_ms=self._takeover_ms)
            if until_ms is not None:
                await self._close(shard, gateway_id, attachment, heard_ms=until_ms - self._times.lease_ms)

    async def _close(self, shard: int, gateway_id: str, attachment: str, *, heard_ms: int) -> None:
        closed = 0
        try:
            async for stale in self._bus.stale_sessions(shard, gateway_id, attachment):
                await self._bus.report(
                    gateway_id,
                    attachment,
                    [SessionChange("s", key, session_id) for key, session_id in stale],
                    lease_ms=self._takeover_ms,
                    grace_ms=self._times.grace_after_lease_ms,
                    happened_ms=heard_ms,
                    shard=shard,
                )
                closed += len(stale)
                self._publisher.wake()
        except UnavailableError as error:
            if error.reason != "SESSIONS_UNKNOWN":
                raise
            return  # the gateway is back
        await self._bus.release(shard, gateway_id, attachment)
        if closed:
            _log.warning("gateway_lost", gateway=gateway_id, shard=shard, sessions=closed)

    async def _make_up(self, shard: int) -> None:
        """Has others told who left while Redis had lost everything: whom no gateway has reported since.

        Once a lease is over, every gateway that lives has found its sessions unknown and reported them again.
        """
        lost = await self._bus.lost_since(shard)
        if lost is None or lost[0] - lost[1] < self._times.lease_ms:
            return
        now, since = lost
        try:
            async for keys in self._store.present():
                held = [UserState(key) for key in keys if self._bus.shard_of(key.organization_id) == shard]
                await self._bus.settle([Settlement(state, replace(state, seen_ms=since), look=now) for state in held])
        except UnavailableError as error:
            _log.warning("recovery_postponed", shard=shard, reason=error.reason)
            return
        await self._bus.mark_complete(shard)
        self._publisher.wake()
        _log.info("recovered", shard=shard)
