"""What was observed, as far as it had happened at the moment of a backup: what a restored store must hold.

A store is of a moment at which each conversation had a last rev. Whatever was acknowledged with that rev or one before
had happened; what was acknowledged with a later one is as if it had been tried in vain.
"""

from __future__ import annotations

from tests.faults.history import History


def as_of(history: History, restored: History) -> History:
    """The acknowledgements of `history` that the store read by `restored` must hold, beside what `restored` has read.

    Marks have no rev: those that were acknowledged are bounded from above alone.
    """
    revs = {number: stored.revs[-1] for number, stored in restored.stored.items()}

    def had_happened(conversation: int, rev: int) -> bool:
        return rev <= revs.get(conversation, 0)

    for send in history.sends.values():
        send.acknowledgements = [a for a in send.acknowledgements if had_happened(send.conversation, a.rev)]
        send.given_up = send.given_up or not send.acknowledgements
    restored.sends = history.sends
    restored.revisions = [r for r in history.revisions if had_happened(r.conversation, r.rev)]
    restored.member_changes = [c for c in history.member_changes if had_happened(c.conversation, c.rev)]
    restored.read_attempts = history.read_attempts
    restored.problems = history.problems
    return restored


def acknowledged_revs(history: History) -> dict[int, int]:
    """By conversation, the latest rev that anybody was told of so far."""
    revs: dict[int, int] = {}
    for send in history.sends.values():
        for acknowledgement in send.acknowledgements:
            revs[send.conversation] = max(revs.get(send.conversation, 0), acknowledgement.rev)
    for revision in history.revisions:
        revs[revision.conversation] = max(revs.get(revision.conversation, 0), revision.rev)
    return revs
