"""Checks of the store: every acknowledged change is stored, once, in a gapless order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.faults.history import Acknowledgement, Entry, History, Send, Stored
from tests.faults.violations import Violation


def acknowledged_is_stored(history: History) -> Iterator[Violation]:
    """Every acknowledged message is stored with its acknowledged id, seq and time; repeats got the same answer."""
    entries = {c: {e.message: e for e in stored.messages.messages()} for c, stored in history.stored.items()}
    for client_message_id, send in history.sends.items():
        if not send.acknowledgements:
            if not send.given_up:
                yield Violation("never acknowledged", f"{client_message_id} after {send.attempts} attempts")
            continue
        answers = {(a.message, a.seq, a.create_ms) for a in send.acknowledgements}
        if len(answers) > 1:
            yield Violation("acknowledged differently", f"{client_message_id}: (message, seq, time) {sorted(answers)}")
        first = send.acknowledgements[0]
        entry = entries.get(send.conversation, {}).get(first.message)
        if entry is None:
            where = f"{history.messages.name(first.message)}, seq {first.seq}"
            yield Violation("acknowledged and lost", f"{client_message_id}: {where}")
        else:
            yield from _as_acknowledged(client_message_id, send, first, entry)


def _as_acknowledged(
    client_message_id: str, send: Send, acknowledged: Acknowledgement, entry: Entry
) -> Iterator[Violation]:
    expected, actual = (acknowledged.seq, acknowledged.create_ms), (entry.seq, entry.create_ms)
    if actual != expected:
        detail = f"{client_message_id}: acknowledged {expected}, stored {actual}"
        yield Violation("stored message differs from the acknowledged one", detail)
    if entry.rev == entry.sent_rev and entry.digest != send.digest:
        yield Violation("stored with another text", f"{client_message_id}: seq {entry.seq}")


def posted_once(history: History) -> Iterator[Violation]:
    """Each clientMessageId is stored at most once, and every stored message was sent."""
    for conversation, stored in history.stored.items():
        name = history.conversations.name(conversation)
        for (sender, client_message_id), times in Counter(stored.posted).items():
            if times > 1:
                yield Violation("posted twice", f"{client_message_id} of {sender} in {name}: {times} times")
            send = history.sends.get(client_message_id)
            if send is None or (send.conversation, send.sender.user_id) != (conversation, sender):
                yield Violation("never sent", f"{client_message_id} of {sender} in {name}")


def gapless(history: History) -> Iterator[Violation]:
    """In each conversation seqs and revs are 1, 2, 3, ..., and times do not decrease with seq."""
    for conversation, stored in history.stored.items():
        name = history.conversations.name(conversation)
        messages = list(stored.messages.messages())
        yield from _consecutive("seq", name, [entry.seq for entry in messages])
        yield from _consecutive("rev", name, stored.revs)
        for before, after in pairwise(messages):
            if after.create_ms < before.create_ms or after.sent_rev <= before.sent_rev:
                yield Violation("time or rev decreases", f"{name}: seq {before.seq} to {after.seq}")


def _consecutive(what: str, name: str, numbers: list[int]) -> Iterator[Violation]:
    for expected, number in enumerate(numbers, start=1):
        if number != expected:
            yield Violation(f"{what} has a gap or a duplicate", f"{name}: {number} instead of {expected}")
            return


def revisions_are_stored(history: History) -> Iterator[Violation]:
    """Acknowledged edits and deletions are stored, unless a later one replaced them."""
    entries = {c: {e.message: e for e in stored.messages.messages()} for c, stored in history.stored.items()}
    for ack in history.revisions:
        entry = entries.get(ack.conversation, {}).get(ack.message)
        where = f"{history.conversations.name(ack.conversation)}: {history.messages.name(ack.message)} rev {ack.rev}"
        if entry is None or entry.rev < ack.rev:
            yield Violation("acknowledged change is lost", where)
        elif entry.rev == ack.rev and (entry.digest, bool(entry.deleted)) != (
            ack.digest,
            ack.deleted,
        ):
            yield Violation("stored change differs from the acknowledged one", where)
        elif ack.deleted and not entry.deleted:
            yield Violation("deleted message was restored", where)


def member_changes_are_stored(history: History) -> Iterator[Violation]:
    """Acknowledged additions and removals are in the log, and the members are those of the log."""
    for ack in history.member_changes:
        stored = history.stored.get(ack.conversation)
        changes = stored.changes if stored else []
        if not any(ack.user_id in (c.added if ack.added else c.removed) for c in changes if c.rev <= ack.rev):
            verb = "adding" if ack.added else "removing"
            name = history.conversations.name(ack.conversation)
            yield Violation("acknowledged change of members is lost", f"{name}: {verb} {ack.user_id}, rev {ack.rev}")
    for conversation, stored in history.stored.items():
        if members_of(stored) != set(stored.read_seqs):
            name = history.conversations.name(conversation)
            detail = f"{name}: {sorted(members_of(stored) ^ set(stored.read_seqs))}"
            yield Violation("members differ from the log", detail)


def members_of(stored: Stored) -> set[str]:
    """Returns the members of a conversation according to its log."""
    members: set[str] = set()
    for change in stored.changes:
        members = (members - change.removed) | change.added
    return members
