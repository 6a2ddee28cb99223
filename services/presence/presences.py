"""What users ask and say of presence: who is there, and what they are to others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chassis.errors import AbortedError
from chassis.identity import Identity
from services.presence.bus import PresenceBus, Settlement
from services.presence.domain import NEVER_WAS, Presence, Status, UserKey, UserState, may_know
from services.presence.publisher import Publisher
from services.presence.store import PresenceStore

_ATTEMPTS: Final = 10


class Presences:
    """Answers and takes in what users ask and say.

    Args:
        bus: where the states are.
        store: where choices are kept.
        publisher: observes users, and is woken when one chose.
    """

    def __init__(self, bus: PresenceBus, store: PresenceStore, publisher: Publisher) -> None:
        self._bus = bus
        self._store = store
        self._publisher = publisher

    async def get(self, viewer: Identity, user_ids: Sequence[str]) -> list[Presence]:
        """The presence of users of the viewer's organization as the viewer may see it, in the order asked for."""
        keys = [UserKey(viewer.organization_id, user_id) for user_id in dict.fromkeys(user_ids)]
        states = {state.key.user_id: state for state in await self._publisher.observe(keys)} if keys else {}
        return [_seen_by(viewer, states[user_id]) for user_id in user_ids]

    async def choose(self, user: Identity, status: Status, text: str | None) -> Presence:
        """Sets a user's status, and the text unless it is None; it stays until set again.

        Stored before it takes effect, so that what took effect is not lost.

        Returns:
            The user's presence as they see it.

        Raises:
            AbortedError: STATUS_CONTENDED.
            UnavailableError: STORE_UNAVAILABLE; it may have been set.
        """
        key = UserKey(user.organization_id, user.user_id)
        before, record = await self._store.choose(key, user.role, status, text)
        for _ in range(_ATTEMPTS):
            now, [held] = await self._bus.read([key])
            known = held.with_record(before)
            if known.chosen.version >= record.choice.version:
                return known.settled(now).seen_by_self  # a later choice is in effect
            chosen = known.choosing(record.choice, record.role, now)
            [revision] = await self._bus.settle([Settlement(held, chosen, look=now)])
            if revision is not None:
                self._publisher.wake()
                return chosen.settled(now).seen_by_self
        raise AbortedError("STATUS_CONTENDED", "the status changed too often at once; set it again", retry_after_ms=100)


def _seen_by(viewer: Identity, subject: UserState) -> Presence:
    if subject.key.user_id == viewer.user_id:
        return subject.seen_by_self
    if not may_know(viewer.user_id, viewer.role, subject.key.user_id, subject.role):
        return NEVER_WAS
    return subject.seen_by_others
