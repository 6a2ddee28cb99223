"""Checks of what people are told beside messages: unread counts, notifications, presence, and errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.faults.check_views import joined_seq
from tests.faults.history import History, UserKey
from tests.faults.violations import Violation

# What a client may meet while things break (docs/protocol.md): errors that may pass, and refusals that were earned.
PASSING_CODES: Final = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"})
EARNED_REFUSALS: Final = frozenset(
    {
        ("PERMISSION_DENIED", "NOT_A_MEMBER"),
        ("NOT_FOUND", "CONVERSATION_NOT_FOUND"),
        ("NOT_FOUND", "MEMBER_NOT_FOUND"),
        ("FAILED_PRECONDITION", "MESSAGE_DELETED"),
    }
)
DOCUMENTED_CLOSES: Final = frozenset({1000, 1001, 1006, 1012, 4401, 4408, 4429})
PASSING_STATUSES: Final = frozenset({429, 502, 503, 504})


def unread_counts_are_right(history: History) -> Iterator[Violation]:
    """An unread count is what a recount gives, and a mark that was acknowledged is kept, and nobody else's is there."""
    sent = _own_seqs(history)
    for (conversation, user), reading in history.readings.items():
        where = f"{history.conversations.name(conversation)} for {user.user_id}"
        stored = history.stored[conversation]
        recount = sum(1 for entry in stored.messages.messages() if entry.seq > reading.read_seq)
        if reading.unread != recount:
            yield Violation("unread count is wrong", f"{where}: {reading.unread}, a recount gives {recount}")
        known = max(joined_seq(stored, user.user_id), sent.get((conversation, user), 0))
        least = max(known, history.reads.get((conversation, user), 0))
        most = max(known, history.read_attempts.get((conversation, user), 0))
        if not least <= reading.read_seq <= most:
            yield Violation("read mark is wrong", f"{where}: {reading.read_seq}, and not between {least} and {most}")


def _own_seqs(history: History) -> dict[tuple[int, UserKey], int]:
    """The seq of each sender's latest message, for whoever sends has read up to it."""
    latest: dict[tuple[int, UserKey], int] = {}
    for conversation, stored in history.stored.items():
        for entry, (sender, _) in zip(stored.messages.messages(), stored.posted, strict=True):
            latest[conversation, UserKey(stored.organization_id, sender)] = entry.seq
    return latest


def everybody_is_notified(history: History) -> Iterator[Violation]:
    """Whoever has unread messages has a notification that counts them; whoever has none has none."""
    for (conversation, user), reading in history.readings.items():
        where = f"{history.conversations.name(conversation)} for {user.user_id}"
        notification = history.notifications.get(user, {}).get(conversation)
        counted = 0 if notification is None or notification.read else notification.things
        if reading.unread and not counted:
            yield Violation("notification is missing", f"{where}: {reading.unread} unread")
        elif counted != reading.unread:
            yield Violation("notification counts wrong", f"{where}: {counted}, and {reading.unread} are unread")


def presence_is_true(history: History) -> Iterator[Violation]:
    """What is told of somebody's presence has become the truth."""
    for sample in history.presences:
        if sample.status != sample.expected:
            detail = f"{sample.user_id} is {sample.expected}, {sample.observer.user_id} is told {sample.status}"
            yield Violation("presence is wrong", f"{sample.observer.organization_id}: {detail}")


def errors_are_documented(history: History) -> Iterator[Violation]:
    """Clients met only errors, close codes and statuses that the protocol names for such times."""
    problems = history.problems
    for (op, code, reason), times in problems.errors.items():
        if code not in PASSING_CODES and (code, reason) not in EARNED_REFUSALS:
            yield Violation("error is not documented", f"{op}: {code} {reason}, {times} times")
    for close, times in problems.closes.items():
        if close not in DOCUMENTED_CLOSES:
            yield Violation("close code is not documented", f"{close}: {times} times")
    for status, times in problems.refused_upgrades.items():
        if status not in PASSING_STATUSES:
            yield Violation("upgrade was refused", f"HTTP status {status}: {times} times")
    for failure, times in problems.failures.items():
        yield Violation("client failed", f"{failure}: {times} times")
