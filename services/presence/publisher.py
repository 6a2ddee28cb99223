"""Brings what others were told, and what is stored, into agreement with users' sessions and choices.

Whatever changes a user puts them on the agenda; whoever looks at them next, in any replica, finds what others ought
to know and tells them if that is something else than they were told last. A user stays on the agenda until that is
done, so nothing is lost with a replica; a change of a state that has changed meanwhile is not made, so replicas that
look at once tell of it once.

MongoDB is only met on the way to the second agenda, `storing`: while it is away, all goes on but for users of whom
nothing has been read yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from chassis.errors import UnavailableError
from chassis.process.logs import logger
from services.presence.bus import Agenda, NextLook, PresenceBus, Settlement
from services.presence.convert import encoded_event
from services.presence.domain import UserKey, UserState
from services.presence.store import PresenceStore

_LOOKS_AT_ONCE: Final = 500
_OBSERVATIONS: Final = 3

_log = logger("publisher")


class Publisher:
    """Looks at users whose presence may have changed.

    Args:
        bus: where the states are.
        store: where the records are.
        coalesce_seconds: how long changes made here are gathered.
        sweep_seconds: how often the agenda is looked at without such a change.
        takeover_seconds: after how long a look that didn't end is repeated.
    """

    def __init__(
        self,
        bus: PresenceBus,
        store: PresenceStore,
        *,
        coalesce_seconds: float,
        sweep_seconds: float,
        takeover_seconds: float,
    ) -> None:
        self._bus = bus
        self._store = store
        self._coalesce_seconds = coalesce_seconds
        self._sweep_seconds = sweep_seconds
        self._takeover_ms = int(takeover_seconds * 1_000)
        self._changed = asyncio.Event()
        self._to_store = asyncio.Event()

    def wake(self) -> None:
        """Says that users have been put on the agenda."""
        self._changed.set()

    async def publish(self) -> None:
        """Tells of changes for ever; to be supervised."""
        while True:
            if await _woken(self._changed, self._sweep_seconds):
                await asyncio.sleep(self._coalesce_seconds)
            await self._work_off("agenda", self._look)

    async def keep_records(self) -> None:
        """Reads and writes records for ever; to be supervised."""
        while True:
            await _woken(self._to_store, self._sweep_seconds)
            await self._work_off("storing", self._look_with_records)

    async def observe(self, keys: Sequence[UserKey]) -> list[UserState]:
        """The settled states of users, in the order asked for.

        What one observer sees, all have been told, or could one see what passes before the next look and stay with
        it for ever. Raises UnavailableError.
        """
        for _ in range(_OBSERVATIONS):
            now, states = await self._bus.read(keys)
            known = await self._with_records(states)
            settled = [state.settled(now) for state in known]
            looks = [_settling(*stages) for stages in zip(states, known, settled, strict=True)]
            untold = [look for look in looks if look.event and look.before.revision]
            if not untold or all(await self._bus.settle(untold)):
                break
        return settled

    async def _work_off(self, agenda: Agenda, look: Callable[[Sequence[UserKey]], Awaitable[None]]) -> None:
        try:
            for shard in self._bus.shards:
                while keys := await self._bus.take_due(agenda, shard, _LOOKS_AT_ONCE, takeover_ms=self._takeover_ms):
                    await look(keys)
        except UnavailableError as error:
            _log.warning("looks_postponed", agenda=agenda, reason=error.reason)

    async def _look(self, keys: Sequence[UserKey]) -> None:
        now, states = await self._bus.read(keys)
        settlements = [_looked_at(state, now) for state in states]
        await self._bus.settle(settlements)
        if any(settlement.storing == "due" for settlement in settlements):
            self._to_store.set()

    async def _look_with_records(self, keys: Sequence[UserKey]) -> None:
        """Settles users and stores what is to be stored of them; those that change meanwhile stay on the agenda."""
        now, found = await self._bus.read(keys)
        states = [state for state in found if state.revision]
        known = await self._with_records(states)
        settled = [state.settled(now) for state in known]
        looks = [_settling(*stages) for stages in zip(states, known, settled, strict=True)]
        revisions = await self._bus.settle(looks)
        current = [
            replace(state, revision=revision)
            for state, revision in zip(settled, revisions, strict=True)
            if revision is not None
        ]
        unsaved = [state for state in current if state.footprint != state.due_footprint]
        if unsaved:
            await self._store.save(unsaved)
        vanished = [Settlement(state, state, look="", storing="done") for state in found if not state.revision]
        await self._bus.settle([*(_stored(state) for state in current), *vanished])

    async def _with_records(self, states: Sequence[UserState]) -> list[UserState]:
        records = await self._store.load([state.key for state in states if state.choice is None])
        return [state.with_record(records.get(state.key)) for state in states]


def _settling(held: UserState, known: UserState, settled: UserState) -> Settlement:
    """What it takes to settle a state as it is held, given the state with all that is known."""
    told = settled.shown is None or known.shown == settled.shown
    event = b"" if told or settled.shown is None else encoded_event(settled.key, settled.role, settled.shown)
    return Settlement(held, settled, event=event)


def _looked_at(state: UserState, now_ms: int) -> Settlement:
    if not state.revision:
        return Settlement(state, state, look="", storing="done")
    if state.choice is None:
        return Settlement(state, state, look="", storing="due")
    settled = state.settled(now_ms)
    stored = settled.footprint == settled.due_footprint
    return replace(_settling(state, state, settled), look=_next_look(settled), storing="keep" if stored else "due")


def _stored(state: UserState) -> Settlement:
    return Settlement(state, replace(state, footprint=state.due_footprint), look=_next_look(state), storing="done")


def _next_look(settled: UserState) -> NextLook:
    return settled.grace.until_ms if settled.grace else ""


async def _woken(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
