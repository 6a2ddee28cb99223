"""The use cases of users: read others' presence, and set one's own status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chassis.errors import AbortedError
from chassis.identity import Identity
from services.presence.bus import PresenceBus, StateChange
from services.presence.domain import NEVER_SEEN, Presence, Status, UserKey, UserState, can_see
from services.presence.publisher import Publisher
from services.presence.store import PresenceStore

_ATTEMPTS: Final = 10


class Presences:
    """Reads presence and sets statuses.

    Args:
        bus: holds the states.
        store: stores settings.
        publisher: observes users, and is woken when a status changes.
    """

    def __init__(self, bus: PresenceBus, store: PresenceStore, publisher: Publisher) -> None:
        self._bus = bus
        self._store = store
        self._publisher = publisher

    async def get(self, viewer: Identity, user_ids: Sequence[str]) -> list[Presence]:
        """Returns the presence of users of the viewer's organization as the viewer may see it, in order."""
        keys = [UserKey(viewer.organization_id, user_id) for user_id in dict.fromkeys(user_ids)]
        states = {state.key.user_id: state for state in await self._publisher.observe(keys)} if keys else {}
        return [_seen_by(viewer, states[user_id]) for user_id in user_ids]

    async def set_status(self, user: Identity, status: Status, text: str | None, request_id: str = "") -> Presence:
        """Sets a user's status, and the text unless it is None. Both stay until they are set again.

        The setting is stored before it takes effect, so a setting that took effect is never lost. A repeat of a request
        id sets nothing; if the first attempt stored the setting and failed, the repeat makes it take effect.

        Returns:
            The user's presence as they see it now.

        Raises:
            AbortedError: STATUS_CONTENDED.
            UnavailableError: STORE_UNAVAILABLE; the status may have been set.
        """
        key = UserKey(user.organization_id, user.user_id)
        before, record = await self._store.set_status(key, user.role, status, text, request_id)
        for _ in range(_ATTEMPTS):
            now, [held] = await self._bus.read([key])
            current = held.with_record(before)
            if current.chosen.version >= record.setting.version:
                return current.settled(now).seen_by_self  # a later setting is in effect
            changed = current.with_setting(record.setting, record.role, now)
            [revision] = await self._bus.compare_and_set([StateChange(held, changed, next_check=now)])
            if revision is not None:
                self._publisher.wake()
                return changed.settled(now).seen_by_self
        raise AbortedError(
            "STATUS_CONTENDED", "too many concurrent changes of the status; try again", retry_after_ms=100
        )


def _seen_by(viewer: Identity, subject: UserState) -> Presence:
    if subject.key.user_id == viewer.user_id:
        return subject.seen_by_self
    if not can_see(viewer.user_id, viewer.role, subject.key.user_id, subject.role):
        return NEVER_SEEN
    return subject.seen_by_others
