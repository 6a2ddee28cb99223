"""Reconciles published presence and stored records with users' sessions and settings.

Every change of a user puts them in the work queue. Any replica takes them from there, computes what others should see,
and publishes it if it differs from what was published last. A user stays in the queue until that is done, so the death
of a replica loses nothing. A change applies only to the state that it was computed from, so concurrent replicas publish
it once.

MongoDB is used only by the work of the second queue, the persist queue. While MongoDB is away, presence continues for
all users except those whose record has not been read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from chassis.errors import UnavailableError
from chassis.process.logs import logger
from services.presence.bus import NextCheck, PresenceBus, Queue, StateChange
from services.presence.convert import encoded_event
from services.presence.domain import UserKey, UserState
from services.presence.store import PresenceStore

_USERS_AT_ONCE: Final = 500
_OBSERVATIONS: Final = 3

_log = logger("publisher")


class Publisher:
    """Publishes and persists the presence of users that changed.

    Args:
        bus: holds the states.
        store: holds the records.
        coalesce_seconds: how long changes made in this replica are gathered.
        sweep_seconds: how often the queues are checked without such a change.
        takeover_seconds: the time after which unfinished work is due again.
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
        self._to_persist = asyncio.Event()

    def wake(self) -> None:
        """Signals that users were added to the work queue."""
        self._changed.set()

    async def publish(self) -> None:
        """Processes the work queue until cancelled; to be supervised."""
        while True:
            if await _wait_for(self._changed, self._sweep_seconds):
                await asyncio.sleep(self._coalesce_seconds)
            await self._process_queue("work_queue", self._check)

    async def persist_records(self) -> None:
        """Processes the persist queue until cancelled; to be supervised."""
        while True:
            await _wait_for(self._to_persist, self._sweep_seconds)
            await self._process_queue("persist_queue", self._check_with_records)

    async def observe(self, keys: Sequence[UserKey]) -> list[UserState]:
        """Returns the settled states of users, in the order of the keys. Raises UnavailableError.

        It publishes what it returns. Otherwise an observer could see a state that ends before the next check, and keep
        it, as no event would follow.
        """
        for _ in range(_OBSERVATIONS):
            now, states = await self._bus.read(keys)
            complete = await self._with_records(states)
            settled = [state.settled(now) for state in complete]
            changes = [_change(*stages) for stages in zip(states, complete, settled, strict=True)]
            unpublished = [change for change in changes if change.event and change.before.revision]
            if not unpublished or all(await self._bus.compare_and_set(unpublished)):
                break
        return settled

    async def _process_queue(self, queue: Queue, check: Callable[[Sequence[UserKey]], Awaitable[None]]) -> None:
        try:
            for shard in self._bus.shards:
                while keys := await self._bus.take_due(queue, shard, _USERS_AT_ONCE, takeover_ms=self._takeover_ms):
                    await check(keys)
        except UnavailableError as error:
            _log.warning("looks_postponed", queue=queue, reason=error.reason)

    async def _check(self, keys: Sequence[UserKey]) -> None:
        now, states = await self._bus.read(keys)
        changes = [_checked(state, now) for state in states]
        await self._bus.compare_and_set(changes)
        if any(change.persist == "due" for change in changes):
            self._to_persist.set()

    async def _check_with_records(self, keys: Sequence[UserKey]) -> None:
        """Settles and persists users; those that change meanwhile stay in the queue."""
        now, all_states = await self._bus.read(keys)
        states = [state for state in all_states if state.revision]
        complete = await self._with_records(states)
        settled = [state.settled(now) for state in complete]
        changes = [_change(*stages) for stages in zip(states, complete, settled, strict=True)]
        revisions = await self._bus.compare_and_set(changes)
        current = [
            replace(state, revision=revision)
            for state, revision in zip(settled, revisions, strict=True)
            if revision is not None
        ]
        unsaved = [state for state in current if state.persisted != state.due_persisted]
        if unsaved:
            await self._store.save(unsaved)
        expired = [
            StateChange(state, state, next_check="", persist="done") for state in all_states if not state.revision
        ]
        await self._bus.compare_and_set([*(_saved(state) for state in current), *expired])

    async def _with_records(self, states: Sequence[UserState]) -> list[UserState]:
        records = await self._store.load([state.key for state in states if state.setting is None])
        return [state.with_record(records.get(state.key)) for state in states]


def _change(held: UserState, complete: UserState, settled: UserState) -> StateChange:
    """Returns the change from the state in Redis to the settled one, given the state completed by its record."""
    is_published = settled.published is None or complete.published == settled.published
    event = (
        b""
        if is_published or settled.published is None
        else encoded_event(settled.key, settled.role, settled.published)
    )
    return StateChange(held, settled, event=event)


def _checked(state: UserState, now_ms: int) -> StateChange:
    if not state.revision:
        return StateChange(state, state, next_check="", persist="done")
    if state.setting is None:
        return StateChange(state, state, next_check="", persist="due")
    settled = state.settled(now_ms)
    is_persisted = settled.persisted == settled.due_persisted
    return replace(
        _change(state, state, settled),
        next_check=_next_check(settled),
        persist="keep" if is_persisted else "due",
    )


def _saved(state: UserState) -> StateChange:
    return StateChange(
        state, replace(state, persisted=state.due_persisted), next_check=_next_check(state), persist="done"
    )


def _next_check(settled: UserState) -> NextCheck:
    return settled.grace.until_ms if settled.grace else ""


async def _wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Waits for an event for up to `seconds`; reports whether it happened, and clears it."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
