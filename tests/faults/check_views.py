"""Checks of clients' views: complete, consistent, in one order, and without others' data."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from tests.faults.check_store import members_of
from tests.faults.history import History, Kind, Reading, State, States, Stored, View
from tests.faults.violations import Violation


def readers_get_the_store(history: History) -> Iterator[Violation]:
    """A fresh reader gets what is stored, through sync and through history, with the right head and members."""
    truths: dict[int, list[tuple[int, ...]]] = {}
    for conversation, stored in history.stored.items():
        truths[conversation] = [(e.message, e.seq, e.rev, e.digest, e.create_ms) for e in stored.messages.messages()]
    for (conversation, user), reading in history.readings.items():
        where = f"{history.conversations.name(conversation)} for {user.user_id}"
        stored, truth = history.stored[conversation], truths[conversation]
        for method, messages in (("sync", reading.synced), ("history", reading.listed)):
            if list(messages) != truth:
                yield Violation(
                    f"{method} differs from the store", f"{where}: {_first_difference(truth, list(messages))}"
                )
        head = (len(truth), stored.revs[-1] if stored.revs else 0)
        if (reading.seq, reading.rev) != head:
            yield Violation("head differs from the log", f"{where}: {reading.seq, reading.rev}, the log has {head}")
        if reading.members != members_of(stored):
            yield Violation("members differ for a reader", f"{where}: {sorted(reading.members ^ members_of(stored))}")
    for conversation, stored in history.stored.items():
        for user_id in members_of(stored):
            if not any(key[1].user_id == user_id for key in history.readings if key[0] == conversation):
                yield Violation("not listed", f"{history.conversations.name(conversation)} for {user_id}")


def _first_difference(truth: list[tuple[int, ...]], messages: list[tuple[int, ...]]) -> str:
    pairs = zip(truth, messages, strict=False)
    at = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(truth), len(messages)))
    sizes = f"{len(truth)} and {len(messages)} messages"
    return f"{sizes}; (message, seq, rev, digest, time) {truth[at : at + 1]} and {messages[at : at + 1]}"


def views_are_complete(history: History) -> Iterator[Violation]:
    """A client connected at the end holds what a fresh reader gets, from its start or its user's last joining on."""
    for view in history.views:
        if not view.stayed:
            continue
        for (conversation, user), reading in history.readings.items():
            if user == view.user:
                yield from _complete(history, view, conversation, reading)
        for conversation in view.held:
            if (conversation, view.user) not in history.readings:
                name = history.conversations.name(conversation)
                yield Violation("held after leaving", f"{view.name}: {name}")


def _complete(history: History, view: View, conversation: int, reading: Reading) -> Iterator[Violation]:
    where = f"{view.name}: {history.conversations.name(conversation)}"
    if conversation not in view.held:
        yield Violation("conversation is missing in a view", where)
        return
    truth = {state.message: state for state in reading.synced.messages()}
    held = {state.message: state for state in view.held[conversation].messages()}
    floor = max(view.floors.get(conversation, 0), joined_seq(history.stored[conversation], view.user.user_id))
    missing = [s for s in truth.values() if s.seq > floor and s.message not in held]
    if missing:
        yield Violation("missing in a view", f"{where}: {len(missing)} from seq {missing[0].seq}, rev {missing[0].rev}")
    wrong = [s for s in held.values() if truth.get(s.message) != s]
    if wrong:
        first = wrong[0]
        yield Violation("differs in a view", f"{where}: {len(wrong)}; {first} where {truth.get(first.message)}")
    if view.members.get(conversation) != reading.members:
        yield Violation("members differ in a view", where)
    if view.unread.get(conversation) != reading.unread:
        yield Violation("unread count differs in a view", f"{where}: {view.unread.get(conversation)}, {reading.unread}")


def joined_seq(stored: Stored, user_id: str) -> int:
    """Returns the conversation's seq when the user joined it last."""
    return max((change.seq for change in stored.changes if user_id in change.added), default=0)


def one_order(history: History) -> Iterator[Violation]:
    """All clients see one message for a seq and one text for a message's rev, and live messages in order of seq."""
    holders: dict[tuple[int, int], int] = {}
    texts: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for conversation, source, states in _sightings(history):
        for state in states:
            if holders.setdefault((conversation, state.seq), state.message) != state.message:
                yield Violation("seq is two messages", f"{source}: {_location(history, conversation, state.seq)}")
            texts[state.message][state.rev].add(state.digest)
    for ack in history.revisions:
        texts[ack.message][ack.rev].add(ack.digest)
    for message, by_rev in texts.items():
        if (rev := _ambiguous_rev(by_rev)) is not None:
            yield Violation("rev is two texts", f"{history.messages.name(message)} rev {rev}")
    for view in history.views:
        yield from _live_order(history, view)


def _ambiguous_rev(by_rev: Mapping[int, set[int]]) -> int | None:
    """Returns a rev of a message that was seen with two texts; a later rev's text does not count.

    A change that is published late, after the death of a replica, has its own rev and the text of that time.
    """
    later: set[int] = set()
    for rev in sorted(by_rev, reverse=True):
        if len(by_rev[rev] - later) > 1:
            return rev
        later |= by_rev[rev]
    return None


def _location(history: History, conversation: int, seq: int) -> str:
    return f"{history.conversations.name(conversation)} seq {seq}"


def _sightings(history: History) -> Iterator[tuple[int, str, Iterable[State]]]:
    for conversation, stored in history.stored.items():
        states = (State(e.message, e.seq, e.rev, e.digest, e.create_ms) for e in stored.messages.messages())
        yield conversation, "store", states
    for (conversation, user), reading in history.readings.items():
        yield conversation, f"reader {user.user_id}", reading.synced.messages()
    for view in history.views:
        for conversation, held in view.held.items():
            yield conversation, view.name, held.messages()
        for seen in view.seen.events():
            yield seen.conversation, view.name, (State(seen.message, seen.seq, seen.rev, seen.digest, 0),)


def _live_order(history: History, view: View) -> Iterator[Violation]:
    """Live messages arrive in order of seq, and each change once; messages from a sync in between reset the order."""
    latest: dict[int, int] = {}
    revs: dict[int, int] = {}
    for seen in view.seen.events():
        where = f"{view.name}: {_location(history, seen.conversation, seen.seq)} rev {seen.rev}"
        if seen.rev <= revs.get(seen.message, 0):
            yield Violation("change received twice", where)
        revs[seen.message] = max(seen.rev, revs.get(seen.message, 0))
        if seen.replayed:
            latest.pop(seen.conversation, None)
        elif seen.kind == Kind.CREATED:
            if seen.seq <= latest.get(seen.conversation, 0):
                yield Violation("live messages out of order", where)
            latest[seen.conversation] = seen.seq


def nothing_leaks(history: History) -> Iterator[Violation]:
    """No client receives events of a conversation that its user was never in, or from after they left it."""
    for view in history.views:
        limits = {number: _visible_until(history, view, number) for number in history.stored}
        for seen in view.seen.events():
            if seen.rev > limits.get(seen.conversation, 0):
                location = f"{_location(history, seen.conversation, seen.seq)} rev {seen.rev}"
                yield Violation("leaked", f"{view.name}: {location}")
        for conversation in view.signals:
            if limits.get(conversation, 0) == 0:
                yield Violation(
                    "leaked a typing or read event", f"{view.name}: {history.conversations.name(conversation)}"
                )
    for what, times in history.problems.intrusions.items():
        yield Violation("read another user's data", f"{what}: {times} times")


def _visible_until(history: History, view: View, conversation: int) -> float:
    """Returns the last rev of a conversation that a user may see: infinity for a member, 0 if they never were one."""
    stored = history.stored[conversation]
    if stored.organization_id != view.user.organization_id:
        return 0
    if view.user.user_id in members_of(stored):
        return math.inf
    return max((change.rev for change in stored.changes if view.user.user_id in change.removed), default=0)


def states_of(rows: Iterable[State]) -> States:
    """Returns the states, sorted by seq."""
    states = States()
    for row in sorted(rows, key=lambda state: state.seq):
        states.add(row)
    return states
