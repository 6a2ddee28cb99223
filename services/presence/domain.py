"""What presence is: pure rules on a user's sessions, what they chose, and what others may know of it.

Times are Unix times in milliseconds, by the clock of the Redis server alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, NamedTuple

MAX_TEXT_CHARACTERS: Final = 140
_CLIENT: Final = "client"


class Status(IntEnum):
    """How present a user is, by the contract's numbers."""

    ONLINE = 1
    AWAY = 2
    DND = 3
    INVISIBLE = 4
    OFFLINE = 5


CHOICES: Final = frozenset({Status.ONLINE, Status.AWAY, Status.DND, Status.INVISIBLE})
"""What a user may choose."""


class UserKey(NamedTuple):
    """A user, across organizations."""

    organization_id: str
    user_id: str


class Sessions(NamedTuple):
    """How many sessions a user has on all gateways, and how many of them are active rather than idle."""

    open: int = 0
    active: int = 0


NO_SESSIONS: Final = Sessions()


class Grace(NamedTuple):
    """The time after the last session closed in which the user still counts as having it."""

    until_ms: int
    active: bool


class UserSetting(NamedTuple):
    """The status and text that a user chose; of two, the one with the greater version is the later."""

    status: Status = Status.ONLINE
    text: str = ""
    version: int = 0


class Presence(NamedTuple):
    """What someone sees of a user; `last_seen_ms` is only there with OFFLINE, and None for a user never seen."""

    status: Status
    text: str = ""
    last_seen_ms: int | None = None


NEVER_WAS: Final = Presence(Status.OFFLINE)


class PersistedState(NamedTuple):
    """What is stored when a user comes or goes; `seen_ms` only once they have gone."""

    role: str
    present: bool
    seen_ms: int | None


class Record(NamedTuple):
    """What outlives the sessions; `present`: others were told that the user is there, and not yet that they left."""

    role: str = ""
    choice: UserSetting = UserSetting()
    seen_ms: int | None = None
    present: bool = False


def effective_status(sessions: Sessions, chosen: Status) -> Status:
    """A user's status as they see it themselves: a choice counts only while a session is open."""
    if not sessions.open:
        return Status.OFFLINE
    if chosen is not Status.ONLINE:
        return chosen
    return Status.ONLINE if sessions.active else Status.AWAY


def may_know(viewer_id: str, viewer_role: str, subject_id: str, subject_role: str) -> bool:
    """Whether a user may know anything of another's presence: clients are not told of other clients."""
    return viewer_role != _CLIENT or subject_role != _CLIENT or viewer_id == subject_id


@dataclass(frozen=True, slots=True)
class UserState:
    """All that is known of a user at one time.

    Attributes:
        key: who.
        revision: grows with each change; 0 where nothing is held of them but perhaps a record.
        role: as their sessions said last.
        sessions: those open.
        grace: after the last one closed.
        choice: None until the record has been read.
        seen_ms: when they were last active, as others may know it: it stands still while they are invisible.
        shown: what others were told last; None where that isn't known, so that they have to be told.
        footprint: what is stored of their coming and going; None where that isn't known.
    """

    key: UserKey
    revision: int = 0
    role: str = ""
    sessions: Sessions = NO_SESSIONS
    grace: Grace | None = None
    choice: UserSetting | None = None
    seen_ms: int | None = None
    shown: Presence | None = None
    footprint: PersistedState | None = None

    @property
    def chosen(self) -> UserSetting:
        """What the user chose, or what counts until they do."""
        return self.choice or UserSetting()

    @property
    def seen_by_self(self) -> Presence:
        """What the user sees of themselves; of a settled state."""
        sessions = Sessions(1, int(self.grace.active)) if self.grace else self.sessions
        status = effective_status(sessions, self.chosen.status)
        return Presence(status, self.chosen.text, self.seen_ms if status is Status.OFFLINE else None)

    @property
    def seen_by_others(self) -> Presence:
        """What others see of the user; of a settled state."""
        own = self.seen_by_self
        return own._replace(status=Status.OFFLINE, last_seen_ms=self.seen_ms) if own.status is Status.INVISIBLE else own

    @property
    def due_footprint(self) -> PersistedState:
        """What ought to be stored, given what others were told; of a settled state."""
        return _footprint(self.role, self.seen_by_others.status is not Status.OFFLINE, self.seen_ms)

    @property
    def resting(self) -> bool:
        """Whether nothing will change by itself and everything is stored; of a settled state."""
        return not self.sessions.open and self.grace is None and self.footprint == self.due_footprint

    def with_record(self, record: Record | None) -> UserState:
        """Adds what outlived the user's earlier sessions, unless it was added before.

        What has been noted as activity before the record was read doesn't count for someone invisible.
        """
        if self.choice is not None:
            return self
        record = record or Record()
        visible = record.choice.status is not Status.INVISIBLE
        known = replace(
            self,
            role=self.role or record.role,
            choice=record.choice,
            seen_ms=_later(self.seen_ms, record.seen_ms) if visible else record.seen_ms,
            footprint=_footprint(record.role, record.present, record.seen_ms),
        )
        if self.shown is None and not record.present:
            return replace(known, shown=Presence(Status.OFFLINE, record.choice.text, record.seen_ms))
        return known

    def choosing(self, choice: UserSetting, role: str, now_ms: int) -> UserState:
        """The state after the user, now of this role, chose; who goes invisible was last seen now, if active."""
        hides = choice.status is Status.INVISIBLE and self.chosen.status is not Status.INVISIBLE
        seen_ms = _later(self.seen_ms, now_ms) if hides and self.sessions.active else self.seen_ms
        return replace(self, choice=choice, role=role, seen_ms=seen_ms)

    def settled(self, now_ms: int) -> UserState:
        """The state after a look at it: a grace that is over is gone, and others have been told what there is."""
        over = self.grace is not None and (self.grace.until_ms <= now_ms or self.sessions.open > 0)
        settled = replace(self, grace=None) if over else self
        return replace(settled, shown=settled.seen_by_others)


def _footprint(role: str, present: bool, seen_ms: int | None) -> PersistedState:
    return PersistedState(role, present, None if present else seen_ms)


def _later(one: int | None, other: int | None) -> int | None:
    return max((time for time in (one, other) if time is not None), default=None)
