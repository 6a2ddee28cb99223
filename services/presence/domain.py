"""The rules of presence: pure functions of a user's sessions, their chosen status, and what others may see.

Times are Unix times in milliseconds, by the clock of the Redis server alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, NamedTuple

_CLIENT: Final = "client"


class Status(IntEnum):
    """A user's status, with the numbers of the proto."""

    ONLINE = 1
    AWAY = 2
    DND = 3
    INVISIBLE = 4
    OFFLINE = 5


CHOOSABLE_STATUSES: Final = frozenset({Status.ONLINE, Status.AWAY, Status.DND, Status.INVISIBLE})


class UserKey(NamedTuple):
    """A user's key across organizations."""

    organization_id: str
    user_id: str


class Sessions(NamedTuple):
    """The number of a user's sessions on all gateways, and of those that are active rather than idle."""

    open: int = 0
    active: int = 0


NO_SESSIONS: Final = Sessions()


class Grace(NamedTuple):
    """The period after the last session closed in which the user still counts as having it."""

    until_ms: int
    active: bool


class UserSetting(NamedTuple):
    """The status and text that a user chose. Of two settings, the one with the greater version is the later."""

    status: Status = Status.ONLINE
    text: str = ""
    version: int = 0


class Presence(NamedTuple):
    """A user's presence as someone sees it; `last_seen_ms` is set for OFFLINE only, and None if never seen."""

    status: Status
    text: str = ""
    last_seen_ms: int | None = None


NEVER_SEEN: Final = Presence(Status.OFFLINE)


class PersistedState(NamedTuple):
    """The part of a state that is stored when a user comes or goes; `seen_ms` is None while they are present."""

    role: str
    present: bool
    seen_ms: int | None


class Record(NamedTuple):
    """What outlives the sessions; `present`: the user was published as present and not yet as offline."""

    role: str = ""
    setting: UserSetting = UserSetting()
    seen_ms: int | None = None
    present: bool = False


def effective_status(sessions: Sessions, chosen: Status) -> Status:
    """Returns a user's status as they see it themselves: a chosen one applies only while a session is open."""
    if not sessions.open:
        return Status.OFFLINE
    if chosen is not Status.ONLINE:
        return chosen
    return Status.ONLINE if sessions.active else Status.AWAY


def can_see(viewer_id: str, viewer_role: str, subject_id: str, subject_role: str) -> bool:
    """Reports whether a user may see another's presence: clients do not see other clients."""
    return viewer_role != _CLIENT or subject_role != _CLIENT or viewer_id == subject_id


@dataclass(frozen=True, slots=True)
class UserState:
    """A user's state at one time.

    Attributes:
        key: the user.
        revision: grows with each change; 0 if Redis holds nothing of the user.
        role: the role that the user's latest session reported.
        sessions: the open sessions.
        grace: the grace period, if one runs.
        setting: the chosen status; None until the record has been read.
        seen_ms: when the user was last active, as others may know it: it stands still while they are invisible.
        published: the presence published last; None if unknown, so that it has to be published.
        persisted: what MongoDB holds; None if unknown.
    """

    key: UserKey
    revision: int = 0
    role: str = ""
    sessions: Sessions = NO_SESSIONS
    grace: Grace | None = None
    setting: UserSetting | None = None
    seen_ms: int | None = None
    published: Presence | None = None
    persisted: PersistedState | None = None

    @property
    def chosen(self) -> UserSetting:
        """The user's setting, or the default."""
        return self.setting or UserSetting()

    @property
    def seen_by_self(self) -> Presence:
        """The presence that the user sees of themselves; of a settled state."""
        sessions = Sessions(1, int(self.grace.active)) if self.grace else self.sessions
        status = effective_status(sessions, self.chosen.status)
        return Presence(status, self.chosen.text, self.seen_ms if status is Status.OFFLINE else None)

    @property
    def seen_by_others(self) -> Presence:
        """The presence that others see; of a settled state."""
        own = self.seen_by_self
        return own._replace(status=Status.OFFLINE, last_seen_ms=self.seen_ms) if own.status is Status.INVISIBLE else own

    @property
    def due_persisted(self) -> PersistedState:
        """What MongoDB should hold; of a settled state."""
        return _persisted(self.role, self.seen_by_others.status is not Status.OFFLINE, self.seen_ms)

    @property
    def resting(self) -> bool:
        """Whether nothing will change by itself and everything is persisted; of a settled state."""
        return not self.sessions.open and self.grace is None and self.persisted == self.due_persisted

    def with_record(self, record: Record | None) -> UserState:
        """Adds the user's record, unless it was added before.

        Activity noted before the record was read doesn't count for an invisible user.
        """
        if self.setting is not None:
            return self
        record = record or Record()
        visible = record.setting.status is not Status.INVISIBLE
        complete = replace(
            self,
            role=self.role or record.role,
            setting=record.setting,
            seen_ms=_later(self.seen_ms, record.seen_ms) if visible else record.seen_ms,
            persisted=_persisted(record.role, record.present, record.seen_ms),
        )
        if self.published is None and not record.present:
            return replace(complete, published=Presence(Status.OFFLINE, record.setting.text, record.seen_ms))
        return complete

    def with_setting(self, setting: UserSetting, role: str, now_ms: int) -> UserState:
        """Returns the state after the user, now of this role, chose a setting.

        An active user who becomes invisible was last seen at `now_ms`.
        """
        hides = setting.status is Status.INVISIBLE and self.chosen.status is not Status.INVISIBLE
        seen_ms = _later(self.seen_ms, now_ms) if hides and self.sessions.active else self.seen_ms
        return replace(self, setting=setting, role=role, seen_ms=seen_ms)

    def settled(self, now_ms: int) -> UserState:
        """Returns the state as of `now_ms`: without a grace period that is over, and with its presence published."""
        over = self.grace is not None and (self.grace.until_ms <= now_ms or self.sessions.open > 0)
        settled = replace(self, grace=None) if over else self
        return replace(settled, published=settled.seen_by_others)


def _persisted(role: str, present: bool, seen_ms: int | None) -> PersistedState:
    return PersistedState(role, present, None if present else seen_ms)


def _later(a: int | None, b: int | None) -> int | None:
    return max((time for time in (a, b) if time is not None), default=None)
