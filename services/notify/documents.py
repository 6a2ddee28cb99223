"""The documents of notifications in MongoDB, and the updates that join a stored state with a change.

The updates are aggregation pipelines equivalent to `domain.State.join`: MongoDB compares documents field by field in
order, as Python compares tuples. Users' text is passed as $literal: a text such as "$seq" would else name a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from bson.datetime_ms import DatetimeMS

from chassis.mongo.request_ids import set_once
from services.notify.domain import Latest, Notification, NotificationType, Owner, State, Text

Document = Mapping[str, Any]
Pipeline = list[dict[str, Any]]

_NUMBERS: Final = ("last_seq", "last_rev", "read_seq", "hidden_seq", "removed_rev")

# The fields that queries and the retention use. The database computes them from the state that the same write leaves.
_LISTED: Final[dict[str, Any]] = {
    "$and": [
        {"$gt": [{"$ifNull": ["$last_seq", 0]}, {"$ifNull": ["$hidden_seq", 0]}]},
        {"$gt": [{"$ifNull": ["$last_rev", 0]}, {"$ifNull": ["$removed_rev", 0]}]},
    ]
}
# first_seq is never above last_seq, so comparing with read_seq is enough.
_UNREAD: Final[dict[str, Any]] = {"$and": ["$listed", {"$gt": ["$last_seq", {"$ifNull": ["$read_seq", 0]}]}]}


def derived(expire_at: datetime) -> Pipeline:
    """Returns the stages that follow any change of a state; a notification that isn't unread expires at `expire_at`."""
    return [
        {"$set": {"listed": _LISTED}},
        {"$set": {"unread": _UNREAD}},
        {"$set": {"expire_at": {"$cond": ["$unread", "$$REMOVE", expire_at]}}},
    ]


def join(change: Notification, expire_at: datetime) -> Pipeline:
    """Returns the upsert that joins a change with the stored state, if there is one."""
    state = change.state
    changes: dict[str, Any] = {name: {"$literal": value} for name, value in identity(change).items()}
    changes |= {name: {"$max": [f"${name}", number]} for name in _NUMBERS if (number := getattr(state, name))}
    if state.first_seq is not None:
        changes["first_seq"] = {"$min": ["$first_seq", state.first_seq]}
    if state.latest is not None:
        changes["latest"] = {"$max": ["$latest", {"$literal": _from_latest(state.latest)}]}
    if state.text is not None:
        changes["text"] = {"$max": ["$text", {"$literal": state.text._asdict()}]}
    return [{"$set": changes}, *derived(expire_at)]


def advance_marks(fields: tuple[str, ...], expire_at: datetime, digest: bytes | None = None) -> Pipeline:
    """Returns the update that advances marks of the user, such as read_seq, to the latest stored source event.

    With a digest of a request id, a repeat leaves the marks as they are.
    """
    marks = {name: {"$max": [f"${name}", "$last_seq"]} for name in fields}
    return [set_once(digest, marks), *derived(expire_at)]


def advance_read_seq(seq: int, expire_at: datetime) -> Pipeline:
    """Returns the update that advances read_seq to at least `seq`."""
    return [{"$set": {"read_seq": {"$max": ["$read_seq", seq]}}}, *derived(expire_at)]


def replace_text(rev: int, body: str) -> Pipeline:
    """Returns the update that replaces the text of a notification of one source event, unless it has a later rev."""
    return [{"$set": {"text": {"$max": ["$text", {"$literal": Text(1, rev, body)._asdict()}]}}}]


def identity(notification: Notification) -> dict[str, Any]:
    """Returns the fields that never change for an id."""
    fields: dict[str, Any] = {
        "organization_id": notification.owner.organization_id,
        "user_id": notification.owner.user_id,
        "type": int(notification.type),
    }
    if notification.subject:
        fields["subject"] = notification.subject
    return fields


def content(state: State) -> dict[str, Any]:
    """Returns a new notification's fields other than its identity."""
    fields: dict[str, Any] = {name: number for name in _NUMBERS if (number := getattr(state, name))}
    fields |= {"first_seq": state.first_seq, "listed": state.listed, "unread": state.unread}
    if state.latest is not None:
        fields["latest"] = _from_latest(state.latest)
    if state.text is not None:
        fields["text"] = state.text._asdict()
    return fields


def _from_latest(latest: Latest) -> dict[str, Any]:
    return {
        "seq": latest.seq,
        "time": DatetimeMS(latest.time_ms),
        "title": latest.title,
        "data": latest.data,
    }


def to_notification(document: Document) -> Notification:
    """Reads a stored notification."""
    return Notification(
        document["_id"],
        Owner(document["organization_id"], document["user_id"]),
        NotificationType(document["type"]),
        _to_state(document),
        document.get("subject", ""),
    )


def _to_state(document: Document) -> State:
    latest, text = document.get("latest"), document.get("text")
    return State(
        first_seq=document.get("first_seq"),
        latest=Latest(latest["seq"], int(latest["time"]), latest["title"], latest["data"]) if latest else None,
        text=Text(text["seq"], text["rev"], text["body"]) if text else None,
        **{name: document.get(name, 0) for name in _NUMBERS},
    )
