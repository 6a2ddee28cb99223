"""Checks of unread counts, notifications, presence, and errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.faults.check_views import joined_seq
from tests.faults.history import History, UserKey
from tests.faults.violations import Violation

# What clients may get during faults (docs/protocol.md): transient errors, and correct refusals.
TRANSIENT_CODES: Final = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"})
CORRECT_REFUSALS: Final = frozenset(
    {
        ("PERMISSION_DENIED", "NOT_A_MEMBER"),
        ("NOT_FOUND", "CONVERSATION_NOT_FOUND"),
        ("NOT_FOUND", "MEMBER_NOT_FOUND"),
        ("FAILED_PRECONDITION", "MESSAGE_DELETED"),
    }
)
DOCUMENTED_CLOSES: Final = frozenset({1000, 1001, 1006, 1012, 4401, 4408, 4429})
TRANSIENT_STATUSES: Final = frozenset({429, 502, 503, 504})


def unread_counts_are_right(history: History) -> Iterator[Violation]:
    """Each unread count equals a recount, and each read mark is between the acknowledged and the attempted ones."""
    sent = _own_seqs(history)
    for (conversation, user), reading in history.readings.items():
        where = f"{history.conversations.name(conversation)} for {user.user_id}"
        stored = history.stored[conversation]
        recount = sum(1 for entry in stored.messages.messages() if entry.seq > reading.read_seq)
        if reading.unread != recount:
            yield Violation("unread count is wrong", f"{where}: {reading.unread}, a recount gives {recount}")
        implied = max(joined_seq(stored, user.user_id), sent.get((conversation, user), 0))
        least = max(implied, history.reads.get((conversation, user), 0))
        most = max(implied, history.read_attempts.get((conversation, user), 0))
        if not least <= reading.read_seq <= most:
            yield Violation("read mark is wrong", f"{where}: {reading.read_seq}, and not between {least} and {most}")


def _own_seqs(history: History) -> dict[tuple[int, UserKey], int]:
    """Returns the seq of each sender's latest message: senders have read up to it."""
    latest: dict[tuple[int, UserKey], int] = {}
    for conversation, stored in history.stored.items():
        for entry, (sender, _) in zip(stored.messages.messages(), stored.posted, strict=True):
            latest[conversation, UserKey(stored.organization_id, sender)] = entry.seq
    return latest


def notifications_are_right(history: History) -> Iterator[Violation]:
    """Each user's notification of a conversation counts their unread messages."""
    for (conversation, user), reading in history.readings.items():
        where = f"{history.conversations.name(conversation)} for {user.user_id}"
        notification = history.notifications.get(user, {}).get(conversation)
        notified = 0 if notification is None or notification.read else notification.messages
        if reading.unread and not notified:
            yield Violation("notification is missing", f"{where}: {reading.unread} unread")
        elif notified != reading.unread:
            yield Violation("notification counts wrong", f"{where}: {notified}, but {reading.unread} are unread")


def presence_is_true(history: History) -> Iterator[Violation]:
    """Each sampled presence is right."""
    for sample in history.presences:
        if sample.status != sample.expected:
            detail = f"{sample.user_id} is {sample.expected}, {sample.observer.user_id} sees {sample.status}"
            yield Violation("presence is wrong", f"{sample.observer.organization_id}: {detail}")


def errors_are_documented(history: History) -> Iterator[Violation]:
    """Clients got only errors, close codes and statuses that the protocol documents for outages."""
    problems = history.problems
    for (op, code, reason), times in problems.errors.items():
        if code not in TRANSIENT_CODES and (code, reason) not in CORRECT_REFUSALS:
            yield Violation("error is not documented", f"{op}: {code} {reason}, {times} times")
    for close, times in problems.closes.items():
        if close not in DOCUMENTED_CLOSES:
            yield Violation("close code is not documented", f"{close}: {times} times")
    for status, times in problems.refused_upgrades.items():
        if status not in TRANSIENT_STATUSES:
            yield Violation("upgrade was refused", f"HTTP status {status}: {times} times")
    for failure, times in problems.failures.items():
        yield Violation("client failed", f"{failure}: {times} times")
