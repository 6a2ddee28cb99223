"""Encodes a user's state as the fields of a Redis hash.

A field's parts are separated by slashes; only the last part may contain one. The names "choice", "shown" and
"footprint" are older than the attributes' names; replicas of both versions share the hashes during an upgrade.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.presence.domain import Grace, PersistedState, Presence, Sessions, Status, UserKey, UserSetting, UserState

_ACTIVE: Final = "a"
_IDLE: Final = "i"
_PRESENT: Final = "1"
_ABSENT: Final = "0"


def member_of(key: UserKey) -> str:
    """Returns a user's name in queues and sessions. Ids contain no slash."""
    return f"{key.organization_id}/{key.user_id}"


def key_of(member: str) -> UserKey:
    """Parses a user's name."""
    organization_id, _, user_id = member.partition("/")
    return UserKey(organization_id, user_id)


def session_field(key: UserKey, session_id: str) -> str:
    """Returns a session's name in its gateway's hash."""
    return f"{member_of(key)}/{session_id}"


def session_of(field: str) -> tuple[UserKey, str]:
    """Parses a session's name."""
    organization_id, user_id, session_id = field.split("/", 2)
    return UserKey(organization_id, user_id), session_id


def fields_of(state: UserState) -> dict[str, str]:
    """Returns the fields of a state, without the revision, which the scripts set."""
    return {
        "role": state.role,
        "open": str(state.sessions.open),
        "active": str(state.sessions.active),
        "grace": f"{state.grace.until_ms}/{_ACTIVE if state.grace.active else _IDLE}" if state.grace else "",
        "choice": f"{int(state.setting.status)}/{state.setting.version}/{state.setting.text}" if state.setting else "",
        "seen": _time_text(state.seen_ms),
        "shown": presence_text(state.published) if state.published else "",
        "footprint": _persisted_text(state.persisted) if state.persisted else "",
    }


def state_of(key: UserKey, fields: Mapping[str, str]) -> UserState:
    """Parses a state; no fields give the state of a user that Redis knows nothing of."""
    return UserState(
        key=key,
        revision=int(fields.get("rev") or 0),
        role=fields.get("role", ""),
        sessions=Sessions(int(fields.get("open") or 0), int(fields.get("active") or 0)),
        grace=_grace(fields.get("grace", "")),
        setting=_setting(fields.get("choice", "")),
        seen_ms=_time(fields.get("seen", "")),
        published=presence_of(fields.get("shown", "")),
        persisted=_persisted(fields.get("footprint", "")),
    )


def presence_text(presence: Presence) -> str:
    """Encodes a published presence."""
    return f"{int(presence.status)}/{_time_text(presence.last_seen_ms)}/{presence.text}"


def presence_of(text: str) -> Presence | None:
    """Parses a published presence; None for an empty text."""
    if not text:
        return None
    status, seen, status_text = text.split("/", 2)
    return Presence(Status(int(status)), status_text, _time(seen))


def _grace(text: str) -> Grace | None:
    until, _, kind = text.partition("/")
    return Grace(int(until), kind == _ACTIVE) if text else None


def _setting(text: str) -> UserSetting | None:
    if not text:
        return None
    status, version, status_text = text.split("/", 2)
    return UserSetting(Status(int(status)), status_text, int(version))


def _persisted_text(persisted: PersistedState) -> str:
    return f"{_PRESENT if persisted.present else _ABSENT}/{_time_text(persisted.seen_ms)}/{persisted.role}"


def _persisted(text: str) -> PersistedState | None:
    if not text:
        return None
    present, seen, role = text.split("/", 2)
    return PersistedState(role, present == _PRESENT, _time(seen))


def _time_text(time_ms: int | None) -> str:
    return "" if time_ms is None else str(time_ms)


def _time(text: str) -> int | None:
    return int(text) if text else None
