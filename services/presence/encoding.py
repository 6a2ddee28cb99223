"""The fields of a user's state as Redis holds them: texts of their parts, of which only the last may hold a slash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.presence.domain import Grace, PersistedState, Presence, Sessions, Status, UserKey, UserSetting, UserState

_ACTIVE: Final = "a"
_IDLE: Final = "i"
_PRESENT: Final = "1"
_ABSENT: Final = "0"


def member_of(key: UserKey) -> str:
    """A user's name in agendas and in sessions; ids hold no slash."""
    return f"{key.organization_id}/{key.user_id}"


def key_of(member: str) -> UserKey:
    """Reads a user's name back."""
    organization_id, _, user_id = member.partition("/")
    return UserKey(organization_id, user_id)


def session_field(key: UserKey, session_id: str) -> str:
    """A session's name among those of its gateway."""
    return f"{member_of(key)}/{session_id}"


def session_of(field: str) -> tuple[UserKey, str]:
    """Reads a session's name back."""
    organization_id, user_id, session_id = field.split("/", 2)
    return UserKey(organization_id, user_id), session_id


def fields_of(state: UserState) -> dict[str, str]:
    """All fields of a state but for its revision, which the scripts set."""
    return {
        "role": state.role,
        "open": str(state.sessions.open),
        "active": str(state.sessions.active),
        "grace": f"{state.grace.until_ms}/{_ACTIVE if state.grace.active else _IDLE}" if state.grace else "",
        "choice": f"{int(state.choice.status)}/{state.choice.version}/{state.choice.text}" if state.choice else "",
        "seen": _time_text(state.seen_ms),
        "shown": presence_text(state.shown) if state.shown else "",
        "footprint": _footprint_text(state.footprint) if state.footprint else "",
    }


def state_of(key: UserKey, fields: Mapping[str, str]) -> UserState:
    """Reads a state; without fields, that of a user of whom nothing is held."""
    return UserState(
        key=key,
        revision=int(fields.get("rev") or 0),
        role=fields.get("role", ""),
        sessions=Sessions(int(fields.get("open") or 0), int(fields.get("active") or 0)),
        grace=_grace(fields.get("grace", "")),
        choice=_choice(fields.get("choice", "")),
        seen_ms=_time(fields.get("seen", "")),
        shown=presence_of(fields.get("shown", "")),
        footprint=_footprint(fields.get("footprint", "")),
    )


def presence_text(presence: Presence) -> str:
    """Writes what others were told."""
    return f"{int(presence.status)}/{_time_text(presence.last_seen_ms)}/{presence.text}"


def presence_of(text: str) -> Presence | None:
    """Reads what others were told; None for an empty text."""
    if not text:
        return None
    status, seen, words = text.split("/", 2)
    return Presence(Status(int(status)), words, _time(seen))


def _grace(text: str) -> Grace | None:
    until, _, kind = text.partition("/")
    return Grace(int(until), kind == _ACTIVE) if text else None


def _choice(text: str) -> UserSetting | None:
    if not text:
        return None
    status, version, words = text.split("/", 2)
    return UserSetting(Status(int(status)), words, int(version))


def _footprint_text(footprint: PersistedState) -> str:
    return f"{_PRESENT if footprint.present else _ABSENT}/{_time_text(footprint.seen_ms)}/{footprint.role}"


def _footprint(text: str) -> PersistedState | None:
    if not text:
        return None
    present, seen, role = text.split("/", 2)
    return PersistedState(role, present == _PRESENT, _time(seen))


def _time_text(time_ms: int | None) -> str:
    return "" if time_ms is None else str(time_ms)


def _time(text: str) -> int | None:
    return int(text) if text else None
