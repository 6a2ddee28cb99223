"""Closes the sessions of dead gateways, and recovers from a loss of Redis's data."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace

from chassis.errors import UnavailableError
from chassis.process.logs import logger
from services.presence.bus import PresenceBus, SessionChange, StateChange
from services.presence.domain import UserState
from services.presence.publisher import Publisher
from services.presence.sessions import Timeouts
from services.presence.store import PresenceStore

_log = logger("sweeper")


class Sweeper:
    """Checks for dead gateways and losses. Every replica has one; one replica at a time handles a dead gateway.

    Args:
        bus: holds sessions.
        store: knows which users were present when Redis lost its data.
        publisher: woken when sessions were closed.
        timeouts: see `Timeouts`.
        sweep_seconds: the interval of the checks.
        takeover_seconds: the time after which another replica continues unfinished work.
    """

    def __init__(
        self,
        bus: PresenceBus,
        store: PresenceStore,
        publisher: Publisher,
        timeouts: Timeouts,
        *,
        sweep_seconds: float,
        takeover_seconds: float,
    ) -> None:
        self._bus = bus
        self._store = store
        self._publisher = publisher
        self._timeouts = timeouts
        self._sweep_seconds = sweep_seconds
        self._takeover_ms = int(takeover_seconds * 1_000)

    async def run(self) -> None:
        """Sweeps until cancelled; to be supervised.

        While Redis or all replicas were away, no gateway could renew its lease. So no lease expires until a whole lease
        has passed after the outage.
        """
        connected_since: float | None = None
        while True:
            try:
                await self._bus.ping()
                connected_since = connected_since or time.monotonic()
                leases_valid = time.monotonic() - connected_since >= self._timeouts.lease_ms / 1_000
                for shard in self._bus.shards:
                    if leases_valid:
                        await self._expire_leases(shard)
                    await self._recover(shard)
            except UnavailableError as error:
                connected_since = None
                _log.warning("sweep_postponed", reason=error.reason)
            await asyncio.sleep(self._sweep_seconds)

    async def _expire_leases(self, shard: int) -> None:
        for gateway_id in await self._bus.expired(shard):
            attachment = f"swept-{secrets.token_hex(8)}"
            until_ms = await self._bus.take_over(shard, gateway_id, attachment, lease_ms=self._takeover_ms)
            if until_ms is not None:
                await self._close(shard, gateway_id, attachment, heard_ms=until_ms - self._timeouts.lease_ms)

    async def _close(self, shard: int, gateway_id: str, attachment: str, *, heard_ms: int) -> None:
        closed = 0
        try:
            async for stale in self._bus.stale_sessions(shard, gateway_id, attachment):
                await self._bus.report(
                    gateway_id,
                    attachment,
                    [SessionChange("s", key, session_id) for key, session_id in stale],
                    lease_ms=self._takeover_ms,
                    grace_ms=self._timeouts.grace_after_lease_ms,
                    happened_ms=heard_ms,
                    shard=shard,
                )
                closed += len(stale)
                self._publisher.wake()
        except UnavailableError as error:
            if error.reason != "SESSIONS_UNKNOWN":
                raise
            return  # the gateway has attached again
        await self._bus.release(shard, gateway_id, attachment)
        if closed:
            _log.warning("gateway_lost", gateway=gateway_id, shard=shard, sessions=closed)

    async def _recover(self, shard: int) -> None:
        """After a loss of Redis's data, publishes as offline the users whom no gateway has reported since.

        One lease after the loss, every live gateway has received SESSIONS_UNKNOWN and reported its sessions again.
        """
        loss = await self._bus.lost_since(shard)
        if loss is None or loss[0] - loss[1] < self._timeouts.lease_ms:
            return
        now, since = loss
        try:
            async for keys in self._store.present_users():
                states = [UserState(key) for key in keys if self._bus.shard_of(key.organization_id) == shard]
                await self._bus.compare_and_set(
                    [StateChange(state, replace(state, seen_ms=since), next_check=now) for state in states]
                )
        except UnavailableError as error:
            _log.warning("recovery_postponed", shard=shard, reason=error.reason)
            return
        await self._bus.mark_complete(shard)
        self._publisher.wake()
        _log.info("recovered", shard=shard)
