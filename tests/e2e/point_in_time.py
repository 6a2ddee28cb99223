"""Restricts a history to what had happened at the time of a backup, which a restored store must hold.

At that time each conversation had a last rev. Changes acknowledged with that rev or an earlier one had happened; those
acknowledged with a later rev count as failed.
"""

from __future__ import annotations

from tests.faults.history import History


def as_of(history: History, restored: History) -> History:
    """Adds to `restored` the acknowledgements of `history` that the restored store must hold; returns `restored`.

    Read marks have no rev, so only their upper bounds are checked.
    """
    revs = {number: stored.revs[-1] for number, stored in restored.stored.items()}

    def included(conversation: int, rev: int) -> bool:
        return rev <= revs.get(conversation, 0)

    for send in history.sends.values():
        send.acknowledgements = [a for a in send.acknowledgements if included(send.conversation, a.rev)]
        send.given_up = send.given_up or not send.acknowledgements
    restored.sends = history.sends
    restored.revisions = [r for r in history.revisions if included(r.conversation, r.rev)]
    restored.member_changes = [c for c in history.member_changes if included(c.conversation, c.rev)]
    restored.read_attempts = history.read_attempts
    restored.problems = history.problems
    return restored


def acknowledged_revs(history: History) -> dict[int, int]:
    """Returns the latest acknowledged rev of each conversation."""
    revs: dict[int, int] = {}
    for send in history.sends.values():
        for acknowledgement in send.acknowledgements:
            revs[send.conversation] = max(revs.get(send.conversation, 0), acknowledgement.rev)
    for revision in history.revisions:
        revs[revision.conversation] = max(revs.get(revision.conversation, 0), revision.rev)
    return revs
